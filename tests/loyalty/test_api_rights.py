"""Who may do what to whose points: roles, and businesses that never see each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse

from crm.models import Membership, User
from loyalty import services
from loyalty.models import Customer, LoyaltyCard, PointsHold, PointsTransaction
from tests import builders
from tests.door import post, refusal, send

pytestmark = pytest.mark.django_db
REDEEM, EARN, ADJUST, HOLDS = (
    "/api/customer/loyalty/redeem",
    "/api/loyalty/earn",
    "/api/loyalty/adjust",
    "/api/loyalty/holds",
)


@dataclass
class Target:
    """A card of the business, and a row and a hold on it: or ids that nothing has."""

    card: str
    transaction: str
    hold: str
    deduction: str
    business: str


def target(slug: str = "corner-cafe") -> Target:
    """In that business."""
    card = builders.card(500, of=builders.program(builders.business(slug)))
    hold = services.hold_points(card, points=10, by=None)
    deduction = services.ask_to_deduct(card, points=10, reason="Why", by=builders.superuser())
    row = PointsTransaction.objects.get(card=card)
    return Target(str(card.pk), str(row.pk), str(hold.pk), str(deduction.pk), slug)


def nothing() -> Target:
    """Nowhere."""
    return Target(str(uuid4()), str(uuid4()), str(uuid4()), str(uuid4()), "nowhere")


Call = Callable[[Target, User | None], HttpResponse]
CALLS: dict[str, Call] = {
    "redeem": lambda at, by: post(REDEEM, {"card": at.card, "points": 1, "business": at.business}, by=by),
    "redeem once": lambda at, by: send(
        "PUT", REDEEM, {"card": at.card, "points": 1, "business": at.business, "redemption_id": str(uuid4())}, by=by
    ),
    "dry run": lambda at, by: post(
        REDEEM, {"card": at.card, "points": 1, "business": at.business, "dry_run": True}, by=by
    ),
    "earn": lambda at, by: post(EARN, {"card": at.card, "points": 1, "business": at.business}, by=by),
    "hold": lambda at, by: post(HOLDS, {"card": at.card, "points": 1}, by=by),
    "capture": lambda at, by: post(f"{HOLDS}/{at.hold}/capture", {}, by=by),
    "release": lambda at, by: post(f"{HOLDS}/{at.hold}/release", {}, by=by),
    "adjust": lambda at, by: post(ADJUST, {"card": at.card, "points": 1, "reason": "Why"}, by=by),
    "reverse": lambda at, by: post(f"/api/loyalty/transactions/{at.transaction}/reverse", {"reason": "Why"}, by=by),
    "release deduction": lambda at, by: post(f"{HOLDS}/{at.deduction}/release", {}, by=by),
}
TILL = ["redeem", "redeem once", "dry run", "earn", "hold", "capture", "release"]
OFFICE = ["adjust", "reverse", "release deduction"]
DONE = {"earn": 201, "hold": 201, "adjust": 201, "reverse": 201}


@pytest.mark.parametrize("name", CALLS)
def test_anonymous_is_nobody(name: str) -> None:
    assert refusal(CALLS[name](target(), None)) == (401, "not_authenticated")


@pytest.mark.parametrize("role", ["cashier", "manager", "owner"])
@pytest.mark.parametrize("name", CALLS)
def test_member_needs_the_role(name: str, role: str) -> None:
    answer = CALLS[name](target(), builders.member(role, builders.business()))
    if name in OFFICE and role == "cashier":
        assert refusal(answer) == (403, "permission_denied")
    else:
        assert answer.status_code == DONE.get(name, 200)


@pytest.mark.parametrize("name", CALLS)
def test_staff_need_the_permission(name: str) -> None:
    wanted = "loyalty.adjust_points" if name in OFFICE else "loyalty.redeem_points"
    others = {"loyalty.redeem_points", "loyalty.adjust_points", "loyalty.view_loyaltycard"} - {wanted}
    assert refusal(CALLS[name](target(), builders.staff(*others))) == (403, "permission_denied")
    for at in (target(), nothing()):
        assert refusal(CALLS[name](at, builders.staff("loyalty.view_loyaltycard"))) == (403, "permission_denied")
    for keeper in (builders.staff("loyalty.redeem_points", wanted), builders.superuser()):
        assert CALLS[name](target(), keeper).status_code == DONE.get(name, 200)


def test_permission_without_being_staff_is_nothing() -> None:
    user = builders.staff("loyalty.redeem_points", "loyalty.adjust_points")
    User.objects.filter(pk=user.pk).update(is_staff=False)
    for call in CALLS.values():
        assert refusal(call(target(), User.objects.get(pk=user.pk))) == (404, "not_found")


def strangers() -> dict[str, User]:
    """Everybody who has nothing to do with the corner café."""
    elsewhere = builders.business("third")
    customer = builders.customer(user=builders.plain_user())
    builders.card(of=builders.program(elsewhere), by=customer)
    assert customer.user is not None
    staff = builders.staff()
    Membership.objects.create(user=staff, business=elsewhere, role="owner")
    return {
        "nobody": builders.plain_user(),
        "owner elsewhere": builders.member("owner", elsewhere),
        "customer elsewhere": customer.user,
        "staff without permission, owner elsewhere": staff,
    }


@pytest.mark.parametrize("name", CALLS)
def test_foreign_row_is_missing_to_the_letter(name: str) -> None:
    at = target()
    for who, user in strangers().items():
        foreign, missing = CALLS[name](at, user), CALLS[name](nothing(), user)
        assert refusal(foreign) == (404, "not_found"), who
        assert (foreign.content, dict(foreign.items())) == (missing.content, dict(missing.items())), who
    assert PointsTransaction.objects.filter(card__pk=at.card).count() == 1
    assert set(PointsHold.objects.values_list("status", flat=True)) == {"open"}


@pytest.mark.parametrize("name", CALLS)
def test_missing_row_is_missing_to_its_own_people_too(name: str) -> None:
    at = nothing()
    at.business = builders.business().slug
    for user in (builders.member("owner", builders.business()), builders.superuser()):
        assert refusal(CALLS[name](at, user)) == (404, "not_found")


@pytest.mark.parametrize("name", ["redeem", "redeem once", "dry run", "earn"])
def test_card_of_another_business_is_missing_in_ones_own(name: str) -> None:
    at = target("elsewhere")
    at.business = "corner-cafe"
    builders.program()
    both = builders.member("owner", builders.business(), builders.business("elsewhere"))
    for user in (builders.member("owner", builders.business()), both, builders.superuser()):
        assert refusal(CALLS[name](at, user)) == (404, "not_found")


def test_customer_knows_the_own_card_and_may_not_do_what_a_till_does() -> None:
    at = target()
    card = LoyaltyCard.objects.complete().get(pk=at.card)
    user = builders.plain_user()
    Customer.objects.filter(pk=card.enrollment.customer_id).update(user=user)
    for name in ("earn", "hold", "capture", "release", "adjust", "reverse", "release deduction"):
        assert refusal(CALLS[name](at, user)) == (403, "permission_denied"), name
    assert CALLS["redeem"](at, user).status_code == 200


@pytest.mark.parametrize("path", [REDEEM, EARN])
def test_business_is_named_where_there_are_several(path: str) -> None:
    sent: dict[str, Any] = {"card": target().card, "points": 1}
    both = builders.member("cashier", builders.business(), builders.business("elsewhere"))
    for user in (both, builders.superuser(), builders.staff("loyalty.redeem_points")):
        unnamed = post(path, sent, by=user)
        assert (unnamed.status_code, b'"business"' in unnamed.content) == (400, True)
        for named in ("corner-cafe", str(builders.business().pk)):
            assert post(path, {**sent, "business": named}, by=user).status_code in (200, 201)
    single = builders.member("cashier", builders.business())
    assert post(path, sent, by=single).status_code in (200, 201)
    assert refusal(post(path, sent, by=builders.plain_user())) == (403, "permission_denied")


def test_every_answer_is_kept_nowhere() -> None:
    at = target()
    for user in (builders.superuser(), builders.plain_user(), None):
        for call in CALLS.values():
            answer = call(at, user)
            assert answer["Cache-Control"] == "no-store, no-cache, must-revalidate, private"
