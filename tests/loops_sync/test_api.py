"""The run endpoint."""

from django.test import Client

from config.sandbox import RunningSandbox
from tests import builders

URL = "/api/sync/loops/run"
CLOCK = {"authorization": "Bearer clock"}


def post(client: Client, body: object = None, **headers: str) -> tuple[int, object]:
    """Status and body."""
    answer = client.post(URL, body or {}, content_type="application/json", headers=headers or CLOCK)
    return answer.status_code, answer.json()


def test_run_delivers_and_counts_entries(client: Client, loops: RunningSandbox) -> None:
    builders.approved()
    assert post(client, {"limit": 1}) == (
        200,
        {"processed": 2, "succeeded": 2, "retried": 0, "dead": 0, "remaining": 1},
    )
    assert post(client) == (200, {"processed": 1, "succeeded": 1, "retried": 0, "dead": 0, "remaining": 0})
    assert len(loops.contacts) == 2


def test_run_refuses_a_bad_limit(client: Client) -> None:
    for limit in (0, -1, "many", 1.5):
        status, body = post(client, {"limit": limit})
        assert status == 400
        assert isinstance(body, dict)
        assert list(body) == ["limit"]


def test_run_is_for_the_clock_only(client: Client, staff_client: Client) -> None:
    for caller, headers in ((client, {}), (client, {"authorization": "Bearer wrong"}), (staff_client, {})):
        answer = caller.post(URL, {}, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_run_restarts_a_stopped_line(client: Client, loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("unauthorized")
    assert post(client)[0] == 200
    assert client.get(URL, headers=CLOCK).json()["connection"] == "unauthorized"
    loops.clear_faults()
    assert post(client) == (200, {"processed": 1, "succeeded": 1, "retried": 0, "dead": 0, "remaining": 0})


def test_status_tells_how_it_stands(client: Client, loops: RunningSandbox) -> None:
    builders.approved()
    before = client.get(URL, headers=CLOCK).json()
    assert (before["outbox"], before["success_rate_1h"]) == (
        {"pending": 3, "processing": 0, "done": 0, "dead": 0},
        None,
    )
    assert before["oldest_pending_seconds"] in (0, 1, 2)
    post(client)
    assert client.get(URL, headers=CLOCK).json() == {
        "enabled": True,
        "connection": "ok",
        "outbox": {"pending": 0, "processing": 0, "done": 3, "dead": 0},
        "oldest_pending_seconds": None,
        "success_rate_1h": 1.0,
        "consecutive_failures": 0,
    }


def test_status_is_for_staff_who_may_see_the_outbox(client: Client) -> None:
    assert client.get(URL).status_code == 401
    for permissions, status in (((), 403), (("loops_sync.view_outboxentry",), 200)):
        client.force_login(builders.staff(*permissions))
        assert client.get(URL).status_code == status


def test_detail_shows_the_delivery_of_each_contact(staff_client: Client, loops: RunningSandbox) -> None:
    nomination = builders.approved()
    url = f"/api/nominations/{nomination.pk}"
    waiting = staff_client.get(url).json()["delivery"]
    assert [(row["role"], row["email"], row["status"], row["synced_at"]) for row in waiting] == [
        ("nominator", nomination.nominator.email, "pending", None),
        ("nominee", nomination.nominee.email, "pending", None),
    ]
    loops.set_fault("reject", match=nomination.nominee.email)
    post(staff_client)
    nominator, nominee = staff_client.get(url).json()["delivery"]
    assert (nominator["status"], nominator["attempts"], nominator["last_error"]) == ("done", 1, "")
    assert nominator["synced_at"].endswith("Z")
    assert (nominee["status"], nominee["attempts"], nominee["last_error"][:3]) == ("dead", 1, "400")
