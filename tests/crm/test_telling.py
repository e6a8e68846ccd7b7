"""What a business is told of its CRM: once for each time that something breaks."""

import pytest

from config.sandbox.nango import Nango
from crm import services
from crm.models import Connection, SyncRun
from crm.services.telling import require_reconnect
from notifications.models import Notification
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(nango: Nango) -> Connection:
    """With three contacts."""
    return builders.connected(nango, builders.business(), "hubspot", contacts=3)


def told(line: Connection) -> list[str]:
    """The types, oldest first."""
    rows = Notification.objects.filter(business_id=line.business_id).order_by("created_at")
    return list(rows.values_list("type", flat=True))


def failed(line: Connection) -> None:
    """A run that fails for a reason that passes."""
    run = services.start_run(line)
    SyncRun.objects.filter(pk=run.pk).update(status="running")
    services.runs.fail_run(run, "The CRM is out of order.", code="upstream_error")


def test_first_failure_is_told_and_the_next_hour_s_is_not(line: Connection) -> None:
    SyncRun.objects.update(status="done")
    failed(line)
    failed(line)
    assert told(line) == ["sync_failed"]
    services.execute_run(services.start_run(line))
    failed(line)
    assert told(line) == ["sync_failed", "sync_failed"]


def test_sign_in_that_is_needed_is_told_once_until_it_is_mended(line: Connection) -> None:
    for _ in range(2):
        require_reconnect(line, "The CRM refused to renew the access.")
    assert told(line) == ["crm_reconnect_required"]
    Connection.objects.update(reconnect_required=False)
    require_reconnect(line, "Again.")
    assert told(line) == ["crm_reconnect_required", "crm_reconnect_required"]
    line.refresh_from_db()
    assert (line.reconnect_required, line.last_error) == (True, "Again.")
