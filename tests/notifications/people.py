"""Whom the tests tell something."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.utils import timezone

from crm.models import User
from loyalty.models import Customer
from notifications import services
from notifications.models import ApprovalRequest, Notification
from tests import builders
from tests.door import get, said


def customer_with_login() -> tuple[Customer, User]:
    """Somebody who reads what they are told."""
    user = builders.plain_user()
    return builders.customer(user=user), user


def told(title: str, *, type: str = "points_earned", **whom: Any) -> Notification:
    """A fact, told to `customer` or `business`."""
    found = services.notify(type, title=title, dedupe_key=str(uuid4()), **whom)
    assert found is not None
    return found


def asked(customer: Customer, *, days: int = 7, email: str = "") -> ApprovalRequest:
    """A question that nobody listens to, put to the customer by the corner café."""
    return services.ask(
        "test",
        type="enrollment_requested",
        title="Join us?",
        message="Accept or decline.",
        customer=customer.pk,
        business=builders.business().pk,
        reference=uuid4(),
        expires_at=timezone.now() + timedelta(days=days),
        email=email,
    )


def listed(by: User, **query: str) -> Any:
    """The login's list."""
    status, page = said(get(f"/api/notifications?{urlencode(query)}", by=by))
    assert status == 200
    return page
