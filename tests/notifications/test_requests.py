"""Questions: answered once, by whoever is first, or closed when their time is over."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.models import User
from loyalty.selectors import scope_of
from notifications import services
from notifications.models import ApprovalRequest, Change
from notifications.signals import request_closed
from tests import builders
from tests.loyalty.crowd import at_once
from tests.notifications.people import asked, customer_with_login

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Any]]]:
    """What listeners are told of the tests' questions; one that says so is refused."""
    told: list[tuple[str, Any]] = []

    def listen(request: ApprovalRequest, by: Any, **_: Any) -> None:
        if request.data.get("refuse"):
            raise ValidationError("Not like this.", code="program_inactive")
        told.append((request.status, by))

    request_closed.connect(listen)
    yield told
    request_closed.disconnect(listen)


def answering(request: ApprovalRequest, by: User, accept: bool) -> Callable[[], str]:
    return lambda: services.answer_request(request, accept=accept, by=by).status


def test_answer_is_told_with_who_gave_it(heard: list[Any]) -> None:
    customer, user = customer_with_login()
    services.answer_request(asked(customer), accept=True, by=user)
    services.answer_request(asked(customer), accept=False, by=user)
    assert heard == [("accepted", user), ("declined", user)]


def test_same_is_not_asked_twice_while_it_is_open() -> None:
    customer, _user = customer_with_login()
    first = asked(customer)
    again: dict[str, Any] = {
        "type": "t",
        "title": "t",
        "message": "",
        "customer": customer.pk,
        "business": first.business_id,
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        services.ask("test", **again, reference=first.reference_id, expires_at=first.expires_at)
    services.answer_request(first, accept=False, by=None)
    services.ask("test", **again, reference=first.reference_id, expires_at=first.expires_at)


def test_refusal_by_a_listener_undoes_the_answer(heard: list[Any]) -> None:
    customer, user = customer_with_login()
    request = asked(customer)
    ApprovalRequest.objects.update(data={"refuse": True})
    before = Change.objects.count()
    with pytest.raises(ValidationError):
        services.answer_request(request, accept=True, by=user)
    request.refresh_from_db()
    request.notification.refresh_from_db()
    assert (request.status, request.closed_at, request.notification.acted_at) == ("pending", None, None)
    assert Change.objects.count() == before


def test_time_closes_what_nobody_answered_and_nothing_else(heard: list[Any]) -> None:
    customer, user = customer_with_login()
    late, open_still, answered = asked(customer, days=-1), asked(customer), asked(customer)
    services.answer_request(answered, accept=True, by=user)
    assert (services.expire_requests(), services.expire_requests()) == (1, 0)
    assert heard == [("accepted", user), ("expired", None)]
    late.refresh_from_db()
    late.notification.refresh_from_db()
    assert (late.status, late.notification.acted_at, late.notification.read_at) == ("expired", None, None)
    open_still.refresh_from_db()
    assert open_still.status == "pending"


def test_one_that_cannot_be_closed_does_not_keep_the_others_open(
    heard: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    customer, _user = customer_with_login()
    broken, late = asked(customer, days=-2), asked(customer, days=-1)
    ApprovalRequest.objects.filter(pk=broken.pk).update(data={"refuse": True})
    assert services.expire_requests() == 1
    late.refresh_from_db()
    assert late.status == "expired"
    assert [record.message for record in caplog.records] == [f"Request {broken.pk} cannot be closed"]


def test_withdrawn_question_cannot_be_answered(heard: list[Any]) -> None:
    customer, user = customer_with_login()
    request = asked(customer)
    services.withdraw_request("test", request.reference_id)
    services.withdraw_request("test", uuid4())
    with pytest.raises(ValidationError) as refused:
        services.answer_request(request, accept=True, by=user)
    assert (refused.value.code, heard) == ("expired", [])


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_first_of_many_answers_wins(heard: list[Any]) -> None:
    customer, user = customer_with_login()
    for _ in range(3):
        request = asked(customer)
        answers = at_once(*[answering(request, user, accept) for accept in (True, False) * 4])
        request.refresh_from_db()
        assert Counter(answers) == {request.status: 1, "already_answered": 7}
    assert len(heard) == 3


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_reading_everything_twice_at_once_counts_each_once() -> None:
    customer, user = customer_with_login()
    for _ in range(20):
        asked(customer)
    scope = scope_of(user)
    assert sum(at_once(*[lambda: services.read_all(scope)] * 4)) == 20
    assert Change.objects.filter(entity="notification", action="updated").count() == 20


def test_business_of_the_question_sees_how_it_ends() -> None:
    customer, user = customer_with_login()
    request = asked(customer)
    services.answer_request(request, accept=True, by=user)
    seen = Change.objects.filter(business_id=builders.business().pk).values_list("entity", "action")
    assert list(seen.order_by("id")) == [("approval", "created"), ("approval", "updated")]
