"""What Nango tells by itself: whether to believe it, and what it changes."""

import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django_q.models import OrmQ
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from config.sandbox.nango import Nango
from crm import services
from crm.models import Connection, Lead, SyncRun
from tests import builders
from tests.config.test_hostile import encoded, is_told, mutated
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
WEBHOOK = "/api/webhooks/nango"
SECRET = "webhooks"
BODY = (
    b'{"type":"sync","connectionId":"test-connection","providerConfigKey":"test-provider","syncName":"test-sync",'
    b'"model":"TestModel","responseResults":{"added":5,"updated":0,"deleted":0}}'
)
BODY_SIGNATURE = "ce6f82d8555253066e19ba3525ebab872d906b9f4607481a889b991b29b17b3a"


def tell(body: bytes, signature: str | None = None, secret: str = SECRET, **kwargs: Any) -> HttpResponse:
    """A webhook, signed unless a signature is given."""
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if signature is None else signature
    return post(WEBHOOK, body, **{"X-Nango-Hmac-Sha256": signed, **kwargs})


def event(**fields: Any) -> bytes:
    """As Nango writes it."""
    return json.dumps({"from": "nango", **fields}, sort_keys=True).encode()


def tasks() -> list[str]:
    """What waits in the queue."""
    return [queued.task["func"] for queued in OrmQ.objects.all()]


# --- whether to believe it ----------------------------------------------------------------------------------
def test_published_example_is_believed(settings: Settings) -> None:
    settings.NANGO_WEBHOOK_SECRET = "test-secret-key"
    assert said(tell(BODY, BODY_SIGNATURE)) == (200, {"success": True})


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0" * 64,
        BODY_SIGNATURE.upper(),
        BODY_SIGNATURE[:-1],
        f"sha256={BODY_SIGNATURE}",
        "é",
        "\xff\xfe",
        "x" * 9000,
    ],
)
def test_wrong_signature_is_refused(signature: str, settings: Settings) -> None:
    settings.NANGO_WEBHOOK_SECRET = "test-secret-key"
    assert refusal(tell(BODY, signature)) == (401, "not_authenticated")


def test_missing_signature_is_refused_whoever_asks(nango: Nango) -> None:
    assert refusal(post(WEBHOOK, BODY)) == (401, "not_authenticated")
    assert refusal(post(WEBHOOK, BODY, by=builders.superuser())) == (401, "not_authenticated")
    assert refusal(get(WEBHOOK)) == (401, "not_authenticated")
    assert refusal(post(WEBHOOK, b"{}")) == (401, "not_authenticated")


def test_body_that_was_written_anew_is_refused(nango: Nango) -> None:
    signature = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert refusal(tell(json.dumps(json.loads(BODY)).encode(), signature)) == (401, "not_authenticated")
    assert tell(BODY, signature).status_code == 200


def test_unset_secret_believes_nobody(settings: Settings) -> None:
    settings.NANGO_WEBHOOK_SECRET = ""
    assert refusal(tell(BODY, secret="")) == (401, "not_authenticated")


@pytest.mark.parametrize("body", [b"", b"{", b"nango", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000])
def test_signed_body_that_is_no_json_is_refused(body: bytes, nango: Nango) -> None:
    assert refusal(tell(body)) == (401, "not_authenticated")


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_body_over_a_megabyte_is_too_large(size: int, nango: Nango) -> None:
    assert refusal(tell(b'"' + b"x" * (size - 2) + b'"')) == (413, "too_large")


def test_webhook_asks_for_no_session_and_no_form(nango: Nango) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(builders.superuser())
    assert tell(event(type="unknown"), client=strict).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", "", "application/json; x"])
def test_bytes_count_whatever_they_are_called(content_type: str, nango: Nango) -> None:
    assert tell(event(type="unknown"), content_type=content_type).status_code == 200


# --- what it says -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [
        event(type="unknown"),
        event(type="async_action"),
        event(),
        event(type=["auth"], connectionId=[], providerConfigKey={}),
        event(type="auth", operation="creation"),
        event(type="auth", operation="deletion", connectionId="a", providerConfigKey="hubspot", success=True),
        event(type="sync", connectionId="nobody"),
        event(type="forward", connectionId="a\0b", providerConfigKey="\ud800"),
        event(type="auth", operation="creation", success=True, connectionId="a\0b", providerConfigKey="\ud800"),
        b'[{"subscriptionType":"contact.creation","portalId":1}]',
        b"null",
        b"7",
    ],
)
def test_what_is_not_for_us_is_200_and_does_nothing(body: bytes, nango: Nango) -> None:
    connection = builders.connected(nango, builders.business())
    before = Connection.objects.values().get()
    assert said(tell(body)) == (200, {"success": True})
    assert (Connection.objects.values().get(), SyncRun.objects.count()) == (before, 0)
    assert connection.is_active


@pytest.mark.parametrize("operation", ["creation", "override"])
def test_new_connection_is_looked_up_by_a_worker_and_taken_over(
    operation: str, nango: Nango, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    here = builders.business()
    connection_id = nango.connect("hubspot", tags={"organization_id": str(here.pk)})
    webhook = nango.webhook(connection_id, secret=SECRET, operation=operation)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert said(post(WEBHOOK, webhook.body, **webhook.headers)) == (200, {"success": True})
    assert (nango.requests, Connection.objects.count(), tasks()) == ([], 0, ["crm.tasks.take_over"] * 2)
    for _ in range(2):
        services.take_over(connection_id, "hubspot")
    assert Connection.objects.get().business == here


@pytest.mark.parametrize(("role", "is_taken"), [("cashier", False), ("manager", True), ("owner", True)])
def test_new_connection_is_taken_over_only_from_who_may_connect(role: str, is_taken: bool, nango: Nango) -> None:
    here = builders.business()
    by = builders.member(role, here)
    tags = {"organization_id": str(here.pk), "end_user_id": str(by.pk)}
    services.take_over(nango.connect("hubspot", tags=tags), "hubspot")
    assert [connection.by for connection in Connection.objects.all()] == [by] * is_taken


def test_failed_renewal_asks_for_a_new_sign_in(nango: Nango) -> None:
    here = builders.business()
    connection = builders.connected(nango, here)
    webhook = nango.webhook(connection.nango_connection_id, secret=SECRET, operation="refresh")
    for _ in range(2):
        assert post(WEBHOOK, webhook.body, **webhook.headers).status_code == 200
    user = builders.member("cashier", here)
    assert said(get("/api/crm/status", by=user))[1]["reconnectRequired"] is True
    assert refusal(post("/api/crm/sync", {}, by=user)) == (409, "reconnect_required")


def test_failed_renewal_with_odd_words_is_noted(nango: Nango) -> None:
    connection = builders.connected(nango, builders.business())
    failed = {"type": "auth", "operation": "refresh", "success": False, "providerConfigKey": "hubspot"}
    for words in ({"description": "a\0b\ud800" + "x" * 900}, {"description": 7}, "no", None, {"description": ["x"]}):
        body = event(**failed, connectionId=connection.nango_connection_id, error=words)
        assert tell(body).status_code == 200
    assert Connection.objects.get().reconnect_required is True


@pytest.mark.parametrize("kind", ["sync", "forward"])
def test_news_of_a_crm_are_read_by_a_worker_once(
    kind: str, nango: Nango, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    connection = builders.connected(nango, builders.business(), contacts=2)
    asked = len(nango.requests)
    webhook = nango.webhook(connection.nango_connection_id, secret=SECRET, type=kind)
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(3):
            assert said(post(WEBHOOK, webhook.body, **webhook.headers)) == (200, {"success": True})
    run = SyncRun.objects.get()
    assert (run.trigger, run.status, len(nango.requests), tasks()) == (
        "webhook",
        "queued",
        asked,
        ["crm.tasks.execute_run"],
    )
    services.execute_run(run)
    assert Lead.objects.count() == 2


def test_news_of_a_connection_that_was_parted_are_left_alone(nango: Nango) -> None:
    here = builders.business()
    connection = builders.connected(nango, here)
    webhook = nango.webhook(connection.nango_connection_id, secret=SECRET, type="sync")
    services.disconnect(here)
    assert post(WEBHOOK, webhook.body, **webhook.headers).status_code == 200
    assert SyncRun.objects.count() == 0


EVENT = {
    "type": "auth",
    "operation": "creation",
    "connectionId": "a",
    "providerConfigKey": "hubspot",
    "success": True,
    "error": {"description": "x"},
}


@trials(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["auth", "sync", "forward"]), success=st.booleans())
def test_hostile_event_is_never_500(data: st.DataObject, kind: str, success: bool, nango: Nango) -> None:
    known = builders.connection(builders.business(str(uuid4())))
    sent = {**EVENT, "connectionId": known.nango_connection_id, "type": kind, "success": success}
    body = encoded(data.draw(mutated(sent)))
    assert is_told(tell(body))
