"""Whether the process is up, and whether it can work."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from loops_sync.models import Relay
from tests.door import get, said, send

pytestmark = pytest.mark.django_db


def test_process_is_up_without_asking_the_database() -> None:
    assert said(get("/healthz")) == (200, {"status": "ok"})


def test_silent_worker_is_named() -> None:
    assert said(get("/readyz")) == (503, {"status": "failing", "failing": ["worker"]})


def test_all_well_is_ready() -> None:
    Relay.objects.update_or_create(pk=1, defaults={"swept_at": timezone.now()})
    assert said(get("/readyz")) == (200, {"status": "ok", "failing": []})


def test_missing_migration_is_named() -> None:
    Relay.objects.update_or_create(pk=1, defaults={"swept_at": timezone.now()})
    latest = MigrationLoader(connection).graph.leaf_nodes("crm")[0]
    MigrationRecorder(connection).record_unapplied(*latest)
    status, body = said(get("/readyz"))
    assert (status, body["failing"]) == (503, ["migrations"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_only_read(path: str) -> None:
    assert send("POST", path).status_code == 405
