"""Managers set up programs: the form, its tiers, and the examples that follow it."""

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, User
from loyalty import services
from loyalty.models import LoyaltyCard, Program
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/loyalty/program/"
SETTINGS = {
    "name": "Points",
    "earn_rule": "per_amount",
    "points_per_unit": "1",
    "min_order": "0",
    "welcome_points": "0",
    "expiry_days": "",
    "point_value": "0.01",
    "redemption_minimum": "1",
    "redemption_increment": "1",
    "max_redeem_percent": "100",
    "max_points_per_transaction": "10000",
    "max_points_per_day": "50000",
    "deduction_needs_approval": "on",
    "scan_points": "10",
    "scan_cooldown_minutes": "60",
    "is_active": "on",
    "rewards-TOTAL_FORMS": "0",
    "rewards-INITIAL_FORMS": "0",
}
DEFAULT_TIERS = [("bronze", "0", ""), ("silver", "500", ""), ("gold", "1500", ""), ("platinum", "3000", "")]
DEFAULT_TIERS.append(("diamond", "5000", ""))


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def manager_of(business: Business) -> Client:
    return logged_in(builders.member("manager", business))


def filled(tiers: list[tuple[str, str, str]] | None = None, /, **changes: str) -> dict[str, Any]:
    """The form as a browser sends it, an empty row of tiers included."""
    rows = [*(DEFAULT_TIERS if tiers is None else tiers), ("", "", "")]
    columns = zip(("tiers_level", "tiers_from_points", "tiers_multiplier"), zip(*rows, strict=True), strict=True)
    return {**SETTINGS, **{name: list(values) for name, values in columns}, **changes}


def url(program: Program) -> str:
    return f"{LIST}{program.pk}/change/"


def text_of(response: Any) -> str:
    """What a reader sees, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(response.content.decode())))


def preview(client: Client, program: Program | None, data: dict[str, Any]) -> str:
    query = f"?program={program.pk}" if program else ""
    response = client.post(f"{LIST}preview/{query}", data)
    assert response.status_code == 200
    return text_of(response)


def test_first_program_becomes_the_default_and_is_logged() -> None:
    business = builders.business()
    response = manager_of(business).post(f"{LIST}add/", filled(business=str(business.pk), name="Coffee club"))
    assert response["Location"] == LIST
    program = Program.objects.get()
    assert (program.business, program.name, program.is_default) == (business, "Coffee club", True)
    assert program.tiers == [
        {"level": "bronze", "from_points": 0, "multiplier": "1"},
        {"level": "silver", "from_points": 500, "multiplier": "1"},
        {"level": "gold", "from_points": 1500, "multiplier": "1"},
        {"level": "platinum", "from_points": 3000, "multiplier": "1"},
        {"level": "diamond", "from_points": 5000, "multiplier": "1"},
    ]
    assert LogEntry.objects.get().object_repr == "Coffee club"


def test_another_default_takes_the_first_ones_place() -> None:
    first = builders.program(name="First")
    data = filled(business=str(first.business.pk), name="Second", is_default="on")
    manager_of(first.business).post(f"{LIST}add/", data)
    assert dict(Program.objects.values_list("name", "is_default")) == {"First": False, "Second": True}
    second = Program.objects.get(name="Second")
    manager_of(first.business).post(url(second), filled(name="Second"))
    second.refresh_from_db()
    assert second.is_default


def test_zero_is_zero_and_empty_is_no_limit() -> None:
    program = builders.program(name="Points")
    data = filled(points_per_unit="0", scan_points="0", max_points_per_day="", max_points_per_transaction="0")
    manager_of(program.business).post(url(program), data)
    program.refresh_from_db()
    assert (program.points_per_unit, program.scan_points) == (Decimal(0), 0)
    assert (program.max_points_per_day, program.max_points_per_transaction) == (None, 0)


def test_tiers_are_sorted_and_cards_move_to_them() -> None:
    program = builders.program(name="Points")
    card = builders.card(600, of=program)
    assert card.tier_level == "silver"
    tiers = [("top", "1000", "2"), ("start", "0", "1.0"), ("middle", "500", "1.25")]
    manager_of(program.business).post(url(program), filled(tiers))
    program.refresh_from_db()
    assert program.tiers == [
        {"level": "start", "from_points": 0, "multiplier": "1"},
        {"level": "middle", "from_points": 500, "multiplier": "1.25"},
        {"level": "top", "from_points": 1000, "multiplier": "2"},
    ]
    assert LoyaltyCard.objects.get(pk=card.pk).tier_level == "middle"


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([], "Give 1 to 20 tiers."),
        ([("bronze", "1", "")], "The first tier begins at 0 points."),
        ([("bronze", "0", ""), ("gold", "0", "")], "Each tier begins at more points than the one before."),
        ([("bronze", "0", ""), ("Bronze", "5", "")], "Two tiers have the same name."),
        ([("bronze", "0", "101")], "Row 1, multiplier: Ensure this value is less than or equal to 100."),
        ([("bronze", "0", ""), ("", "5", "")], "Row 2, tier: This field is required."),
        ([("bronze", "0", ""), ("gold", "many", "")], "Row 2, from points: Enter a whole number."),
        ([("bronze", "-1", "")], "Row 1, from points: Ensure this value is greater than or equal to 0."),
        ([("b" * 31, "0", "")], "Row 1, tier: Ensure this value has at most 30 characters (it has 31)."),
    ],
)
def test_tiers_that_break_a_rule_are_refused_in_words_and_kept_as_typed(
    tiers: list[tuple[str, str, str]], said: str
) -> None:
    program = builders.program(name="Points")
    before = program.tiers
    response = manager_of(program.business).post(url(program), filled(tiers))
    assert said in text_of(response)
    html = response.content.decode()
    assert all(f'value="{value}"' in html for row in tiers for value in row if value)
    assert Program.objects.get().tiers == before


def test_old_page_does_not_undo_what_a_colleague_changed() -> None:
    program = builders.program(name="Points")
    client = manager_of(program.business)
    services.change_program(program, tiers=[{"level": "all", "from_points": 0, "multiplier": "1"}])
    client.post(url(program), filled([("all", "0", "1")], welcome_points="25"))
    # The colleague's tiers stand in the form already; the name was changed on another page meanwhile.
    services.change_program(program, name="Points")
    program.refresh_from_db()
    assert (program.welcome_points, [tier["level"] for tier in program.tiers]) == (25, ["all"])


def test_name_of_a_colleagues_program_is_refused_at_its_field() -> None:
    program = builders.program(name="Points")
    builders.program(program.business, name="Taken")
    response = manager_of(program.business).post(url(program), filled(name="Taken"))
    assert "The business has a program of this name." in text_of(response)


def test_rewards_are_edited_with_the_program_and_twins_are_refused() -> None:
    program = builders.program(name="Points")
    twice = {"rewards-TOTAL_FORMS": "2"}
    twice |= {f"rewards-{number}-points_required": "500" for number in range(2)}
    twice |= {f"rewards-{number}-reward": "Coffee" for number in range(2)}
    client = manager_of(program.business)
    assert client.post(url(program), filled(**twice)).status_code == 200
    assert program.rewards.count() == 0
    assert client.post(url(program), filled(**twice | {"rewards-1-points_required": "600"})).status_code == 302
    assert sorted(program.rewards.values_list("points_required", flat=True)) == [500, 600]
    assert logged_in(builders.member("cashier", program.business)).get(url(program)).status_code == 200


def test_cashier_is_shown_everything_and_changes_nothing() -> None:
    program = builders.program(name="Points")
    client = logged_in(builders.member("cashier", program.business))
    response = client.get(url(program))
    assert "platinum 3000 1" in text_of(response)
    assert b"hx-post" not in response.content
    assert b"[{" not in response.content
    assert client.post(url(program), filled(name="Mine")).status_code == 403
    assert client.post(f"{LIST}preview/?program={program.pk}", filled()).status_code == 403


def test_examples_follow_what_is_typed_and_save_nothing() -> None:
    program = builders.program(name="Points")
    data = filled([("bronze", "0", "1"), ("gold", "500", "1.5")], min_order="20", redemption_minimum="200")
    data |= {"redemption_increment": "150", "max_redeem_percent": "50", "point_value": "0.005"}
    said = preview(manager_of(program.business), program, data)
    assert "Tier £10.00 £25.00 £50.00 Bronze 0 25 50 Gold × 1.5 0 37 75" in said
    assert "£50.00 at 1 × 1.5 for the tier = 75 points." in said
    assert "£10.00 is below the minimum order of £20.00: 0 points." in said
    assert "100 At least 200 points at once." in said
    assert "500 Points are redeemed in steps of 150: 450 or 600." in said
    assert "1,000 Points are redeemed in steps of 150: 900 or 1,050." in said
    assert Program.objects.get().min_order == 0


@pytest.mark.parametrize(
    ("changes", "smallest"),
    [
        ({}, "100 £1.00 £1.00 500 £5.00 £5.00 1,000 £10.00 £10.00"),
        ({"max_redeem_percent": "30"}, "100 £1.00 £3.34 500 £5.00 £16.67 1,000 £10.00 £33.34"),
        ({"point_value": "0"}, "100 £0.00 £0.00 500 £0.00 £0.00 1,000 £0.00 £0.00"),
        ({"max_redeem_percent": "0"}, "100 No part of an order may be paid with points."),
    ],
)
def test_smallest_order_is_one_that_the_till_accepts(changes: dict[str, str], smallest: str) -> None:
    program = builders.program(name="Points")
    assert smallest in preview(manager_of(program.business), program, filled(**changes))
    if changes.get("max_redeem_percent") == "30":
        saved = services.change_program(program, max_redeem_percent=30)
        card = builders.card(1000, of=saved)
        for points, total in ((100, "3.34"), (500, "16.67"), (1000, "33.34")):
            cents = int(total.replace(".", ""))
            services.preview_redemption(card, points=points, order_total=_money(cents))
            with pytest.raises(ValidationError, match="on a £"):
                services.preview_redemption(card, points=points, order_total=_money(cents - 1))


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def test_examples_speak_of_limits_visits_and_the_business_currency() -> None:
    Business.objects.filter(pk=builders.business().pk).update(currency="EUR")
    program = builders.program(builders.business(), name="Points")
    client = manager_of(program.business)
    said = preview(client, program, filled(max_points_per_transaction="30"))
    assert "More than 30 points are refused by the limits." in said
    assert "€50.00 at 1 = 50 points." in said
    visits = preview(client, program, filled(earn_rule="per_visit", points_per_unit="7"))
    assert "Every tier 7 7 7 7 for each visit = 7 points." in visits


def test_examples_show_errors_as_errors() -> None:
    program = builders.program(name="Points")
    said = preview(manager_of(program.business), program, filled([("a", "0", "x")], point_value="-1", name=""))
    assert "Not worked out yet" in said
    assert "Name: This field is required." in said
    assert "Worth of a point: Ensure this value is greater than or equal to 0." in said
    assert "Tiers: Row 1, multiplier: Enter a number." in said
    assert "An order earns" not in said


def test_preview_says_what_saving_changes() -> None:
    program, other = builders.program(name="Points"), builders.program(builders.business(), name="Other")
    client = manager_of(program.business)
    for holding in (100, 600, 700):
        builders.card(holding, of=program)
    assert "Nothing: this is what is saved." in preview(client, program, filled())
    assert "1 card changes tier." in preview(client, program, filled([("bronze", "0", ""), ("silver", "650", "")]))
    assert "No card changes tier." in preview(client, program, filled([*DEFAULT_TIERS, ("ruby", "9000", "")]))
    worth = preview(client, program, filled(point_value="0.02"))
    assert "The 1,400 points on cards become worth £28.00 instead of £14.00." in worth
    off = preview(client, program, filled() | {"is_active": ""})
    assert "Nothing is earned or redeemed any more. The 1,400 points on cards stay." in off
    days = preview(client, program, filled(expiry_days="30"))
    assert "Points earned from now on expire after 30 days; those on cards keep their date." in days
    assert "It takes the place of Points as the default." in preview(
        client, other, filled(name="Other", is_default="on")
    )
    assert "The rules hold from now on." in preview(client, program, filled(min_order="5"))
    assert set(LoyaltyCard.objects.values_list("tier_level", flat=True)) == {"bronze", "silver"}


def test_preview_of_a_new_program_needs_the_business() -> None:
    business, foreign = builders.business(), builders.business("elsewhere")
    client = manager_of(business)
    assert "Business: This field is required." in preview(client, None, filled())
    assert "Business: Select a valid choice." in preview(client, None, filled(business=str(foreign.pk)))
    said = preview(client, None, filled(business=str(business.pk)))
    assert "A new program: nobody is in it yet." in said


def test_preview_of_a_foreign_program_is_missing() -> None:
    foreign = builders.program(builders.business("elsewhere"))
    client = manager_of(builders.business())
    assert client.post(f"{LIST}preview/?program={foreign.pk}", filled()).status_code == 404
    assert client.post(f"{LIST}preview/?program=nonsense", filled()).status_code == 404
    assert client.get(f"{LIST}preview/").status_code == 405


def test_page_shows_the_saved_examples_without_javascript() -> None:
    program = builders.program(name="Points", points_per_unit=2)
    assert "Every tier 20 50 100" in text_of(manager_of(program.business).get(url(program)))


def test_switched_off_program_is_explained_as_if_it_were_on() -> None:
    program = builders.program(name="Points", is_active=False)
    assert "100 £1.00 £1.00" in text_of(manager_of(program.business).get(url(program)))


def test_a_change_that_a_colleague_made_impossible_ends_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    program = builders.program(name="Points")
    client = manager_of(program.business)

    def faster(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        builders.program(program.business, name="Taken")
        return services.change_program(*args, **kwargs)

    monkeypatch.setattr("loyalty.admin.programs.services.change_program", faster)
    response = client.post(url(program), filled(name="Taken"))
    assert response["Location"] == url(program)
    [message] = get_messages(response.wsgi_request)
    assert str(message) == "The business has a program of this name."


@pytest.mark.parametrize("count", [1, 3])
def test_list_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        builders.program(builders.business(f"shop-{number}"))
    staff_client.get(LIST)
    with django_assert_num_queries(6):
        staff_client.get(LIST)
