"""Notifications and questions in the admin: who sees which, names in place of ids, and mails sent again."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from loyalty.models import Customer, Enrollment
from notifications.models import ApprovalRequest, Notification
from tests import builders
from tests.notifications.people import asked, told

pytestmark = pytest.mark.django_db
NOTIFICATIONS, QUESTIONS = "/admin/notifications/notification/", "/admin/notifications/approvalrequest/"
COUNTS = {NOTIFICATIONS: 10, QUESTIONS: 10}
FAILED = {"email": "ada@example.org", "mail_attempts": 5, "mail_error": "SMTPServerDisconnected: away"}


def text_of(response: Any) -> str:
    """What a reader sees, on one line."""
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(response.content.decode())))


def page(row: Any) -> str:
    return f"/admin/notifications/{row._meta.model_name}/{row.pk}/change/"


def failed() -> Notification:
    row = told("Points came", customer=builders.customer().pk)
    Notification.objects.filter(pk=row.pk).update(**FAILED)
    row.refresh_from_db()
    return row


def stranger(request: ApprovalRequest) -> Customer:
    """Its customer was scanned and asked, and has not agreed."""
    customer = Customer.objects.get(pk=request.customer_id)
    Enrollment.objects.create(customer=customer, program=builders.program(), status="pending", source="scan")
    return customer


def test_staff_see_names_and_search_by_them(staff_client: Client) -> None:
    told("To Ada", customer=builders.customer().pk)
    told("To the café", business=builders.business().pk, type="enrollment_declined")
    seen = text_of(staff_client.get(NOTIFICATIONS))
    for part in ("To Ada", "Ada Lovelace", "To the café", "Corner Cafe", "Enrolment declined", "Unread 2"):
        assert part in seen
    for query, found in (("lovelace", "To Ada"), ("corner", "To the café"), ("to ada", "To Ada")):
        seen = text_of(staff_client.get(NOTIFICATIONS, {"q": query}))
        assert (found in seen, seen.count("Today, ")) == (True, 1), query


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("path", [NOTIFICATIONS, QUESTIONS])
def test_lists_ask_the_same_for_one_row_and_for_three(
    path: str, rows: int, staff_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        told("One", business=builders.business().pk)
        asked(builders.customer())
    staff_client.get(path)
    with django_assert_num_queries(COUNTS[path]):
        assert staff_client.get(path).status_code == 200


def test_member_sees_what_their_business_was_told_and_asked_and_no_more() -> None:
    here, there = builders.business(), builders.business("there")
    ours, theirs = told("Ours", business=here.pk), told("Theirs", business=there.pk)
    private = told("Private", customer=builders.card().enrollment.customer_id)
    question = asked(builders.customer())
    client = builders.logged_in(builders.member("cashier", here))
    other = builders.logged_in(builders.member("owner", there))
    seen = text_of(client.get(NOTIFICATIONS))
    assert [title in seen for title in ("Ours", "Theirs", "Private")] == [True, False, False]
    assert client.get(page(ours)).status_code == 200
    for row in (theirs, private):
        assert client.get(page(row)).status_code == 404
    assert client.get(page(question)).status_code == 200
    assert other.get(page(question)).status_code == 404
    assert client.post(f"{NOTIFICATIONS}{private.pk}/mail/").status_code == 404


def test_member_does_not_learn_who_has_not_agreed(staff_client: Client) -> None:
    request = asked(builders.customer())
    stranger(request)
    client = builders.logged_in(builders.member("owner", builders.business()))
    for path in (QUESTIONS, page(request)):
        assert "Somebody who has not joined" in text_of(client.get(path))
        assert "Lovelace" not in text_of(client.get(path))
        assert "Ada Lovelace" in text_of(staff_client.get(path))
    assert "Somebody" not in text_of(client.get(QUESTIONS, {"q": "lovelace"}))
    Enrollment.objects.update(source="till")
    assert "Ada Lovelace" in text_of(client.get(QUESTIONS))


def test_staff_without_the_permission_see_nothing() -> None:
    client = builders.logged_in(builders.staff())
    assert [client.get(path).status_code for path in (NOTIFICATIONS, QUESTIONS)] == [403, 403]


def test_filters_find_what_failed_and_what_waits(staff_client: Client) -> None:
    failed()
    told("Plain", business=builders.business().pk)
    builders.business("there")
    asked(builders.customer())
    for query, count in (
        ({"mail": "failed"}, 1),
        ({"mail": "none"}, 2),
        ({"mail": "waiting"}, 0),
        ({"mail": "x"}, 0),
        ({"read": "no"}, 3),
        ({"read": "yes"}, 0),
        ({"type": "enrollment_requested"}, 1),
        ({"business": str(builders.business().pk)}, 1),
    ):
        assert text_of(staff_client.get(NOTIFICATIONS, query)).count("Today, ") == count, query
    assert "Mail failed 1" in text_of(staff_client.get(NOTIFICATIONS))
    assert "Pending 1" in text_of(staff_client.get(QUESTIONS))
    assert text_of(staff_client.get(QUESTIONS, {"kind": "test"})).count("Today, ") == 1


def test_failed_mail_is_sent_again(
    staff_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    row = failed()
    seen = text_of(staff_client.get(page(row)))
    for part in ("Send again", "ada@example.org", "SMTPServerDisconnected: away"):
        assert part in seen
    assert "A worker sends it to ada@example.org" in text_of(staff_client.get(f"{NOTIFICATIONS}{row.pk}/mail/"))
    row.refresh_from_db()
    assert row.mail_attempts == 5
    Customer.objects.update(email="ada@example.com")
    with django_capture_on_commit_callbacks(execute=True):
        assert staff_client.post(f"{NOTIFICATIONS}{row.pk}/mail/").status_code == 302
    row.refresh_from_db()
    assert (row.mail_attempts, row.mail_error, row.email) == (0, "", "ada@example.com")
    assert [entry.task["func"] for entry in OrmQ.objects.all()] == ["notifications.tasks.send_mail"]
    assert LogEntry.objects.get().change_message == "The mail goes again in a moment."
    assert "Send again" not in text_of(staff_client.get(page(row)))


def test_selected_mails_are_sent_again(
    staff_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    rows = [failed(), failed(), told("Plain", business=builders.business().pk)]
    body = {"action": "mail_selected_again", "_selected_action": [str(row.pk) for row in rows]}
    with django_capture_on_commit_callbacks(execute=True):
        assert "2 mails go again" in text_of(staff_client.post(NOTIFICATIONS, body, follow=True))
    assert [entry.task["func"] for entry in OrmQ.objects.all()] == ["notifications.tasks.send_mails"]
    assert LogEntry.objects.count() == 2


def test_viewer_may_not_send() -> None:
    row = failed()
    client = builders.logged_in(builders.staff("notifications.view_notification"))
    assert "Send again" not in text_of(client.get(page(row)))
    assert client.post(f"{NOTIFICATIONS}{row.pk}/mail/").status_code == 403
    row.refresh_from_db()
    assert row.mail_attempts == 5
