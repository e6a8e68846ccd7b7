"""The demo data: enough to try everything, and made once."""

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client

from config.management.commands.demo import LOGINS, PASSWORD
from crm.models import User
from loyalty.models import Customer, LoyaltyCard, PointsHold, PointsTransaction, Program
from loyalty.services import change_program, verify_ledger
from nominations import selectors
from nominations.models import Category, Season
from nominations.services import verify_votes
from notifications.models import ApprovalRequest

pytestmark = pytest.mark.django_db


def counts() -> dict[str, int]:
    """How many rows there are of each kind, but for the queue's."""
    models = [model for model in apps.get_models() if model._meta.app_label != "django_q"]
    return {model._meta.label: model._base_manager.count() for model in models}


def test_demo_has_a_points_program_with_believable_cards(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo")
    printed = capsys.readouterr().out
    assert [login for login in LOGINS if login not in printed] == []
    program = Program.objects.get(is_default=True)
    assert (program.name, program.welcome_points, program.expiry_days) == ("Harbour Points", 50, 365)
    assert program.rewards.count() == 3
    assert LoyaltyCard.objects.count() == 12
    phones = set(LoyaltyCard.objects.values_list("enrollment__customer__phone", flat=True))
    assert {phone for phone in phones if not str(phone).startswith("+447700900")} == {"+447306506797"}
    kinds = set(PointsTransaction.objects.values_list("operation_type", flat=True))
    assert kinds == {"welcome_bonus", "earn_points", "redeem_points", "adjust_points", "reverse_points"}
    assert PointsHold.objects.open().count() == 1
    assert verify_ledger() is None


def test_demo_again_adds_only_what_is_missing() -> None:
    call_command("demo", verbosity=0)
    before = counts()
    call_command("demo", verbosity=0)
    assert counts() == before
    change_program(Program.objects.get(is_default=True), is_active=False, name="Renamed")
    User.objects.filter(email="cashier@laurel.test").update(first_name="Mine")
    call_command("demo", verbosity=0)
    assert counts() == before
    assert User.objects.get(email="cashier@laurel.test").first_name == "Mine"


def test_demo_tells_of_customers_logins_and_awards() -> None:
    call_command("demo", verbosity=0)
    customer_has_an_invitation_to_answer()
    logins_may_enter()
    last_years_results_stand_and_this_year_votes()


def customer_has_an_invitation_to_answer() -> None:
    asked = ApprovalRequest.objects.get()
    customer = Customer.objects.get(user__email="customer@laurel.test")
    assert (asked.kind, asked.status, asked.customer_id) == ("enrollment", "pending", customer.pk)
    assert (customer.phone, customer.email) == ("+447306506797", "customer@laurel.test")


def logins_may_enter() -> None:
    for login in LOGINS:
        if not login.startswith("customer"):
            client = Client()
            sent: dict[str, Any] = {"username": login, "password": PASSWORD, "next": "/admin/"}
            assert client.post("/admin/login/", sent)["Location"] == "/admin/"
            assert client.get("/admin/").status_code == 200
            seen = client.get("/admin/loyalty/loyaltycard/").status_code
            assert seen == (403 if login.startswith("editor") else 200)


def last_years_results_stand_and_this_year_votes() -> None:
    last, current = Season.objects.get(is_current=False), selectors.current_season()
    frozen = selectors.frozen(last)
    assert frozen is not None
    assert (frozen.at, frozen.categories) == (last.results_published_at, 4)
    assert [len(selectors.podium(last, row)) > 1 for row in Category.objects.filter(results__season=last)] == [
        True
    ] * 12
    assert (selectors.frozen_at(current), selectors.stats(current)["votes"]) == (None, 18)
    assert verify_votes() == ""
