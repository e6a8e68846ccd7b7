"""What Prometheus reads, and who may."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from loops_sync.models import Incident, OutboxEntry, Relay, SyncAttempt
from loyalty import services as points
from tests import builders
from tests.door import get, refusal, send

pytestmark = pytest.mark.django_db
TOKEN = "scrape-me-if-you-can"


@pytest.fixture(autouse=True)
def _token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    settings.LOOPS_SYNC_ENABLED = True


def figures() -> dict[str, float]:
    """Each sample as `name` or `name:label`."""
    response = get("/metrics", Authorization=f"Bearer {TOKEN}")
    assert (response.status_code, response["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(response.content.decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        ":".join([sample.name.removeprefix("laurel_"), *sample.labels.values()]): sample.value for sample in samples
    }


def test_outbox_line_and_worker_are_told() -> None:
    builders.approved()
    builders.submitted()
    oldest = OutboxEntry.objects.order_by("id").first()
    assert oldest is not None
    OutboxEntry.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(minutes=5))
    OutboxEntry.objects.order_by("-id")[:1].get().delete()
    Relay.objects.create(pk=1, swept_at=timezone.now() - timedelta(seconds=70), consecutive_failures=4, outage_signs=3)
    entries = OutboxEntry.objects.count()
    found = figures()
    assert found["database_up"] == 1
    assert {name: found[f"outbox_entries:{name}"] for name in OutboxEntry.Status.values} == {
        "pending": entries,
        "processing": 0,
        "done": 0,
        "dead": 0,
    }
    assert 300 <= found["outbox_oldest_pending_seconds"] < 310
    assert 70 <= found["worker_heartbeat_age_seconds"] < 80
    assert found["loops_consecutive_failures"] == 4
    assert [found[f"loops_line:{state}"] for state in ("ok", "unauthorized", "unreachable", "disabled")] == [
        0,
        0,
        1,
        0,
    ]


def test_requests_and_latency_are_those_of_the_last_hour() -> None:
    builders.submitted()
    contact = OutboxEntry.objects.get().contact
    now = timezone.now()
    SyncAttempt.objects.create(contact=contact, at=now - timedelta(hours=2), duration_ms=9000, ok=False)
    for ms in range(1, 101):
        SyncAttempt.objects.create(contact=contact, at=now, duration_ms=ms * 10, ok=ms > 7)
    found = figures()
    assert (found["loops_requests_last_hour:ok"], found["loops_requests_last_hour:failed"]) == (93, 7)
    assert [found[f"loops_latency_seconds:{share}"] for share in ("0.5", "0.95", "0.99")] == [0.5, 0.95, 0.99]


def test_crm_runs_incidents_and_the_proof_are_told() -> None:
    connection_of_crm = builders.connection()
    for status in ("done", "done", "failed"):
        connection_of_crm.runs.create(status=status)
    connection_of_crm.runs.create(status="failed", created_at=timezone.now() - timedelta(days=2))
    Incident.objects.create(kind="dead", detail="One.")
    assert figures()["ledger_proof:none"] == 1
    points.run_proof(points.start_proof(by=None))
    found = figures()
    assert [found[f"crm_sync_runs_last_day:{name}"] for name in ("queued", "running", "done", "failed")] == [
        0,
        0,
        2,
        1,
    ]
    assert (found["incident_open:dead"], found["incident_open:failure_rate"]) == (1, 0)
    assert (found["ledger_proof:proven"], found["ledger_proof:none"]) == (1, 0)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_scrape_needs_the_same_queries_for_any_number_of_rows(
    rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(rows):
        builders.submitted()
        builders.connection(builders.business(f"business-{number}")).runs.create(status="done")
    with django_assert_num_queries(10):
        figures()


def test_a_database_that_does_not_answer_is_told() -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(refuse):
        assert figures() == {"database_up": 0}


def test_staff_may_read_others_may_not(settings: Settings) -> None:
    assert get("/metrics", by=builders.staff()).status_code == 200
    assert refusal(get("/metrics", by=builders.plain_user())) == (403, "permission_denied")
    assert refusal(get("/metrics")) == (401, "not_authenticated")
    client = Client()
    client.force_login(builders.staff())
    assert client.get("/metrics").status_code == 200
    for header in ("Bearer wrong", f"Token {TOKEN}", "Bearer ", f"Bearer {TOKEN}\u00e9"):
        assert get("/metrics", Authorization=header).status_code == 401
    settings.METRICS_TOKEN = ""
    for header in ("Bearer ", f"Bearer {TOKEN}"):
        assert get("/metrics", Authorization=header).status_code == 401
    assert send("POST", "/metrics").status_code == 405
