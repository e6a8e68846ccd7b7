"""Whether the process is up, and whether it can work."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

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


def test_refused_key_is_named_while_syncing_is_on(settings: Settings) -> None:
    line = {"swept_at": timezone.now(), "unauthorized_at": timezone.now()}
    Relay.objects.update_or_create(pk=1, defaults=line)
    assert said(get("/readyz"))[0] == 200
    settings.LOOPS_SYNC_ENABLED = True
    assert said(get("/readyz")) == (503, {"status": "failing", "failing": ["loops"]})


def test_outage_of_loops_is_no_reason_to_be_red(settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = True
    Relay.objects.update_or_create(pk=1, defaults={"swept_at": timezone.now(), "outage_signs": 3})
    assert said(get("/readyz"))[0] == 200


def test_missing_migration_is_named() -> None:
    Relay.objects.update_or_create(pk=1, defaults={"swept_at": timezone.now()})
    latest = MigrationLoader(connection).graph.leaf_nodes("crm")[0]
    MigrationRecorder(connection).record_unapplied(*latest)
    status, body = said(get("/readyz"))
    assert (status, body["failing"]) == (503, ["migrations"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_only_read(path: str) -> None:
    assert send("POST", path).status_code == 405
