"""Syncing every connection, as the clock asks for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from config.sandbox.nango import Nango
from crm import services
from crm.api.views.cron import sync_in_turn
from crm.models import Connection, SyncRun
from tests import builders
from tests.door import get, refusal, said, send

pytestmark = pytest.mark.django_db
CRON = "/api/cron/sync-crm"


def tick(**headers: str) -> tuple[int, Any]:
    """Status and body of the clock's call."""
    return said(get(CRON, **{"Authorization": "Bearer clock", **headers}))


def test_clock_syncs_every_connection_longest_unread_first(nango: Nango) -> None:
    new, old, older = (builders.business(slug) for slug in ("new", "old", "older"))
    for number, (tenant, key) in enumerate(((new, "pipedrive"), (old, "hubspot"), (older, "zoho-crm"))):
        builders.connected(nango, tenant, key, contacts=number + 1)
    now = timezone.now()
    for tenant, days in ((old, 1), (older, 2)):
        Connection.objects.filter(business=tenant).update(last_synced_at=now - timedelta(days=days))
    builders.connection(builders.business("parted"), is_active=False)
    nothing = {"updated": 0, "unchanged": 0, "skipped": 0, "failed": 0, "removed": 0, "skipped_reasons": {}}
    assert tick() == (
        200,
        {
            "success": True,
            "synced": 3,
            "failed": 0,
            "queued": 0,
            "total": 3,
            "results": [
                {
                    "business": str(tenant.pk),
                    "provider": provider,
                    "success": True,
                    "results": {"fetched": count, "created": count, **nothing},
                }
                for tenant, provider, count in ((new, "pipedrive", 1), (older, "zoho", 3), (old, "hubspot", 2))
            ],
        },
    )
    assert set(SyncRun.objects.values_list("trigger", "status")) == {("cron", "done")}


def test_failing_connection_never_stops_the_others(nango: Nango) -> None:
    bad, good = builders.business("bad"), builders.business("good")
    broken = builders.connected(nango, bad, contacts=1)
    Connection.objects.filter(pk=builders.connected(nango, good, contacts=1).pk).update(last_synced_at=timezone.now())
    nango.set_fault("crm_error", connection=broken.nango_connection_id)
    status, body = tick()
    first, second = body["results"]
    assert (status, body["synced"], body["failed"], body["queued"], body["total"]) == (200, 1, 1, 0, 2)
    assert (first["business"], first["success"], sorted(first)) == (
        str(bad.pk),
        False,
        ["business", "error", "provider", "success"],
    )
    assert first["error"]
    assert (second["business"], second["success"], second["results"]["created"]) == (str(good.pk), True, 1)


def test_what_does_not_fit_into_the_time_is_queued(
    nango: Nango, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    builders.connected(nango, builders.business("one"), contacts=1)
    builders.connected(nango, builders.business("two"), contacts=1)
    with django_capture_on_commit_callbacks() as queued:
        body = sync_in_turn(0)
    assert body == {"success": True, "synced": 0, "failed": 0, "queued": 2, "total": 2, "results": []}
    assert (len(queued), list(SyncRun.objects.values_list("status", flat=True))) == (2, ["queued", "queued"])


def test_what_is_cut_off_in_the_middle_is_queued_too(nango: Nango) -> None:
    builders.connected(nango, builders.business(), contacts=4, page_size=1)
    nango.set_fault("hang", page=3)
    body = sync_in_turn(0.3)
    assert (body["queued"], body["total"], body["results"]) == (1, 1, [])
    assert SyncRun.objects.get().status == "queued"


def test_connection_that_is_synced_already_is_left_to_whoever_does(nango: Nango) -> None:
    connection = builders.connected(nango, builders.business(), contacts=1)
    services.start_run(connection)
    assert tick()[1] == {"success": True, "synced": 0, "failed": 0, "queued": 1, "total": 1, "results": []}
    assert SyncRun.objects.count() == 1


def test_clock_without_connections_has_nothing_to_do() -> None:
    assert tick() == (200, {"success": True, "synced": 0, "failed": 0, "queued": 0, "total": 0, "results": []})


@pytest.mark.parametrize("secret", ["", "Bearer", "Bearer wrong", "clock", "Bearer clock\xff"])
def test_wrong_secret_is_refused(secret: str, nango: Nango) -> None:
    builders.connected(nango, builders.business(), contacts=1)
    asked = len(nango.requests)
    assert refusal(get(CRON, Authorization=secret)) == (401, "not_authenticated")
    assert (len(nango.requests), SyncRun.objects.count()) == (asked, 0)


def test_unset_secret_refuses_everybody(settings: Settings) -> None:
    settings.CRON_SECRET = ""
    for secret in ("Bearer ", "Bearer", "Bearer clock"):
        assert refusal(get(CRON, Authorization=secret)) == (401, "not_authenticated")
    assert refusal(get(CRON, by=builders.superuser())) == (401, "not_authenticated")


def test_clock_only_gets() -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert refusal(send(method, CRON, Authorization="Bearer clock")) == (405, "method_not_allowed")
