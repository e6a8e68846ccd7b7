"""What is written down, and what never is."""

import json
import logging
import logging.config
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import sentry_sdk
from django.conf import settings as configured
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from sentry_sdk.transport import Transport

from config import urls
from config.logs import bind_task, logging_config, sentry_options
from config.management.commands.dev import free_port
from config.redaction import Redactor
from config.sandbox import RunningSandbox
from loops_sync import services
from loops_sync.models import Contact
from tests import builders
from tests.door import get, post

EMAIL, PHONE, SECRET = "canary.bird@secret-mail.org", "07306 506797", "sk_live_canary_0123456789abcdefghij"
# A traceback quotes the source, in which these therefore stand only here.
NAME, ADDRESS = "Quetzal", "192.168.100.200"
FORMS = (EMAIL, "canary.bird", "canary.bird%40", PHONE, "07306506797", "7306506797", "447306506797", SECRET, NAME)
REDACTOR = Redactor("salt", [SECRET])


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What the one handler writes, as in production: JSON, and everything from DEBUG up."""
    config = logging_config(REDACTOR, level="DEBUG", is_json=True)
    logging.config.dictConfig(config)
    handler = logging.getLogger().handlers[-1]
    stream = StringIO()
    assert isinstance(handler, logging.StreamHandler)
    for name in ("", "gunicorn.error"):
        for each in logging.getLogger(name).handlers:
            if isinstance(each, logging.StreamHandler):
                each.setStream(stream)
    yield stream
    logging.config.dictConfig(configured.LOGGING)


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def requests_of(written: StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(written) if line["logger"] == "laurel.requests"]


def explode(request: HttpRequest) -> HttpResponse:
    """A bug, whose message quotes what it should not."""
    logging.getLogger("somewhere").error(
        "Card of %s, key %s", EMAIL, SECRET, extra={"path": PHONE, "request": request}
    )
    raise RuntimeError(f"{EMAIL} or +44 (0)7306 506797 with Authorization: Bearer {SECRET}\nDETAIL:  row ({NAME})")


@pytest.mark.django_db
def test_canaries_in_good_and_bad_requests_are_never_written(
    written: StringIO, loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urls, "urlpatterns", [path(f"explode/{EMAIL}", explode), *urls.urlpatterns])
    from django.urls import clear_url_caches

    clear_url_caches()
    person = builders.person(email=EMAIL, phone=PHONE, last_name=NAME)
    body = builders.submission(nominator=person)
    assert post("/api/nominations", body).status_code == 201
    assert post("/api/nominations", body).status_code == 409
    assert post("/api/nominations", {**body, "nominator": {**person, "email": f"{EMAIL}@"}}).status_code == 400
    assert post("/api/auth/login", {"email": EMAIL, "password": SECRET}).status_code == 401
    assert get(f"/api/nominations?q={EMAIL}", Authorization=f"Bearer {SECRET}").status_code == 401
    assert get(f"/nowhere/{EMAIL}/{PHONE}?token={SECRET}&phone=%2B447306506797").status_code == 404
    assert get(f"/explode/{EMAIL}?key={SECRET}&name={NAME}", X_Request_ID="447306506797").status_code == 500
    assert Client().post("/admin/login/", {"username": EMAIL, "password": SECRET}).status_code == 200
    get("/healthz", HOST=f"{SECRET}.example")
    builders.card(5, by=builders.customer(PHONE))
    get(f"/api/loyalty/phone-lookup?phone={PHONE}&business=corner-cafe", by=builders.superuser())
    for fault in ("reject", "server_error", "hang", None):
        loops.clear_faults()
        if fault:
            loops.set_fault(fault)
        services.record_change("resync", [EMAIL])
        Contact.objects.update(next_attempt_at=None)
        call_command("loops_drain")
    clear_url_caches()
    text = written.getvalue()
    assert [form for form in FORMS if form in text] == []
    assert {200, 201, 400, 401, 404, 409, 500} <= {line["status"] for line in requests_of(written)}
    bug = next(line for line in lines(written) if line["logger"] == "django.request")
    assert "RuntimeError: [email " in bug["exception"]
    assert "[phone]" in bug["exception"]


@pytest.mark.django_db
def test_a_request_is_one_line_without_its_query(written: StringIO) -> None:
    boss = builders.superuser()
    response = get("/api/nominations?q=quetzal", by=boss, X_Request_ID="trace-42")
    [line] = requests_of(written)
    assert response["X-Request-ID"] == "trace-42"
    assert isinstance(line.pop("ms"), int)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "message": "request",
        "level": "info",
        "logger": "laurel.requests",
        "request_id": "trace-42",
        "method": "GET",
        "path": "/api/nominations",
        "status": 200,
        "role": "superuser",
        "user": configured.REDACTOR.hash(f"user {boss.pk}"),
    }


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, EMAIL, "447306506797", "a\tb", "<script>", SECRET])
def test_an_id_that_is_none_is_replaced(sent: str) -> None:
    answered = get("/healthz", X_Request_ID=sent)["X-Request-ID"]
    assert answered != sent
    assert len(answered) == 16


def test_what_follows_in_the_same_thread_does_not_keep_the_id(written: StringIO) -> None:
    get("/healthz", X_Request_ID="trace-42")
    logging.getLogger("after").warning("later")
    assert "request_id" not in lines(written)[-1]


def test_a_worker_s_lines_name_their_task(written: StringIO) -> None:
    bind_task("django_q", task={"func": "loops_sync.tasks.sweep", "id": "4d3a2b1c4d3a2b1c4d3a2b1c4d3a2b1c"})
    logging.getLogger("django-q").error("Failed 'sweep' - %s : Traceback", EMAIL)
    get("/healthz")
    line = lines(written)[0]
    assert (line["task"], line["task_id"]) == ("loops_sync.tasks.sweep", "4d3a2b1c4d3a2b1c4d3a2b1c4d3a2b1c")
    assert line["message"] == f"Failed 'sweep' - [email {REDACTOR.hash(EMAIL)}] : Traceback"


@pytest.mark.parametrize("name", ["gunicorn.error", "django.server", "django", "axes", "py.warnings", "laurel"])
def test_every_logger_comes_through_once(written: StringIO, name: str) -> None:
    logging.getLogger(name).error("to %s", EMAIL)
    assert [line["message"] for line in lines(written)] == [f"to [email {REDACTOR.hash(EMAIL)}]"]


@pytest.mark.parametrize(
    "text",
    [
        "Took 1234567 ms at 2026-11-21T19:31:11.123456Z, or 2026-11-21 19:31:11",
        "entry 123456 of 4d3a2b1c-4d3a-4b1c-8d3a-2b1c4d3a2b1c, trace 4d3a2b1c4d3a2b1c4d3a2b1c4d3a2b1c",
        'File "/srv/laurel/loops_sync/services/delivery.py", line 123, in _deliver',
        "The token is malformed.",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    "text",
    ["+44 7306 506797", "(07306) 506-797", "07306.506.797", "0044 7306 506797", "+447306506797", "+1 202-555-0143"],
)
def test_phones_are_removed_however_they_are_written(text: str) -> None:
    assert REDACTOR.text(f"to {text}.") == "to [phone]."


def test_one_address_has_one_hash_which_the_salt_decides() -> None:
    assert REDACTOR.text(EMAIL) == REDACTOR.text(EMAIL.upper()) == REDACTOR.text(EMAIL.replace("@", "%40"))
    assert Redactor("pepper").text(EMAIL) != REDACTOR.text(EMAIL)


def test_values_go_by_their_names_too() -> None:
    given = {
        "password": "x",
        "headers": {"Authorization": "y", "Accept": "z"},
        "phone": 5,
        "tries": (1, EMAIL),
        "n": 2.5,
    }
    assert REDACTOR.value(given) == {
        "password": "[removed]",
        "headers": {"Authorization": "[removed]", "Accept": "z"},
        "phone": "[removed]",
        "tries": [1, f"[email {REDACTOR.hash(EMAIL)}]"],
        "n": 2.5,
    }


class Kept(Transport):
    """Sends nothing."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.sent: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent.append(envelope.get_event())


def test_error_reports_carry_nothing_personal() -> None:
    kept = Kept()
    options = sentry_options(REDACTOR) | {"default_integrations": False, "transport": kept}
    client = sentry_sdk.Client(dsn="http://key@127.0.0.1:9/1", **options)
    assert not client.should_send_default_pii()
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.set_user({"email": EMAIL, "ip_address": ADDRESS})
        scope.add_breadcrumb(message=f"GET /x?phone={PHONE} from {ADDRESS}", category="http")
        try:
            explode(HttpRequest())
        except RuntimeError as error:
            scope.capture_exception(error)
    client.close()
    [event] = kept.sent
    assert [form for form in (*FORMS, ADDRESS) if form in json.dumps(event)] == []
    assert event["exception"]["values"][0]["type"] == "RuntimeError"


def test_gunicorn_writes_through_the_same_handler() -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn", "--bind", f"127.0.0.1:{port}"]
    environment = {"DEBUG": "false", "LOG_LEVEL": "INFO", "SECRET_KEY": "k" * 50, "ALLOWED_HOSTS": "127.0.0.1"}
    command += ["--no-control-socket", "config.wsgi"]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        boot = [json.loads(server.stderr.readline()) for _ in range(3)]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz?email={EMAIL}", timeout=20) as answer:
            assert answer.status == 200
    finally:
        server.terminate()
        rest = server.communicate(timeout=20)[1]
    assert {line["logger"] for line in boot} == {"gunicorn.error"}
    told = [json.loads(line) for line in rest.splitlines() if line.startswith("{")]
    seen = [line for line in told if line["logger"] == "laurel.requests"]
    assert [(line["path"], line["status"]) for line in seen] == [("/healthz", 200)]
    assert EMAIL not in rest
