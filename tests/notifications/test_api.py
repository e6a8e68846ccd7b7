"""What a login is told through the API: its own, once read always read, and 304 while nothing is new."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from loyalty.models import Customer
from loyalty.services.telling import CUSTOMER_TYPES
from notifications import services
from notifications.models import Change, Notification
from tests import builders
from tests.door import get, post, refusal, said, send
from tests.notifications.people import asked, customer_with_login, listed, told

pytestmark = pytest.mark.django_db
LIST = "/api/notifications"
SHAPE = [
    *("id", "type", "title", "message", "data", "reference_id", "requires_action", "created_at", "read_at"),
    *("acted_at", "expires_at", "customer", "business", "approval"),
]


def titles(by: User, **query: str) -> list[str]:
    return [row["title"] for row in listed(by, **query)["results"]]


def test_notification_has_the_shape_of_the_contract() -> None:
    customer, user = customer_with_login()
    request = asked(customer)
    page = listed(user)
    assert sorted(page) == ["count", "next", "previous", "results", "unread_count"]
    row = page["results"][0]
    assert list(row) == SHAPE
    assert (row["type"], row["requires_action"]) == ("enrollment_requested", True)
    assert (row["customer"], row["business"]) == (str(customer.pk), None)
    assert row["approval"] == {"id": str(request.pk), "kind": "test", "status": "pending"}
    assert row["expires_at"].endswith("Z")


def test_login_sees_what_it_is_told_as_a_customer_and_as_a_member_and_nothing_else() -> None:
    customer, user = customer_with_login()
    here = builders.business("here")
    told("mine", customer=customer.pk)
    told("ours", business=here.pk)
    told("theirs", business=builders.business("there").pk)
    told("another's", customer=builders.customer().pk)
    assert titles(user) == ["mine"]
    assert titles(builders.member("cashier", here)) == ["ours"]
    here.memberships.create(user=user, role="cashier")
    assert titles(user) == ["ours", "mine"]


def test_who_is_neither_customer_nor_member_has_an_empty_list() -> None:
    told("theirs", business=builders.business().pk)
    for user in (builders.superuser(), builders.staff(), builders.plain_user()):
        assert listed(user) == {"count": 0, "next": None, "previous": None, "results": [], "unread_count": 0}
        assert said(get("/api/changes", by=user)) == (200, {"cursor": "0.0", "changes": []})
    assert refusal(get(LIST)) == (401, "not_authenticated")


def test_list_is_narrowed_and_paged() -> None:
    customer, user = customer_with_login()
    for title in ("one", "two", "three"):
        told(title, customer=customer.pk, type="points_earned" if title == "two" else "qr_scanned")
    services.read_notification(Notification.objects.get(title="three"))
    assert titles(user) == ["three", "two", "one"]
    assert titles(user, unread="true") == ["two", "one"]
    assert titles(user, unread="") == titles(user, unread="false") == ["three", "two", "one"]
    assert titles(user, type="points_earned") == ["two"]
    assert titles(user, type="nothing_such") == []
    assert titles(user, q="t") == ["three", "two"]
    assert titles(user, ordering="created_at") == ["one", "two", "three"]
    page = listed(user, page="2", page_size="2", unread="false")
    assert (page["count"], page["unread_count"], len(page["results"]), page["next"]) == (3, 2, 1, None)
    assert refusal(get(f"{LIST}?page=3&page_size=2", by=user)) == (404, "not_found")
    assert said(get(f"{LIST}?unread=perhaps", by=user)) == (400, {"unread": ["Must be a valid boolean."]})


@pytest.mark.parametrize("rows", [1, 30])
def test_list_asks_the_same_for_one_row_and_for_many(
    rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer, user = customer_with_login()
    for _ in range(rows):
        asked(customer)
    client = builders.logged_in(user)
    with django_assert_num_queries(6):  # session, user, scope, count, page, unread
        assert len(json.loads(client.get(LIST).content)["results"]) == min(rows, 25)


# --- Nothing new -----------------------------------------------------------------------------------------------------


def again(client: Client, tag: str, query: str = "") -> Any:
    return client.get(LIST + query, headers={"If-None-Match": tag})


def test_unchanged_list_is_a_304_for_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    customer, user = customer_with_login()
    for slug in ("here", "there"):
        builders.business(slug).memberships.create(user=user, role="owner")
    told("mine", customer=customer.pk)
    client = builders.logged_in(user)
    first = client.get(LIST)
    with django_assert_num_queries(3):  # session, user, scope
        answer = again(client, first["ETag"])
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", first["ETag"])
    assert {first["Cache-Control"], answer["Cache-Control"]} == {"private, no-cache"}


def test_etag_is_compared_as_readers_do() -> None:
    customer, user = customer_with_login()
    client = builders.logged_in(user)
    tag = client.get(LIST)["ETag"]
    assert tag.startswith('W/"')
    for sent in (tag, tag.removeprefix("W/"), "*", f'"other", {tag}', f'W/"x",{tag} , "y"'):
        assert again(client, sent).status_code == 304, sent
    for sent in ('"other"', "", tag.strip('W/"'), f'"{tag}"'):
        assert again(client, sent).status_code == 200, sent


def test_etag_is_of_the_reader_and_of_what_was_asked() -> None:
    customer, user = customer_with_login()
    here = builders.business("here")
    one, other = builders.member("cashier", here), builders.member("cashier", here)
    tags = [get(LIST + query, by=one)["ETag"] for query in ("", "?page=1", "?unread=true", "?type=a", "?type=a&q=b")]
    tags += [get(LIST, by=by)["ETag"] for by in (other, user)]
    assert len(set(tags)) == len(tags)


def test_whatever_changes_the_list_changes_the_etag() -> None:
    customer, user = customer_with_login()
    here = builders.business("here")
    client = builders.logged_in(user)
    tags = [client.get(LIST)["ETag"]]

    def is_new() -> bool:
        answer = again(client, tags[-1])
        tags.append(answer["ETag"])
        return bool(answer.status_code == 200)

    first = told("one", customer=customer.pk)
    assert is_new()
    services.read_notification(first)
    assert is_new()
    request = asked(customer)
    assert is_new()
    services.answer_request(request, accept=True, by=user)
    assert is_new()
    here.memberships.create(user=user, role="cashier")
    assert is_new()
    told("two", business=here.pk)
    assert is_new()
    told("another's", customer=builders.customer().pk)
    assert not is_new()
    services.read_notification(first)
    assert not is_new()


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_reading_is_remembered_from_the_first_time_on() -> None:
    customer, user = customer_with_login()
    path = f"{LIST}/{told('one', customer=customer.pk).pk}/read"
    status, first = said(post(path, by=user))
    assert (status, list(first)) == (200, SHAPE)
    assert first["read_at"] is not None
    assert said(post(path, by=user)) == (200, first)
    assert listed(user)["unread_count"] == 0


def test_reading_anothers_is_reading_what_is_missing() -> None:
    customer, user = customer_with_login()
    theirs = told("theirs", customer=builders.customer().pk)
    for id in (theirs.pk, uuid4()):
        assert refusal(post(f"{LIST}/{id}/read", by=user)) == (404, "not_found")
    theirs.refresh_from_db()
    assert theirs.read_at is None


def test_all_are_read_at_once_and_each_is_a_change() -> None:
    customer, user = customer_with_login()
    here = builders.business("here")
    here.memberships.create(user=user, role="cashier")
    mine = [told("one", customer=customer.pk).pk, told("two", business=here.pk).pk]
    theirs = told("theirs", customer=builders.customer().pk)
    cursor = said(get("/api/changes", by=user))[1]["cursor"]
    assert said(post(f"{LIST}/read-all", by=user)) == (200, {"read": 2, "unread_count": 0})
    assert said(post(f"{LIST}/read-all", by=user)) == (200, {"read": 0, "unread_count": 0})
    changes = said(get(f"/api/changes?after={cursor}", by=user))[1]["changes"]
    assert {change["id"] for change in changes} == {str(pk) for pk in mine}
    theirs.refresh_from_db()
    assert theirs.read_at is None


# --- Answering -------------------------------------------------------------------------------------------------------


def respond(notification: Notification, by: User, body: Any = None) -> Any:
    return post(f"{LIST}/{notification.pk}/respond", {"decision": "accept"} if body is None else body, by=by)


def test_answer_is_taken_once() -> None:
    customer, user = customer_with_login()
    request = asked(customer)
    status, row = said(respond(request.notification, user, {"decision": "decline"}))
    assert (status, row["approval"]["status"]) == (200, "declined")
    assert row["acted_at"] is not None
    assert row["read_at"] is not None
    for decision in ("decline", "accept"):
        again = respond(request.notification, user, {"decision": decision})
        assert refusal(again) == (409, "already_answered")
    assert listed(user)["results"] == [row]


def test_answer_after_time_is_late_whether_or_not_a_worker_has_looked() -> None:
    customer, user = customer_with_login()
    request = asked(customer, days=-1)
    assert refusal(respond(request.notification, user)) == (409, "expired")
    assert services.expire_requests() == 1
    assert refusal(respond(request.notification, user)) == (409, "expired")
    assert listed(user)["results"][0]["approval"]["status"] == "expired"


def test_only_the_customer_answers_and_only_questions() -> None:
    customer, user = customer_with_login()
    here = builders.business("corner-cafe")
    member = builders.member("owner", here)
    plain, ours, request = told("a", customer=customer.pk), told("b", business=here.pk), asked(customer)
    assert refusal(respond(plain, user)) == (409, "not_a_question")
    assert refusal(respond(ours, member)) == (403, "permission_denied")
    for by in (member, builders.superuser(), customer_with_login()[1]):
        assert refusal(respond(request.notification, by)) == (404, "not_found")
    status, body = said(respond(request.notification, user, {"decision": "perhaps"}))
    assert (status, list(body)) == (400, ["decision"])
    assert said(respond(request.notification, user, {"decision": "accept", "x": 1})) == (
        400,
        {"x": ["Unknown field."]},
    )
    request.refresh_from_db()
    assert request.status == "pending"


# --- Preferences -----------------------------------------------------------------------------------------------------

PREFERENCES = f"{LIST}/preferences"


def put(by: User, body: Any) -> tuple[int, Any]:
    return said(send("PUT", PREFERENCES, body, by=by))


def test_preferences_keep_what_is_not_mentioned() -> None:
    _customer, user = customer_with_login()
    known = {"in_app": True, "email": False, "kinds": dict.fromkeys(CUSTOMER_TYPES, True)}
    assert said(get(PREFERENCES, by=user)) == (200, known)
    known["email"] = True
    assert put(user, {"email": True}) == (200, known)
    known["kinds"] = {**dict.fromkeys(CUSTOMER_TYPES, True), "qr_scanned": False}
    assert put(user, {"kinds": {"qr_scanned": False}}) == (200, known)
    known["kinds"] = {**known["kinds"], "points_earned": False}  # type: ignore[dict-item]
    assert put(user, {"kinds": {"points_earned": False}, "in_app": True}) == (200, known)
    assert put(user, {}) == (200, known)
    assert said(get(PREFERENCES, by=user)) == (200, known)


def test_preferences_refuse_what_they_do_not_know() -> None:
    _customer, user = customer_with_login()
    assert put(user, {"kinds": {"enrollment_requested": False}}) == (400, {"kinds": ["Unknown: enrollment_requested"]})
    assert put(user, {"sms": True}) == (400, {"sms": ["Unknown field."]})
    bodies: list[Any] = [{"in_app": None}, {"email": "perhaps"}, {"kinds": []}, {"kinds": {"qr_scanned": 5}}]
    for body in bodies:
        assert put(user, body)[0] == 400
    assert refusal(get(PREFERENCES, by=builders.superuser())) == (403, "permission_denied")
    assert refusal(send("PUT", PREFERENCES, {}, by=builders.plain_user())) == (403, "permission_denied")


def tell(customer: Customer, type: str = "points_earned") -> Notification | None:
    return services.notify(
        type, title="Points", dedupe_key=str(uuid4()), customer=customer.pk, email="ada@example.org"
    )


def test_what_is_told_follows_the_preferences() -> None:
    customer, user = customer_with_login()
    plain = tell(customer)
    assert plain is not None
    assert (plain.email, plain.read_at) == ("", None)
    put(user, {"email": True, "kinds": {"qr_scanned": False}})
    mailed = tell(customer)
    assert mailed is not None
    assert (mailed.email, mailed.read_at) == ("ada@example.org", None)
    assert tell(customer, "qr_scanned") is None
    put(user, {"in_app": False})
    only_mailed = tell(customer)
    assert only_mailed is not None
    assert only_mailed.email == "ada@example.org"
    assert only_mailed.read_at is not None
    assert tell(customer, "qr_scanned") is None
    put(user, {"email": False})
    assert tell(customer) is None
    assert Change.objects.filter(entity="notification").count() == 3


def test_questions_come_whatever_is_switched_off() -> None:
    customer, user = customer_with_login()
    put(user, {"in_app": False, "email": False, "kinds": dict.fromkeys(CUSTOMER_TYPES, False)})
    request = asked(customer)
    assert (request.notification.email, request.notification.read_at) == ("", None)
    assert listed(user)["unread_count"] == 1
