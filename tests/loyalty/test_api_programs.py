"""Programs through the API: what anybody may know, and how managers set them."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from loyalty import services
from loyalty.models import LoyaltyCard, Program
from tests import builders
from tests.door import bearer, get, post, refusal, said, send

pytestmark = pytest.mark.django_db
PROGRAMS = "/api/loyalty/programs"
LIMITS = {"scan_cooldown_minutes", "deduction_needs_approval", "max_points_per_transaction", "max_points_per_day"}
TIERS = [
    {"level": level, "from_points": points, "multiplier": "1"}
    for level, points in {"bronze": 0, "silver": 500, "gold": 1500, "platinum": 3000, "diamond": 5000}.items()
]


@pytest.fixture
def manager() -> User:
    """May set the business's programs."""
    return builders.member("manager", builders.business())


def shown(program: Program, **fields: Any) -> dict[str, Any]:
    """What anybody reads of a program that is as usual."""
    usual = {
        "id": str(program.pk),
        "business": str(program.business_id),
        "name": program.name,
        "is_active": True,
        "is_default": True,
        "earn_rule": "per_amount",
        "points_per_unit": "1",
        "min_order": "0.00",
        "welcome_points": 0,
        "expiry_days": None,
        "redemption_minimum": 1,
        "redemption_increment": 1,
        "point_value": "0.01",
        "max_redeem_percent": 100,
        "scan_points": 10,
        "tiers": TIERS,
    }
    return {**usual, **fields}


def in_full(program: Program, **fields: Any) -> dict[str, Any]:
    """What its managers read."""
    program.refresh_from_db()
    return {
        **shown(program),
        "scan_cooldown_minutes": 60,
        "deduction_needs_approval": True,
        "max_points_per_transaction": 10_000,
        "max_points_per_day": 50_000,
        "created_at": program.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": program.updated_at.isoformat().replace("+00:00", "Z"),
        **fields,
    }


def patch(program: Program, body: Any, **kwargs: Any) -> Any:
    """PATCH a program."""
    return send("PATCH", f"{PROGRAMS}/{program.pk}", body, **kwargs)


# --- reading -------------------------------------------------------------------------------------------------------
def test_anybody_reads_active_programs_of_a_business() -> None:
    program = builders.program()
    services.add_program(builders.business(), name="Off", is_active=False)
    builders.program(builders.business("elsewhere"))
    page = {"count": 1, "next": None, "previous": None, "results": [shown(program)]}
    stranger = builders.member("owner", builders.business("elsewhere"))
    cashier = builders.member("cashier", builders.business())
    customer = builders.customer(user=builders.plain_user()).user
    for user in (None, builders.plain_user(), stranger, cashier, customer, builders.staff()):
        for named in ("corner-cafe", str(builders.business().pk)):
            assert said(get(f"{PROGRAMS}?business={named}", by=user)) == (200, page)
        assert said(get(f"{PROGRAMS}/{program.pk}", by=user)) == (200, shown(program))
    assert not LIMITS & set(shown(program))


def test_managers_and_staff_read_everything_of_their_own(manager: User) -> None:
    program = builders.program()
    off = services.add_program(builders.business(), name="Off", is_active=False)
    hidden = in_full(off, is_active=False, is_default=False)
    keepers = [manager, builders.member("owner", builders.business()), builders.superuser()]
    keepers += [builders.staff("loyalty.view_program"), builders.staff("loyalty.change_program")]
    for user in keepers:
        rows = said(get(f"{PROGRAMS}?business=corner-cafe", by=user))[1]["results"]
        assert rows == [in_full(program), hidden]
        assert said(get(f"{PROGRAMS}/{off.pk}", by=user)) == (200, hidden)


def test_switched_off_program_is_missing_to_others() -> None:
    off = services.add_program(builders.business(), name="Off", is_active=False)
    for user in (None, builders.plain_user(), builders.member("cashier", builders.business())):
        answers = [get(f"{PROGRAMS}/{pk}", by=user) for pk in (off.pk, uuid4())]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
        assert answers[0].content == answers[1].content


def test_business_is_named_unless_there_is_just_one(manager: User) -> None:
    builders.program()
    assert said(get(PROGRAMS, by=manager))[1]["count"] == 1
    several = builders.member("manager", builders.business(), builders.business("elsewhere"))
    for user in (None, builders.plain_user(), builders.staff(), builders.superuser(), several):
        status, body = said(get(PROGRAMS, by=user))
        assert (status, list(body)) == (400, ["business"])
    for user in (None, manager, builders.superuser()):
        for named in ("nowhere", uuid4()):
            assert refusal(get(f"{PROGRAMS}?business={named}", by=user)) == (404, "not_found")


def test_list_has_the_default_first_and_can_be_searched(manager: User) -> None:
    for name in ("Beta", "Alpha", "Gamma"):
        services.add_program(builders.business(), name=name)

    def names(query: str) -> list[str]:
        return [row["name"] for row in said(get(f"{PROGRAMS}{query}", by=manager))[1]["results"]]

    assert names("") == names("?ordering=nonsense") == ["Beta", "Alpha", "Gamma"]
    assert names("?ordering=-name") == ["Gamma", "Beta", "Alpha"]
    assert names("?ordering=created_at") == ["Beta", "Alpha", "Gamma"]
    assert (names("?q=ALPH"), names("?q=%25"), names("?page_size=1&page=2")) == (["Alpha"], [], ["Alpha"])


def test_list_costs_the_same_however_long(manager: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    header = bearer(manager)
    for rows in (1, 2):
        for number in range(rows):
            services.add_program(builders.business(), name=f"Program {rows} {number}")
        # The token, its user, whether there is a business, which, the role, the count, the page.
        with django_assert_num_queries(7):
            assert get(PROGRAMS, **header).status_code == 200


# --- adding --------------------------------------------------------------------------------------------------------
FULL: dict[str, Any] = {
    "name": "Regulars",
    "is_active": True,
    "is_default": True,
    "earn_rule": "fixed",
    "points_per_unit": 1.5,
    "min_order": "4.50",
    "welcome_points": 100,
    "expiry_days": 365,
    "redemption_minimum": 100,
    "redemption_increment": 50,
    "point_value": "0.0125",
    "max_redeem_percent": 50,
    "scan_points": 0,
    "scan_cooldown_minutes": 0,
    "deduction_needs_approval": False,
    "max_points_per_transaction": None,
    "max_points_per_day": None,
    "tiers": [
        {"level": " bronze ", "from_points": 0, "multiplier": 1},
        {"level": "gold", "from_points": 1500, "multiplier": "1.2500"},
    ],
}


def test_program_is_added_with_all_its_settings(manager: User) -> None:
    answer = said(post(PROGRAMS, FULL, by=manager))
    program = Program.objects.get()
    tiers = [
        {"level": "bronze", "from_points": 0, "multiplier": "1"},
        {"level": "gold", "from_points": 1500, "multiplier": "1.25"},
    ]
    kept = {**FULL, "points_per_unit": "1.5", "tiers": tiers}
    assert answer == (201, in_full(program, **kept))
    assert (program.tiers, program.business) == (tiers, builders.business())
    services.enroll_customer(builders.customer(), program, by=None, source="till")
    assert LoyaltyCard.objects.get().tier_level == "bronze"


def test_what_is_not_said_is_as_usual_and_the_first_is_the_default(manager: User) -> None:
    for name in ("First", "Second"):
        answer = said(post(PROGRAMS, {"name": name}, by=manager))
        program = Program.objects.get(name=name)
        assert answer == (201, in_full(program, is_default=name == "First"))


def test_zero_is_zero_and_nothing_is_no_limit(manager: User) -> None:
    zero = dict.fromkeys(
        ["welcome_points", "redemption_minimum", "redemption_increment", "max_redeem_percent", "scan_points"], 0
    )
    zero |= {"scan_cooldown_minutes": 0, "max_points_per_transaction": 0, "max_points_per_day": 0}
    amounts = {"points_per_unit": 0, "point_value": "0", "min_order": 0}
    added = said(post(PROGRAMS, {"name": "Zero", **zero, **amounts}, by=manager))[1]
    assert {name: added[name] for name in zero} == zero
    assert [added[name] for name in amounts] == ["0", "0", "0.00"]
    none = dict.fromkeys(["expiry_days", "max_points_per_transaction", "max_points_per_day"])
    changed = said(patch(Program.objects.get(), none, by=manager))[1]
    assert {name: changed[name] for name in none} == none


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", None),
        ("earn_rule", "other"),
        ("points_per_unit", -1),
        ("points_per_unit", "1.00001"),
        ("points_per_unit", 10_000_000),
        ("min_order", "-0.01"),
        ("min_order", "0.001"),
        ("min_order", 1e20),
        ("welcome_points", -1),
        ("welcome_points", 1.0),
        ("welcome_points", "1"),
        ("welcome_points", True),
        ("welcome_points", None),
        ("welcome_points", 1_000_000_001),
        ("expiry_days", 0),
        ("expiry_days", 36_501),
        ("redemption_minimum", -1),
        ("redemption_increment", None),
        ("point_value", "NaN"),
        ("point_value", "x"),
        ("max_redeem_percent", 101),
        ("scan_points", -1),
        ("max_points_per_day", -1),
        ("max_points_per_transaction", 1e9),
        ("is_active", None),
        ("is_active", "maybe"),
        ("deduction_needs_approval", []),
        ("tiers", None),
        ("tiers", {}),
        ("tiers", []),
        ("tiers", [1]),
        ("tiers", [{}]),
        ("tiers", [{"level": "a", "from_points": 0}]),
        ("tiers", [{"level": "a", "from_points": 1, "multiplier": 1}]),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": 1, "more": 1}]),
        ("tiers", [{"level": "", "from_points": 0, "multiplier": 1}]),
        ("tiers", [{"level": "x" * 31, "from_points": 0, "multiplier": 1}]),
        ("tiers", [{"level": "a", "from_points": 0.0, "multiplier": 1}]),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": 101}]),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": "1.00001"}]),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": -1}]),
        (
            "tiers",
            [{"level": "a", "from_points": 0, "multiplier": 1}, {"level": "A", "from_points": 5, "multiplier": 1}],
        ),
        (
            "tiers",
            [{"level": "a", "from_points": 0, "multiplier": 1}, {"level": "b", "from_points": 0, "multiplier": 1}],
        ),
        ("tiers", [{"level": f"l{n}", "from_points": n, "multiplier": 1} for n in range(21)]),
        ("nonsense", 1),
        ("rewards", []),
    ],
)
def test_setting_that_cannot_be_is_named(manager: User, name: str, value: Any) -> None:
    known = builders.program()
    answers = [post(PROGRAMS, {"name": "New", name: value}, by=manager), patch(known, {name: value}, by=manager)]
    assert [(answer.status_code, list(said(answer)[1])) for answer in answers] == [(400, [name])] * 2
    assert said(get(f"{PROGRAMS}/{known.pk}", by=manager))[1] == in_full(known)
    assert Program.objects.count() == 1


def test_level_fits_its_column_whoever_sets_it() -> None:
    tiers = [{"level": " " * 30 + "a", "from_points": 0, "multiplier": "1"}]
    with pytest.raises(ValidationError) as raised:
        services.add_program(builders.business(), name="New", tiers=tiers)
    assert list(raised.value.message_dict) == ["tiers"]


def test_name_is_the_businesss_own_and_needed(manager: User) -> None:
    assert said(post(PROGRAMS, {}, by=manager)) == (400, {"name": ["This field is required."]})
    elsewhere = builders.member("manager", builders.business("elsewhere"))
    for by in (manager, elsewhere):
        assert post(PROGRAMS, {"name": "Regulars"}, by=by).status_code == 201
    message = {"name": ["The business has a program of this name."]}
    assert said(post(PROGRAMS, {"name": " Regulars "}, by=manager)) == (400, message)
    other = services.add_program(builders.business(), name="Other")
    assert said(patch(other, {"name": "Regulars"}, by=manager)) == (400, message)
    assert patch(other, {"name": "Other"}, by=manager).status_code == 200


# --- changing ------------------------------------------------------------------------------------------------------
def test_what_was_read_may_be_sent_back(manager: User) -> None:
    program = builders.program()
    read = said(get(f"{PROGRAMS}/{program.pk}", by=manager))[1]
    before = program.updated_at
    changed = said(patch(program, {**read, "welcome_points": 5, "business": "elsewhere", "id": "x"}, by=manager))
    assert changed == (200, in_full(program, welcome_points=5))
    assert (program.updated_at > before, program.business) == (True, builders.business())


def test_change_of_tiers_moves_the_cards(manager: User) -> None:
    card = builders.card(100)
    tiers = [
        {"level": "low", "from_points": 0, "multiplier": 1},
        {"level": "high", "from_points": 100, "multiplier": 2},
    ]
    answer = said(patch(card.enrollment.program, {"tiers": tiers}, by=manager))[1]
    assert answer["tiers"] == [{**tier, "multiplier": str(tier["multiplier"])} for tier in tiers]
    card.refresh_from_db()
    assert card.tier_level == "high"


def test_another_program_takes_over_as_the_default(manager: User) -> None:
    first = builders.program()
    second = services.add_program(builders.business(), name="Second")
    assert said(patch(second, {"is_default": True}, by=manager))[1]["is_default"] is True
    first.refresh_from_db()
    assert first.is_default is False
    assert said(patch(second, {"is_default": False}, by=manager))[1]["is_default"] is True


# --- who -----------------------------------------------------------------------------------------------------------
def test_only_managers_and_staff_with_the_permission_write(manager: User) -> None:
    program = builders.program()
    sent = {"name": "New"}
    assert refusal(post(PROGRAMS, sent)) == (401, "not_authenticated")
    assert refusal(patch(program, sent)) == (401, "not_authenticated")
    cashier = builders.member("cashier", builders.business())
    lookers = [builders.staff(), builders.staff("loyalty.view_program")]
    for user in (cashier, *lookers):
        assert refusal(post(PROGRAMS, {**sent, "business": "corner-cafe"}, by=user)) == (403, "permission_denied")
        assert refusal(patch(program, sent, by=user)) == (403, "permission_denied")
    adder, changer = builders.staff("loyalty.add_program"), builders.staff("loyalty.change_program")
    assert list(said(post(PROGRAMS, sent, by=adder))[1]) == ["business"]
    assert post(PROGRAMS, {**sent, "business": "corner-cafe"}, by=adder).status_code == 201
    assert post(f"{PROGRAMS}?business=corner-cafe", {"name": "More"}, by=adder).status_code == 201
    assert refusal(patch(program, sent, by=adder)) == (403, "permission_denied")
    assert refusal(post(PROGRAMS, {**sent, "business": "corner-cafe"}, by=changer)) == (403, "permission_denied")
    for user in (changer, manager, builders.member("owner", builders.business()), builders.superuser()):
        assert patch(program, {"welcome_points": 1}, by=user).status_code == 200


def test_foreign_program_and_business_are_missing(manager: User) -> None:
    foreign = builders.program(builders.business("elsewhere"))
    customer = builders.card(of=foreign).enrollment.customer
    customer.user = builders.plain_user()
    customer.save()
    for user in (manager, builders.plain_user(), customer.user):
        answers = [send("PATCH", f"{PROGRAMS}/{pk}", {"name": "Mine"}, by=user) for pk in (foreign.pk, uuid4())]
        answers += [post(PROGRAMS, {"name": "M", "business": named}, by=user) for named in ("elsewhere", "nowhere")]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 4
        assert {answer.content for answer in answers} == {answers[0].content}
    assert refusal(post(PROGRAMS, {"name": "M"}, by=builders.plain_user())) == (403, "permission_denied")
