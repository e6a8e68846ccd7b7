"""Whether the process is up, and whether it can do its work."""

from collections.abc import Callable

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from loops_sync import selectors


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _loops() -> bool:
    """Red while Loops refuses our key: nothing passes until somebody mends it. An outage mends itself."""
    return selectors.connection_state() != "unauthorized"


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "migrations": _migrations,
    "worker": selectors.worker_is_alive,
    "loops": _loops,
}


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """200 while the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when database, migrations, worker and Loops' key are fine; else 503 with the failing checks named."""
    failing = [name for name, check in CHECKS.items() if not _passes(check)]
    status = {"status": "failing" if failing else "ok", "failing": failing}
    return JsonResponse(status, status=503 if failing else 200)


def _passes(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Error:
        return False
