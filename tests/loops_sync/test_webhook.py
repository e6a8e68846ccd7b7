"""What Loops tells by itself: whether to believe it, what it changes, and that its order does not matter."""

import hmac
import json
import random
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.sandbox import RunningSandbox
from loops_sync import services
from loops_sync.checks import loops_settings
from loops_sync.models import Contact, OutboxEntry, WebhookEvent
from nominations import services as awards
from tests import builders
from tests.config.test_hostile import encoded, is_told, mutated
from tests.door import get, post, refusal, said
from tests.loops_sync.test_races import in_threads

pytestmark = pytest.mark.django_db
WEBHOOK = "/api/webhooks/loops"
SECRET = "whsec_" + b64encode(b"a key of Loops' own").decode()
DONE = (200, {"success": True})
REFUSED = (401, "not_authenticated")
EMAIL = "ada@example.org"


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.LOOPS_WEBHOOK_SECRET = SECRET


def signature(body: bytes, webhook_id: str, at: str, secret: str = SECRET) -> str:
    """By the recipe of Standard Webhooks."""
    key = b64decode(secret.removeprefix("whsec_"))
    return "v1," + b64encode(hmac.new(key, f"{webhook_id}.{at}.".encode() + body, sha256).digest()).decode()


def headers(body: bytes, webhook_id: str = "", *, age: int = 0, secret: str = SECRET) -> dict[str, str]:
    """Those of a delivery, signed so many seconds ago."""
    webhook_id, at = webhook_id or f"msg_{uuid4()}", str(int(timezone.now().timestamp()) - age)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": at,
        "webhook-signature": signature(body, webhook_id, at, secret),
    }


def event(name: str, email: str = EMAIL, at: float | None = None, **fields: Any) -> bytes:
    """As Loops writes it."""
    identity = {"id": "cl1", "email": email, "userId": None}
    seconds = int(timezone.now().timestamp() if at is None else at)
    body = {"eventName": name, "eventTime": seconds, "webhookSchemaVersion": "1.0.0", "contactIdentity": identity}
    return json.dumps({**body, **fields}).encode()


def tell(body: bytes, webhook_id: str = "", *, age: int = 0, secret: str = SECRET, **kwargs: Any) -> HttpResponse:
    """A delivery."""
    return post(WEBHOOK, body, **{**headers(body, webhook_id, age=age, secret=secret), **kwargs})


def state_of(email: str = EMAIL) -> tuple[str, bool, bool]:
    """Subscription, whether deleted, whether bounced."""
    contact = Contact.objects.get(email=email)
    return contact.subscription, contact.deleted_at is not None, contact.bounced_at is not None


# --- whether to believe it ----------------------------------------------------------------------------------
def test_any_of_several_signatures_may_be_the_right_one() -> None:
    body = event("contact.unsubscribed")
    sent = headers(body)
    sent["webhook-signature"] = f"v1,bm9uZQ== v2,x {sent['webhook-signature']} v1a,zz"
    assert said(post(WEBHOOK, body, **sent)) == DONE
    assert state_of() == ("unsubscribed", False, False)


@pytest.mark.parametrize("age", [-299, 0, 299])
def test_delivery_within_five_minutes_is_believed(age: int) -> None:
    assert said(tell(event("contact.unsubscribed"), age=age)) == DONE


@pytest.mark.parametrize("age", [-302, 302, 86_400, -86_400])
def test_delivery_beyond_five_minutes_is_refused(age: int) -> None:
    assert refusal(tell(event("contact.unsubscribed"), age=age)) == REFUSED
    assert not Contact.objects.exists()


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing: str) -> None:
    body = event("contact.unsubscribed")
    sent = headers(body)
    del sent[missing]
    assert refusal(post(WEBHOOK, body, **sent)) == REFUSED
    assert refusal(post(WEBHOOK, body, by=builders.superuser(), **sent)) == REFUSED


@pytest.mark.parametrize("given", ["", "x" * 256, "a\x7fb", "é", "a\tb"])
def test_id_that_cannot_be_kept_is_refused(given: str) -> None:
    body, at = b"{}", str(int(time.time()))
    sent = {"webhook-id": given, "webhook-timestamp": at, "webhook-signature": signature(body, given, at)}
    assert refusal(post(WEBHOOK, body, **sent)) == REFUSED


@pytest.mark.parametrize("at", ["", "soon", "-1", "1e9", "１２", "9" * 400, "1700000000.5", "٣"])
def test_odd_time_is_refused(at: str) -> None:
    sent = {"webhook-id": "a", "webhook-timestamp": at, "webhook-signature": signature(b"{}", "a", at)}
    assert refusal(post(WEBHOOK, b"{}", **sent)) == REFUSED


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_?", "whsec_é", "whsec_YQ"])
def test_unset_or_broken_secret_believes_nobody(secret: str, settings: Settings) -> None:
    settings.LOOPS_WEBHOOK_SECRET = secret
    assert refusal(tell(event("contact.unsubscribed"), secret="")) == REFUSED
    wrong = [message.id for message in loops_settings(None) if message.id == "loops_sync.E003"]
    assert wrong == ["loops_sync.E003"] * bool(secret)


def test_nango_s_and_another_s_secret_are_refused() -> None:
    other = "whsec_" + b64encode(b"other").decode()
    assert refusal(tell(event("contact.unsubscribed"), secret=other)) == REFUSED


@pytest.mark.parametrize("body", [b"", b"{", b"loops", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 9000])
def test_signed_body_that_is_no_json_is_a_bad_request(body: bytes) -> None:
    assert refusal(tell(body)) == (400, "bad_request")


def test_body_over_a_megabyte_is_too_large() -> None:
    assert refusal(tell(b'"' + b"x" * 1024 * 1024 + b'"')) == (413, "too_large")


def test_webhook_asks_for_no_session_and_no_form() -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(builders.superuser())
    assert tell(event("contact.unsubscribed"), client=strict, content_type="text/plain").status_code == 200
    assert refusal(get(WEBHOOK)) == REFUSED


# --- what it says -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("contact.unsubscribed", ("unsubscribed", False, False)),
        ("email.unsubscribed", ("unsubscribed", False, False)),
        ("email.spamReported", ("unsubscribed", False, False)),
        ("email.resubscribed", ("subscribed", False, False)),
        ("contact.deleted", ("unknown", True, False)),
        ("email.hardBounced", ("unknown", False, True)),
    ],
)
def test_event_changes_the_state_and_nothing_else(name: str, state: tuple[str, bool, bool]) -> None:
    builders.submitted(by=builders.person(email=EMAIL))
    entries = OutboxEntry.objects.count()
    assert said(tell(event(name, "Ada@Example.org", 1_700_000_000))) == DONE
    assert state_of() == state
    seen = WebhookEvent.objects.get()
    assert (seen.name, seen.contact.email, seen.occurred_at.timestamp()) == (name, EMAIL, 1_700_000_000)
    assert (OutboxEntry.objects.count(), Contact.objects.count()) == (entries, 1)


@pytest.mark.parametrize(
    "body",
    [
        event("contact.created"),
        event("contact.mailingList.subscribed"),
        event("email.softBounced"),
        event("email.delivered"),
        event("contact.somethingNew"),
        event("contact.unsubscribed", "no address"),
        event("contact.unsubscribed", contactIdentity=None),
        event("contact.deleted", contactIdentity={"userId": str(uuid4())}),
        event("contact.deleted", contactIdentity={"email": ["a"], "userId": {"a": 1}}),
        event("contact.deleted", "a\0b@example.org"),
        event("contact.deleted", "\ud800@example.org"),
        event("contact.deleted", "x" * 400 + "@example.org"),
        event("contact.deleted", eventName=["contact.deleted"]),
        b'{"eventName": "testing.testEvent", "message": "test"}',
        b"[]",
        b"null",
        b"7",
        b"NaN",
    ],
)
def test_what_says_nothing_of_a_contact_is_200_and_does_nothing(body: bytes) -> None:
    builders.submitted(by=builders.person(email=EMAIL))
    before = list(Contact.objects.values())
    assert said(tell(body)) == DONE
    assert list(Contact.objects.values()) == before
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "seconds", [None, "soon", True, -1, 10**30, float("nan"), 1_700_000_000_000, [], "1700000000"]
)
def test_event_without_a_usable_time_happened_when_it_was_sent(seconds: Any) -> None:
    assert said(tell(event("contact.unsubscribed", eventTime=seconds))) == DONE
    at = Contact.objects.get().subscription_at
    assert at is not None
    assert abs(timezone.now() - at) < timedelta(seconds=10)


def test_contact_whose_address_was_changed_at_loops_is_known_by_our_id() -> None:
    builders.submitted(by=builders.person(email=EMAIL))
    identity = {"id": "cl1", "email": "new@example.org", "userId": str(Contact.objects.get().pk)}
    assert said(tell(event("contact.unsubscribed", contactIdentity=identity))) == DONE
    assert state_of() == ("unsubscribed", False, False)
    assert Contact.objects.count() == 1


def test_delivery_counts_once() -> None:
    tell(event("contact.unsubscribed", at=1_700_000_000), "msg_1")
    Contact.objects.update(subscription="unknown", subscription_at=None)
    assert said(tell(event("contact.unsubscribed", at=1_700_000_000), "msg_1")) == DONE
    assert said(tell(event("contact.deleted", at=1_700_000_000), "msg_1")) == DONE
    assert state_of() == ("unknown", False, False)
    assert WebhookEvent.objects.count() == 1


def test_ids_are_forgotten_after_a_month() -> None:
    tell(event("contact.unsubscribed"), "old")
    tell(event("contact.unsubscribed"), "new")
    WebhookEvent.objects.filter(webhook_id="old").update(received_at=timezone.now() - timedelta(days=31))
    services.purge_old()
    assert [row.webhook_id for row in WebhookEvent.objects.all()] == ["new"]


@pytest.mark.postgres
def test_one_delivery_in_many_hands_counts_once(really_committed: None, settings: Settings) -> None:
    body = event("contact.unsubscribed")
    sent = headers(body, "msg_1")
    answers: list[int] = []
    in_threads(8, lambda: answers.append(post(WEBHOOK, body, **sent).status_code))
    assert answers == [200] * 8
    assert (WebhookEvent.objects.count(), Contact.objects.count(), state_of()[0]) == (1, 1, "unsubscribed")


@trials(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["contact.deleted", "contact.unsubscribed", "email.hardBounced"]))
def test_hostile_event_is_never_500(data: st.DataObject, name: str) -> None:
    sent = json.loads(event(name))
    body = encoded(data.draw(mutated(sent)))
    assert is_told(tell(body))


# --- what follows from it -----------------------------------------------------------------------------------
def test_nothing_puts_an_unsubscribed_contact_on_a_list(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_LISTS = {**settings.LOOPS_LISTS, "nominator": "list_nominators", "voter": "list_voters"}
    nomination = builders.submitted(by=builders.person(email=EMAIL))
    tell(event("contact.unsubscribed"))
    services.drain()
    builders.vote(builders.approved(), email=EMAIL)
    nomination.nominator.company = "Acme"
    nomination.nominator.save()
    services.drain()
    mine = [seen.body for seen in loops.requests if seen.email == EMAIL]
    assert len(mine) == 2
    for body in mine:
        assert "subscribed" not in body
        assert True not in body.get("mailingLists", {}).values()


def test_deleted_contact_is_not_made_anew_by_later_facts(loops: RunningSandbox) -> None:
    nomination = builders.submitted(by=builders.person(email=EMAIL))
    services.drain()
    loops.act(EMAIL, "delete")
    tell(event("contact.deleted"))
    tell(event("contact.unsubscribed"))
    awards.approve_nomination(nomination, by=builders.superuser())
    builders.vote(nomination, email=EMAIL)
    services.record_change("backfill", [EMAIL])
    services.drain()
    assert loops.contact(EMAIL) is None
    mine = OutboxEntry.objects.filter(contact__email=EMAIL).order_by("id")
    assert [(row.status, row.outcome) for row in mine][1:] == [
        ("done", "coalesced"),
        ("done", "coalesced"),
        ("done", "discarded"),
    ]
    assert mine[3].last_error == "Discarded: this contact was deleted at Loops, and is not made anew."
    assert {check.name: check.state for check in services.verify(remote=True)}["remote"] == "ok"
    assert services.queue_missed_approvals().queued == 0


def test_echo_of_our_own_write_sends_nothing(loops: RunningSandbox) -> None:
    builders.submitted(by=builders.person(email=EMAIL))
    services.drain()
    asked = len(loops.requests)
    for name in ("contact.created", "contact.mailingList.subscribed", "contact.unsubscribed"):
        tell(event(name))
    services.drain()
    assert len(loops.requests) == asked


def test_what_a_person_does_at_the_sandbox_arrives(
    live_server: LiveServer, really_committed: None, loops: RunningSandbox
) -> None:
    builders.submitted(by=builders.person(email=EMAIL))
    services.drain()
    loops.set_webhook(f"{live_server.url}{WEBHOOK}", SECRET)
    for action, state in (
        ("unsubscribe", ("unsubscribed", False, False)),
        ("bounce", ("unsubscribed", False, True)),
        ("delete", ("unsubscribed", True, True)),
    ):
        assert loops.act(EMAIL, action) == [200, 200]
        assert state_of() == state
    assert loops.contact(EMAIL) is None
    loops.set_webhook("", "")


# --- R7: order ----------------------------------------------------------------------------------------------
NAMES = ("contact.unsubscribed", "email.resubscribed", "contact.deleted", "email.hardBounced", "contact.created")


def shuffled_deliveries(count: int, people: int, seed: int) -> None:
    """Shuffled, 30 % doubled, 10 % stale: the state is that of an orderly replay of what was believed."""
    draw, now = random.Random(seed), int(timezone.now().timestamp())
    facts = [
        (now - draw.randrange(3600), draw.choice(NAMES), f"person{draw.randrange(people)}@example.org")
        for _ in range(count)
    ]
    stale = set(draw.sample(range(count), count // 10))
    deliveries = list(range(count)) + draw.sample(range(count), count * 3 // 10)
    draw.shuffle(deliveries)
    for number in deliveries:
        at, name, email = facts[number]
        answer = tell(event(name, email, at), f"msg_{number}", age=400 if number in stale else 0)
        assert answer.status_code == (401 if number in stale else 200)

    replayed: dict[str, dict[str, Any]] = {}
    believed = [fact for number, fact in enumerate(facts) if number not in stale and fact[1] != "contact.created"]
    for at, name, email in sorted(believed, key=lambda fact: (fact[0], fact[1] == "contact.unsubscribed")):
        row = replayed.setdefault(email, {"subscription": "unknown", "at": None, "deleted": None, "bounced": None})
        moment = datetime.fromtimestamp(at, UTC)
        if name in ("contact.unsubscribed", "email.resubscribed"):
            row |= {"subscription": "unsubscribed" if "un" in name else "subscribed", "at": moment}
        else:
            row["deleted" if name == "contact.deleted" else "bounced"] = moment
    held = {
        row.email: {
            "subscription": row.subscription,
            "at": row.subscription_at,
            "deleted": row.deleted_at,
            "bounced": row.bounced_at,
        }
        for row in Contact.objects.all()
    }
    assert held == replayed


def test_order_of_arrival_does_not_matter() -> None:
    shuffled_deliveries(400, 20, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_ten_thousand_deliveries_does_not_matter(seed: int) -> None:
    shuffled_deliveries(10_000, 300, seed=seed)


# --- S7: what was tampered with -----------------------------------------------------------------------------
def tampered(draw: random.Random, body: bytes, sent: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """The delivery with one thing changed."""
    kind = draw.choice(["body", "webhook-id", "webhook-timestamp", "webhook-signature", "missing", "shift", "swap"])
    changed = dict(sent)
    if kind == "body":
        place = draw.randrange(len(body))
        one = bytes([draw.randrange(256)])
        return draw.choice(
            [body[:place] + one + body[place + 1 :], body[:place] + body[place + 1 :], body + one]
        ), sent
    if kind == "missing":
        del changed[draw.choice(sorted(changed))]
    elif kind == "shift":
        changed["webhook-timestamp"] = str(int(sent["webhook-timestamp"]) + draw.choice([-1, 1, 200, -200]))
    elif kind == "swap":
        wrong = [signature(body + b" ", sent["webhook-id"], sent["webhook-timestamp"])[3:], "", "=", "A" * 44, "v1"]
        changed["webhook-signature"] = draw.choice(["v1,", "v2,", "v1", "", "v1=", "whsec_"]) + draw.choice(wrong)
    else:
        text = sent[kind]
        place = draw.randrange(len(text))
        letter = draw.choice("aZ09+/=,. -é\x00\x7f\ud800")
        changed[kind] = draw.choice([text[:place] + letter + text[place + 1 :], text[:place] + text[place + 1 :]])
    return body, changed


def deliver_tampered(count: int, seed: int) -> None:
    """None of them is believed, and none breaks anything."""
    draw, body = random.Random(seed), event("contact.deleted")
    for number in range(count):
        sent = headers(body, f"msg_{number}")
        mutant, given = tampered(draw, body, sent)
        if (mutant, given) == (body, sent):
            continue
        # What no server lets through, such as a lone surrogate in a header, is a 400 before anybody looks.
        assert refusal(post(WEBHOOK, mutant, **given)) in (REFUSED, (400, "bad_request")), (mutant, given)
    assert not Contact.objects.exists()


def test_tampered_delivery_is_never_believed() -> None:
    deliver_tampered(2_000, seed=11)


@pytest.mark.slow
def test_a_hundred_thousand_tampered_deliveries_are_never_believed() -> None:
    deliver_tampered(100_000, seed=12)
