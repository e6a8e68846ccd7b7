"""What is said to leads, and the threads that it makes, through the API."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import Lead, Message, User
from tests import builders
from tests.door import get, post, refusal, said, send

pytestmark = pytest.mark.django_db
THREADS = "/api/threads"
ROW = "lead name phone owner crm_status description last_message last_message_at contacted opted_out".split()


@pytest.fixture
def cashier() -> User:
    """The least of a business's members."""
    return builders.member("cashier", builders.business())


def written(moment: datetime) -> str:
    """As JSON has it."""
    return moment.isoformat().replace("+00:00", "Z")


def say(lead: Lead, by: User, **fields: Any) -> tuple[int, Any]:
    """Status and body of a message that was noted."""
    sent = {"direction": "outbound", "channel": "sms", "body": "Hi", **fields}
    return said(post(f"/api/leads/{lead.pk}/messages", sent, by=by))


def bodies(lead: Lead, by: User, query: str = "") -> list[str]:
    """The messages of a lead, in the order of the list."""
    return [row["body"] for row in said(get(f"/api/leads/{lead.pk}/messages?{query}", by=by))[1]["results"]]


def threads(by: User, query: str = "") -> list[str]:
    """The names of the threads, in the order of the list."""
    status, body = said(get(f"{THREADS}?{query}", by=by))
    assert status == 200
    return [row["name"] for row in body["results"]]


# --- messages ------------------------------------------------------------------------------------------------------
def test_message_is_noted_and_answered(cashier: User) -> None:
    lead = builders.lead()
    at = timezone.now().replace(microsecond=0) - timedelta(days=1)
    status, body = say(lead, cashier, channel="email", body=" Hello \n", sent_at=at.isoformat())
    message = Message.objects.get()
    assert (status, body) == (
        201,
        {
            "id": str(message.pk),
            "direction": "outbound",
            "channel": "email",
            "body": "Hello",
            "sent_at": written(at),
            "created_at": written(message.created_at),
        },
    )
    assert (message.lead, message.by) == (lead, cashier)


def test_message_is_sent_now_unless_said(cashier: User) -> None:
    before = timezone.now()
    say(builders.lead(), cashier)
    assert before <= Message.objects.get().sent_at <= timezone.now()


def test_contacted_means_that_something_was_sent(cashier: User) -> None:
    lead = builders.lead()
    say(lead, cashier, direction="inbound")
    assert said(get(f"/api/leads/{lead.pk}", by=cashier))[1]["contacted"] is False
    say(lead, cashier, direction="outbound")
    say(lead, cashier, direction="inbound")
    assert said(get(f"/api/leads/{lead.pk}", by=cashier))[1]["contacted"] is True


def test_lead_shows_the_message_that_was_sent_last_whatever_was_noted_last(cashier: User) -> None:
    lead, now = builders.lead(), timezone.now()
    for body, days in (("old", 3), ("last", 1), ("older", 5)):
        say(lead, cashier, body=body, sent_at=(now - timedelta(days=days)).isoformat())
    row = said(get(f"/api/leads/{lead.pk}", by=cashier))[1]
    assert (row["last_message"], row["last_message_at"]) == ("last", written(now - timedelta(days=1)))


def test_messages_are_listed_newest_first_unless_asked_otherwise(cashier: User) -> None:
    lead, now = builders.lead(), timezone.now()
    for body, days in (("second", 2), ("third", 1), ("first", 3)):
        say(lead, cashier, body=body, sent_at=(now - timedelta(days=days)).isoformat())
    say(builders.lead(), cashier, body="of somebody else")
    assert bodies(lead, cashier) == ["third", "second", "first"]
    assert bodies(lead, cashier, "ordering=surprise") == ["third", "second", "first"]
    assert bodies(lead, cashier, "ordering=sent_at") == ["first", "second", "third"]
    assert bodies(lead, cashier, "page_size=1") == ["third"]
    assert said(get(f"/api/leads/{lead.pk}/messages", by=cashier))[1]["count"] == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("direction", "sideways"),
        ("channel", "fax"),
        ("body", ""),
        ("body", "x" * 5001),
        ("sent_at", "yesterday"),
        ("sent_at", "9999-12-31T23:59:59Z"),
        ("surprise", 1),
    ],
)
def test_wrong_message_is_named_and_changes_nothing(field: str, value: Any, cashier: User) -> None:
    lead = builders.lead()
    status, body = say(lead, cashier, **{field: value})
    assert (status, list(body)) == (400, [field])
    assert (Message.objects.count(), Lead.objects.get().contacted) == (0, False)


def test_message_says_which_way_how_and_what(cashier: User) -> None:
    status, body = said(post(f"/api/leads/{builders.lead().pk}/messages", {}, by=cashier))
    assert (status, sorted(body)) == (400, ["body", "channel", "direction"])


def test_messages_are_neither_changed_nor_deleted(cashier: User) -> None:
    path = f"/api/leads/{builders.lead().pk}/messages"
    for method in ("PUT", "PATCH", "DELETE"):
        assert refusal(send(method, path, {}, by=cashier)) == (405, "method_not_allowed")


# --- threads -------------------------------------------------------------------------------------------------------
def test_thread_tells_who_it_is_and_what_was_said_last(cashier: User) -> None:
    lead = builders.lead(
        name="Ann Other",
        phone="+447306506797",
        crm_owner="Olive",
        crm_status="Open",
        crm_description="Called twice.",
        opted_out=True,
    )
    at = timezone.now() - timedelta(minutes=1)
    say(lead, cashier, body="Hello", sent_at=at.isoformat())
    (row,) = said(get(THREADS, by=cashier))[1]["results"]
    assert list(row) == ROW
    assert row == {
        "lead": str(lead.pk),
        "name": "Ann Other",
        "phone": "+447306506797",
        "owner": "Olive",
        "crm_status": "Open",
        "description": "Called twice.",
        "last_message": "Hello",
        "last_message_at": written(at),
        "contacted": True,
        "opted_out": True,
    }


def test_threads_stand_newest_first_by_last_message_or_creation(cashier: User) -> None:
    now = timezone.now()
    for name, created, spoken in (("A", 9, 1), ("B", 2, None), ("C", 9, 3), ("D", 9, None)):
        at = {} if spoken is None else {"last_message_at": now - timedelta(days=spoken)}
        builders.lead(name=name, created_at=now - timedelta(days=created), **at)
    assert threads(cashier) == ["A", "B", "C", "D"]
    assert threads(cashier, "ordering=name") == ["A", "B", "C", "D"]


def test_phone_has_one_thread_with_the_lead_last_spoken_with(cashier: User) -> None:
    now, phone = timezone.now(), "+447306506797"
    for name, days in (("Old", 3), ("Last", 1), ("Older", 5)):
        builders.lead(name=name, phone=phone, last_message_at=now - timedelta(days=days))
    builders.lead(builders.business("elsewhere"), name="Foreign", phone=phone)
    builders.lead(name="Other", phone="+447811000000", created_at=now - timedelta(days=2))
    assert threads(cashier) == ["Last", "Other"]
    assert said(get(THREADS, by=cashier))[1]["count"] == 2


def test_leads_without_a_phone_have_a_thread_each(cashier: User) -> None:
    for name in ("Ann", "Bob"):
        builders.lead(name=name)
    assert threads(cashier) == ["Bob", "Ann"]


def test_leads_that_the_crm_lost_have_no_thread(cashier: User) -> None:
    phone = "+447306506797"
    builders.lead(name="Here", phone=phone)
    builders.lead(name="Gone", phone=phone, crm_id="7", crm_deleted_at=timezone.now())
    assert threads(cashier) == ["Here"]


def test_threads_are_searched_as_leads_are(cashier: User) -> None:
    builders.lead(name="John Smith", phone="+447306506797")
    builders.lead(name="Ann Other", phone="+447811000000")
    assert threads(cashier, "q=smi") == ["John Smith"]
    assert threads(cashier, "q=07811%20000000") == ["Ann Other"]


def test_threads_ask_the_same_number_of_questions_for_one_row_and_for_many(
    cashier: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client, lead = builders.logged_in(cashier), builders.lead(phone="+447306506797")
    for count in (1, 30):
        while Message.objects.count() < count:
            builders.lead()
            say(lead, cashier)
        with django_assert_num_queries(5):
            assert get(f"{THREADS}?page_size=100", client=client).status_code == 200
        with django_assert_num_queries(5):
            assert get(f"/api/leads/{lead.pk}/messages?page_size=100", client=client).status_code == 200
