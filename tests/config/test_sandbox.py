"""The sandbox must be as strict as Loops: what it lets through, the product may send to the real one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from config.sandbox import RunningSandbox, start_sandbox

UPDATE = "/contacts/update"
ANN = {"email": "ann@example.com", "userId": "1", "firstName": "Ann"}


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(
    sandbox: RunningSandbox,
    method: str,
    path: str,
    body: object = None,
    *,
    timeout: float = 5,
    **headers: str,
) -> Answer:
    """One request on a connection of its own; paths of the Loops API are given without the base."""
    sent = {"Authorization": "Bearer key", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request(method, path if path.startswith(("/_", "/?")) else f"/api/v1{path}", raw, sent)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def put(sandbox: RunningSandbox, **body: object) -> Answer:
    return send(sandbox, "PUT", UPDATE, body)


def stored(sandbox: RunningSandbox, email: str = "ann@example.com") -> dict[str, Any]:
    contact = sandbox.contact(email)
    assert contact is not None
    return contact


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(rate=None) as running:
        yield running


def test_update_creates_then_changes_only_the_keys_it_was_sent(sandbox: RunningSandbox) -> None:
    first = put(sandbox, **ANN, company="Acme")
    second = put(sandbox, email="ann@example.com", firstName="Anna")
    assert (first.status, second.status) == (200, 200)
    assert first.json == second.json == {"success": True, "id": stored(sandbox)["id"]}
    assert sandbox.contacts == [
        {
            "id": first.json["id"],
            "email": "ann@example.com",
            "firstName": "Anna",
            "lastName": None,
            "source": "API",
            "subscribed": True,
            "userGroup": "",
            "userId": "1",
            "mailingLists": {},
            "optInStatus": None,
            "company": "Acme",
        }
    ]


def test_null_empties_a_property(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN, company="Acme", userGroup="Voters")
    put(sandbox, email="ann@example.com", company=None, userGroup=None, firstName=None)
    contact = stored(sandbox)
    assert [contact[key] for key in ("company", "userGroup", "firstName")] == [None, "", None]


def test_emails_match_in_any_case(sandbox: RunningSandbox) -> None:
    put(sandbox, email="Ann@Example.com")
    put(sandbox, email="ANN@example.COM", lastName="Lee")
    assert [contact["email"] for contact in sandbox.contacts] == ["ann@example.com"]
    assert stored(sandbox, "aNN@example.com")["lastName"] == "Lee"


def test_user_id_with_a_new_email_moves_the_contact(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    put(sandbox, userId="1", email="new@example.com")
    assert [(contact["email"], contact["userId"]) for contact in sandbox.contacts] == [("new@example.com", "1")]
    assert sandbox.contact("ann@example.com") is None


def test_email_with_a_new_user_id_overwrites_the_user_id(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    put(sandbox, email="ann@example.com", userId="2")
    assert send(sandbox, "GET", "/contacts/find?userId=1").json == []
    assert send(sandbox, "GET", "/contacts/find?userId=2").json == sandbox.contacts


def test_identifiers_of_two_contacts_are_refused_and_change_nothing(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    put(sandbox, email="bob@example.com", userId="2")
    before = sandbox.contacts
    answer = put(sandbox, email="ann@example.com", userId="2", firstName="X")
    assert answer.status == 400
    assert answer.json == {"success": False, "message": "Multiple contacts found for the given criteria"}
    assert sandbox.contacts == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userId": "unknown"},
        {"email": "ann@example.com", "userId": 7},
        {"email": "ann@example.com", "userId": ""},
        {"email": None, "userId": "1"},
        {"email": "not-an-email"},
        {"email": "two words@example.com"},
        {"email": "a..b@example.com"},
        {"email": f"{'a' * 600}@example.com"},
        {"email": "ann@example.com", "company": "x" * 499},
        {"email": "ann@example.com", "neverCreated": "x" * 499},
        {"email": "ann@example.com", "company": ["Acme"]},
        {"email": "ann@example.com", "neverCreated": {"a": 1}},
        {"email": "ann@example.com", "company": 5},
        {"email": "ann@example.com", "subscribed": None},
        {"email": "ann@example.com", "subscribed": "false"},
        {"email": "ann@example.com", "mailingLists": {"list_unknown": True}},
        {"email": "ann@example.com", "mailingLists": {"list_voters": "yes"}},
        {"email": "ann@example.com", "mailingLists": ["list_voters"]},
        [],
        b"not json",
        b'{"email": "ann@example.com", "neverCreated": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
    ],
)
def test_update_refuses_what_loops_refuses(sandbox: RunningSandbox, body: object) -> None:
    answer = send(sandbox, "PUT", UPDATE, body)
    assert (answer.status, answer.json["success"]) == (400, False)
    assert sandbox.contacts == []


def test_a_value_of_498_characters_fits_with_its_quotes(sandbox: RunningSandbox) -> None:
    assert put(sandbox, **ANN, company="x" * 498).status == 200


def test_an_unknown_property_is_accepted_and_dropped(sandbox: RunningSandbox) -> None:
    assert put(sandbox, **ANN, neverCreated="x").status == 200
    assert "neverCreated" not in stored(sandbox)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("2026-03-01", 200),
        ("2026-03-01 10:00", 200),
        ("2026-03-01T10:00:00Z", 200),
        ("2026-03-01T10:00:00.123+02:00", 200),
        (1772359200000, 200),
        ("1772359200000", 200),
        (None, 200),
        ("2026-03-01T10:00:00.123456+00:00", 400),
        ("2026-02-30", 400),
        ("01/03/2026", 400),
        ("", 400),
        (True, 400),
        (1772359200.5, 400),
    ],
)
def test_dates_have_milliseconds_at_most(sandbox: RunningSandbox, value: object, status: int) -> None:
    assert put(sandbox, **ANN, approvalDate=value).status == status


def test_subscribed_true_brings_back_who_had_left(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN, subscribed=False)
    put(sandbox, **ANN)
    assert stored(sandbox)["subscribed"] is False
    put(sandbox, **ANN, subscribed=True)
    assert stored(sandbox)["subscribed"] is True


def test_lists_are_joined_and_left_but_not_by_who_is_unsubscribed(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN, mailingLists={"list_voters": True, "list_nominees": True})
    put(sandbox, **ANN, mailingLists={"list_voters": False})
    assert stored(sandbox)["mailingLists"] == {"list_nominees": True}
    assert put(sandbox, **ANN, subscribed=False, mailingLists={"list_voters": True}).status == 200
    assert stored(sandbox)["mailingLists"] == {"list_nominees": True}


def test_create_conflicts_on_either_identifier(sandbox: RunningSandbox) -> None:
    statuses = [
        send(sandbox, "POST", "/contacts/create", body).status
        for body in (ANN, ANN, {"email": "b@example.com", "userId": "1"}, {"userId": "2"}, {"email": "c@example.com"})
    ]
    assert statuses == [200, 409, 409, 400, 200]


@pytest.mark.parametrize(
    ("query", "status", "found"),
    [
        ({"email": "ann+1@example.com"}, 200, 1),
        ({"userId": "1"}, 200, 1),
        ({"email": "missing@example.com"}, 200, 0),
        ({"email": "ann+1@example.com", "userId": "1"}, 400, None),
        ({"email": ""}, 400, None),
        ({}, 400, None),
    ],
)
def test_find_takes_exactly_one_identifier(
    sandbox: RunningSandbox, query: dict[str, str], status: int, found: int | None
) -> None:
    put(sandbox, email="ann+1@example.com", userId="1")
    answer = send(sandbox, "GET", f"/contacts/find?{urlencode(query)}")
    assert answer.status == status
    assert found is None or answer.json == sandbox.contacts[:found]


def test_delete_takes_exactly_one_identifier_and_says_404_the_second_time(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    answers = [
        send(sandbox, "POST", "/contacts/delete", body)
        for body in (
            {"email": "ann@example.com", "userId": ""},
            {},
            {"email": "ann@example.com"},
            {"email": "ann@example.com"},
            {"userId": "1"},
        )
    ]
    assert [answer.status for answer in answers] == [400, 400, 200, 404, 404]
    assert answers[2].json == {"success": True, "message": "Contact deleted."}
    assert sandbox.contacts == []


def test_a_created_property_is_kept_from_then_on() -> None:
    with start_sandbox(rate=None, bare=True) as sandbox:
        assert send(sandbox, "GET", "/contacts/properties?list=custom").json == []
        put(sandbox, **ANN, planName="gold")
        assert "planName" not in stored(sandbox)
        created = send(sandbox, "POST", "/contacts/properties", {"name": "planName", "type": "string"})
        assert (created.status, created.json) == (200, {"success": True})
        put(sandbox, **ANN, planName="gold")
        assert stored(sandbox)["planName"] == "gold"
        assert send(sandbox, "GET", "/contacts/properties?list=custom").json == [
            {"key": "planName", "label": "Plan Name", "type": "string"}
        ]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "linkedin", "type": "string"},
        {"name": "firstName", "type": "string"},
        {"name": "id", "type": "string"},
        {"name": "teamId", "type": "string"},
        {"name": "mailingLists", "type": "string"},
        {"name": "plan_name", "type": "string"},
        {"name": "planName", "type": "text"},
        {"name": "planName", "type": ["string"]},
        {"type": "string"},
    ],
)
def test_properties_that_cannot_be_created(sandbox: RunningSandbox, body: object) -> None:
    before = send(sandbox, "GET", "/contacts/properties").json
    assert send(sandbox, "POST", "/contacts/properties", body).status == 400
    assert send(sandbox, "GET", "/contacts/properties?list=all").json == before


def test_the_account_is_prepared_for_laurel(sandbox: RunningSandbox) -> None:
    types = {p["key"]: p["type"] for p in send(sandbox, "GET", "/contacts/properties?list=custom").json}
    assert len(types) == 19
    assert {key for key, kind in types.items() if kind == "date"} == {"approvalDate", "lastVoteDate"}
    lists = [entry["id"] for entry in send(sandbox, "GET", "/lists").json]
    assert lists == ["list_nominees", "list_nominators_live", "list_nominators", "list_voters"]
    assert send(sandbox, "GET", "/contacts/properties?list=other").status == 400


def test_an_event_updates_the_contact_and_its_key_works_once(sandbox: RunningSandbox) -> None:
    event = {**ANN, "eventName": "voted", "eventProperties": {"points": 3}, "company": "Acme"}
    assert send(sandbox, "POST", "/events/send", {**event, "eventName": None}, Idempotency_Key="k").status == 400
    assert send(sandbox, "POST", "/events/send", event, Idempotency_Key="k").status == 200
    again = send(sandbox, "POST", "/events/send", {**event, "company": "Other"}, Idempotency_Key="k")
    assert again.status == 409
    assert again.json["message"] == "Request with idempotency key k has already been processed."
    assert stored(sandbox)["company"] == "Acme"
    assert sandbox.overview().counters["events"] == 1


def test_transactional_mail_needs_a_known_template() -> None:
    with start_sandbox(rate=None, templates=["tpl_1"]) as sandbox:

        def mail(template: str, key: str, email: str = "ann@example.com") -> int:
            body = {"email": email, "transactionalId": template, "dataVariables": {"name": "Ann"}}
            return send(sandbox, "POST", "/transactional", body, Idempotency_Key=key).status

        assert [mail("other", "k"), mail("tpl_1", "k"), mail("tpl_1", "k")] == [404, 200, 409]
        assert [mail("tpl_1", "x" * 101), mail("tpl_1", "x" * 100), mail("tpl_1", "", email="x")] == [400, 200, 400]
        assert sandbox.contacts == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", UPDATE, 405), ("PATCH", UPDATE, 405), ("GET", "/contacts/delete", 405), ("GET", "/nothing", 404)],
)
def test_wrong_methods_and_paths(sandbox: RunningSandbox, method: str, path: str, status: int) -> None:
    assert send(sandbox, method, path, ANN).status == status
    assert sandbox.contacts == []


def test_any_key_will_do_unless_one_is_chosen(sandbox: RunningSandbox) -> None:
    assert send(sandbox, "GET", "/api-key").json == {"success": True, "teamName": "Laurel sandbox"}
    refusal = {"success": False, "message": "Invalid API key", "error": "Invalid API key"}
    for header in ("", "Bearer ", "Basic key"):
        answer = send(sandbox, "GET", "/api-key", Authorization=header)
        assert (answer.status, answer.json) == (401, refusal)
    with start_sandbox(api_key="secret") as strict:
        statuses = [send(strict, "GET", "/api-key", Authorization=f"Bearer {key}").status for key in ("key", "secret")]
    assert statuses == [401, 200]


def test_the_rate_limit_holds_for_any_second() -> None:
    with start_sandbox(rate=3) as sandbox:
        answers = [send(sandbox, "GET", "/api-key") for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
        assert answers[3].headers["Retry-After"] is None
        time.sleep(max(0, sandbox.requests[2].at + 1.05 - time.monotonic()))
        assert send(sandbox, "GET", "/api-key").status == 200


@pytest.mark.parametrize(
    ("kind", "options", "status"),
    [
        ("rate_limited", {}, 429),
        ("server_error", {}, 500),
        ("server_error", {"status": 503}, 503),
        ("unauthorized", {}, 401),
        ("reject", {}, 400),
        ("redirect", {}, 302),
    ],
)
def test_a_fault_answers_in_the_place_of_loops(
    sandbox: RunningSandbox, kind: str, options: dict[str, Any], status: int
) -> None:
    sandbox.set_fault(kind, times=1, **options)
    assert put(sandbox, **ANN).status == status
    assert sandbox.contacts == []
    assert put(sandbox, **ANN).status == 200
    assert [entry.status for entry in sandbox.requests] == [status, 200]


def test_fault_details_reach_the_client(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("rate_limited", retry_after=0, times=1)
    assert put(sandbox, **ANN).headers["Retry-After"] == "0"
    sandbox.set_fault("server_error", status=502, html=True, times=1)
    answer = put(sandbox, **ANN)
    assert (answer.status, answer.headers["Content-Type"], answer.body[:6]) == (502, "text/html", b"<html>")
    sandbox.set_fault("redirect", times=1)
    assert put(sandbox, **ANN).headers["Location"] == "/api/v1/api-key"


def test_reset_writes_first_and_reset_before_writes_nothing(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("reset_before", times=1)
    with pytest.raises(ConnectionResetError) as before:
        put(sandbox, **ANN)
    assert sandbox.contacts == []
    sandbox.set_fault("reset", times=1)
    with pytest.raises(ConnectionResetError) as after:
        put(sandbox, **ANN)
    # Not RemoteDisconnected, its subclass, which a mere close would give.
    assert (before.type, after.type) == (ConnectionResetError, ConnectionResetError)
    assert stored(sandbox)["firstName"] == "Ann"
    assert [entry.status for entry in sandbox.requests] == [None, None]


def test_slow_writes_at_once_and_answers_late(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("slow", seconds=0.3)
    with pytest.raises(TimeoutError):
        send(sandbox, "PUT", UPDATE, ANN, timeout=0.1)
    assert stored(sandbox)["firstName"] == "Ann"
    started = time.monotonic()
    assert put(sandbox, **ANN).status == 200
    assert 0.3 <= time.monotonic() - started < 2


def test_hang_holds_the_call_until_it_is_switched_off(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("hang", times=2)
    with pytest.raises(TimeoutError):
        send(sandbox, "PUT", UPDATE, {"email": "gone@example.com"}, timeout=0.1)
    answers: list[Answer] = []
    waiting = threading.Thread(target=lambda: answers.append(put(sandbox, **ANN)))
    waiting.start()
    wait_for(lambda: len(sandbox.requests) == 2)
    assert put(sandbox, email="bob@example.com").status == 200  # spent: two calls hang, nobody else
    assert (answers, [entry.status for entry in sandbox.requests]) == ([], [None, None, 200])
    sandbox.clear_faults("hang")
    waiting.join(5)
    assert [answer.status for answer in answers] == [200]
    # Nobody waits for the first one any more: it must not be written late.
    assert {contact["email"] for contact in sandbox.contacts} == {"ann@example.com", "bob@example.com"}


def test_a_fault_can_strike_one_poison_contact_only(sandbox: RunningSandbox) -> None:
    sandbox.set_fault("reject", match="POISON")
    assert put(sandbox, email="Poison.row@example.com").status == 400
    assert put(sandbox, **ANN).status == 200


def test_probabilities_share_one_draw(sandbox: RunningSandbox) -> None:
    for kind, probability in (("rate_limited", 0.5), ("server_error", 0.5), ("reject", 1.0), ("redirect", 0)):
        sandbox.set_fault(kind, probability=probability)
    assert {put(sandbox, **ANN).status for _ in range(40)} == {429, 500}


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "earthquake"},
        {"kind": ["slow"]},
        {"times": 1},
        {"kind": "slow", "seconds": 121},
        {"kind": "slow", "seconds": "1"},
        {"kind": "hang", "seconds": 1},
        {"kind": "reject", "times": 0},
        {"kind": "reject", "probability": 1.5},
        {"kind": "reject", "color": "red"},
        {"kind": "server_error", "status": 200},
        {"kind": "rate_limited", "retry_after": "1\r\nX: y"},
    ],
)
def test_impossible_faults_are_refused(sandbox: RunningSandbox, options: dict[str, Any]) -> None:
    assert send(sandbox, "POST", "/_control/faults", options).status == 400
    assert send(sandbox, "GET", "/_control/state").json["faults"] == []


def test_the_control_api_tells_and_changes_the_state(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    wanted = {"kind": "server_error", "status": 503, "times": 3, "probability": 0}
    assert send(sandbox, "POST", "/_control/faults", wanted).json == {"faults": [{**wanted}]}
    put(sandbox, **ANN)
    state = send(sandbox, "GET", "/_control/state").json
    assert state["contacts"] == sandbox.contacts
    assert state["counters"] == {
        "contacts": 1,
        "requests": 2,
        "by_status": {"200": 2},
        "events": 0,
        "transactional": 0,
    }
    (seen,) = send(sandbox, "GET", "/_control/requests?since=1").json["requests"]
    assert (seen["number"], seen["method"], seen["path"]) == (1, "PUT", "/api/v1/contacts/update")
    assert (seen["body"], seen["status"]) == (ANN, 200)
    assert send(sandbox, "DELETE", "/_control/faults").json == {"faults": []}
    assert send(sandbox, "POST", "/_control/reset").status == 200
    assert (sandbox.contacts, sandbox.requests) == ([], [])


def test_requests_are_recorded_in_order_with_their_time(sandbox: RunningSandbox) -> None:
    before = time.monotonic()
    put(sandbox, **ANN)
    send(sandbox, "GET", "/contacts/find?email=ann%40example.com")
    first, second = sandbox.requests
    assert before <= first.at <= second.at <= time.monotonic()
    assert (first.body, second.query) == (ANN, {"email": "ann@example.com"})


def test_the_page_shows_contacts_and_escapes_what_was_sent(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN, lastName="<script>alert(1)</script>", userGroup="Voters", company="A\ud800")
    page = send(sandbox, "GET", "/?").body.decode()
    assert "Sandbox: nothing here reaches the real Loops" in page
    assert "ann@example.com" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page
    assert '<meta http-equiv="refresh" content="3">' in page
    assert "http-equiv" not in send(sandbox, "GET", "/?paused=1").body.decode()
    assert send(sandbox, "GET", "/_static/sandbox.css").headers["Content-Type"] == "text/css; charset=utf-8"


def test_the_buttons_of_the_page_switch_faults(sandbox: RunningSandbox) -> None:
    answer = send(sandbox, "POST", "/_page/faults", "kind=reject&switch=on&paused=1")
    assert (answer.status, answer.headers["Location"]) == (303, "/?paused=1")
    assert put(sandbox, **ANN).status == 400
    assert send(sandbox, "POST", "/_page/faults", "kind=reject&switch=off").headers["Location"] == "/"
    assert put(sandbox, **ANN).status == 200
    send(sandbox, "POST", "/_page/reset")
    assert sandbox.contacts == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
        (b"GET / HTTP/9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1000001\r\n\r\n", 413),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"PUT /api/v1/contacts/update HTTP/1.1\r\nAuthorization: Bearer k\r\n\r\n", 400),
    ],
)
def test_garbage_is_answered_without_a_traceback(
    sandbox: RunningSandbox, capfd: pytest.CaptureFixture[str], raw: bytes, status: int
) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(raw)
        assert client.recv(4096).split()[1] == str(status).encode()
    assert put(sandbox, **ANN).status == 200
    assert capfd.readouterr().err == ""


def test_a_body_over_one_megabyte_is_refused_even_if_sent_whole(sandbox: RunningSandbox) -> None:
    assert send(sandbox, "PUT", UPDATE, b"x" * 20_000_000).status == 413


def test_one_connection_serves_many_requests_and_dies_with_the_sandbox() -> None:
    with start_sandbox(rate=None) as sandbox:
        connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=5)
        connection.connect()
        opened = connection.sock
        for _ in range(3):
            connection.request("PUT", "/api/v1/contacts/update", json.dumps(ANN), {"Authorization": "Bearer k"})
            assert json.loads(connection.getresponse().read())["success"] is True
        assert connection.sock is opened
    assert opened.recv(1) == b""
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        put(sandbox, **ANN)


def test_parallel_writers_lose_nothing(sandbox: RunningSandbox) -> None:
    def write(worker: int) -> None:
        for number in range(25):
            put(sandbox, email=f"w{worker}n{number}@example.com", userId=f"{worker}-{number}")

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert (len(sandbox.contacts), len(sandbox.requests)) == (200, 200)
    assert [entry.number for entry in sandbox.requests] == list(range(200))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_says_its_address_and_stops_cleanly(number: int) -> None:
    command = [sys.executable, "-m", "config.sandbox", "--port", "0", "--rate", "0"]
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain)
    assert process.stdout is not None
    line = process.stdout.readline()
    os.kill(process.pid, number)
    rest, errors = process.communicate(timeout=5)
    assert line.startswith("Sandbox on http://127.0.0.1:")
    assert (process.returncode, rest, errors) == (0, "", "")


def wait_for(condition: Any, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_mails_are_kept_with_what_their_template_was_given() -> None:
    with start_sandbox(rate=None, templates=["welcome"]) as sandbox:
        body = {"email": "Ann@Example.com", "transactionalId": "welcome", "dataVariables": {"name": "<b>Ann</b>"}}
        for _ in range(2):
            send(sandbox, "POST", "/transactional", body, Idempotency_Key="k1")
        assert sandbox.mails == [{**body, "email": "ann@example.com", "key": "k1"}]
        assert send(sandbox, "GET", "/_control/mails").json == {"mails": sandbox.mails}
        page = send(sandbox, "GET", "/?paused=1").body.decode()
        assert "&lt;b&gt;Ann&lt;/b&gt;" in page
        assert "<b>Ann</b>" not in page


@pytest.mark.parametrize(
    ("action", "subscribed"), [("unsubscribe", False), ("bounce", False), ("resubscribe", True), ("delete", None)]
)
def test_people_act_on_contacts(sandbox: RunningSandbox, action: str, subscribed: bool | None) -> None:
    put(sandbox, **ANN)
    given = {"email": "ANN@example.com", "action": action}
    assert send(sandbox, "POST", "/_control/contacts/act", given).json == {"webhooks": []}
    contact = sandbox.contact("ann@example.com")
    assert (contact and contact["subscribed"]) is subscribed


@pytest.mark.parametrize("given", [{"email": "nobody@example.com", "action": "delete"}, {"email": ANN["email"]}, [1]])
def test_acting_on_nobody_is_told(sandbox: RunningSandbox, given: Any) -> None:
    put(sandbox, **ANN)
    assert send(sandbox, "POST", "/_control/contacts/act", given).status == 404
    assert stored(sandbox)["subscribed"] is True


def test_buttons_of_the_page_act(sandbox: RunningSandbox) -> None:
    put(sandbox, **ANN)
    form = urlencode({"email": ANN["email"], "action": "unsubscribe", "paused": "1"})
    for _ in range(2):
        assert send(sandbox, "POST", "/_page/contacts", form).headers["Location"] == "/?paused=1"
    assert stored(sandbox)["subscribed"] is False
    page = send(sandbox, "GET", "/?paused=1").body.decode()
    assert "Resubscribe ann@example.com" in page
