"""The points section of the admin in a real browser; needs Debian's chromium package."""

from decimal import Decimal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from crm.models import User
from loyalty import services
from loyalty.models import LedgerProof, LoyaltyCard, PointsHold, PointsTransaction, Program
from loyalty.services import Instruction
from tests import builders
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser
ADMIN = "/admin/loyalty/"
LISTS = ("program", "customer", "loyaltycard", "enrollment", "pointshold", "pointstransaction", "ledgerproof")


@pytest.fixture
def site(live_server: LiveServer, really_committed: None) -> str:
    """A program with some of everything, and somebody at whom to look closer."""
    program = builders.program(name="Points", expiry_days=365, welcome_points=50)
    program.rewards.create(points_required=500, reward="Coffee")
    card, cashier = builders.card(0, of=program), builders.member("cashier", program.business)
    earned = services.earn_points(card, Instruction(by=cashier, reference="A-1"), order_total=Decimal(800)).transaction
    services.earn_points(builders.card(0, of=program), Instruction(by=cashier), points=900)
    services.redeem_points(card, Instruction(by=cashier), points=100, order_total=Decimal(20))
    services.hold_points(card, points=50, by=cashier, reason="For tomorrow.")
    assert earned is not None
    services.reverse_transaction(earned, Instruction(by=cashier), reason="Returned.", points=10)
    services.run_proof(services.start_proof(by=None))
    return str(live_server.url)


def opened(browser: Browser, site: str, user: User, *, phone: bool = False, dark: bool = False) -> Page:
    """A page, logged in through the form."""
    page = browser.new_page(viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    page.goto(f"{site}/admin/login/")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", "secret-1")
    page.click("[type=submit]")
    page.wait_for_url(f"{site}/admin/")
    return page


def addresses() -> list[str]:
    """Every page of the section."""
    card = LoyaltyCard.objects.complete().get(transactions__operation_type="reverse_points")
    things = [Program.objects.get(), card, card.enrollment, card.enrollment.customer, PointsHold.objects.get()]
    things += [LedgerProof.objects.get(), *PointsTransaction.objects.filter(card=card)]
    pages = [f"{ADMIN}{thing._meta.model_name}/{thing.pk}/change/" for thing in things]
    return ["/admin/", *(f"{ADMIN}{name}/" for name in LISTS), f"{ADMIN}reports/", f"{ADMIN}program/add/", *pages]


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, builders.superuser(), phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    wide, barred, broken = [], {}, {}
    for address in addresses():
        complaints.clear()  # axe itself wrote styles into the page before
        page.goto(f"{site}{address}")
        if complaints:
            broken[address] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[address] = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
    assert (wide, broken, barred) == ([], {}, {})


def test_cashier_finds_no_barrier_either(browser: Browser, site: str) -> None:
    program = Program.objects.get()
    page = opened(browser, site, builders.member("cashier", program.business), phone=True)
    for address in (f"{ADMIN}program/{program.pk}/change/", f"{ADMIN}customer/"):
        page.goto(f"{site}{address}")
        assert Axe().run(page, options=WCAG).response["violations"] == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_worked_examples_follow_typing_and_save_nothing(browser: Browser, site: str) -> None:
    program = Program.objects.get()
    page = opened(browser, site, builders.member("manager", program.business))
    page.goto(f"{site}{ADMIN}program/{program.pk}/change/")
    page.evaluate("window.notReloaded = true")
    examples = page.locator("#examples")
    assert "£50.00 at 1 = 50 points." in examples.inner_text()
    page.locator("#id_points_per_unit").press("End")
    page.locator("#id_points_per_unit").press_sequentially("0")
    examples.get_by_text("£50.00 at 10 = 500 points.").wait_for(timeout=8000)
    page.fill("#id_redemption_minimum", "200")
    examples.get_by_text("At least 200 points at once.").wait_for(timeout=8000)
    page.fill("#id_point_value", "-1")
    examples.get_by_text("Ensure this value is greater than or equal to 0.").wait_for(timeout=8000)
    page.fill("#id_point_value", "0.02")
    examples.get_by_text("become worth").wait_for(timeout=8000)
    assert page.evaluate("window.notReloaded")
    assert Program.objects.get().points_per_unit == 1


def test_tier_is_added_by_a_button_and_counts_at_once(browser: Browser, site: str) -> None:
    program = Program.objects.get()
    page = opened(browser, site, builders.member("manager", program.business), phone=True)
    page.goto(f"{site}{ADMIN}program/{program.pk}/change/")
    page.get_by_role("button", name="Add a tier").click()
    for column, value in (("Tier", "ruby"), ("From points", "700"), ("Multiplier", "3")):
        page.get_by_label(f"{column}, row 7").fill(value)
    page.locator("#examples").get_by_text("× 3", exact=True).wait_for(timeout=8000)
    assert "2 cards change tier." in page.locator("#examples").inner_text()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url(f"{site}{ADMIN}program/")
    assert [tier["level"] for tier in Program.objects.get().tiers][2] == "ruby"


def test_proof_is_watched_without_touching_the_page(browser: Browser, site: str) -> None:
    page = opened(browser, site, builders.superuser())
    page.goto(f"{site}{ADMIN}ledgerproof/")
    page.get_by_role("button", name="Prove the ledger now").click()
    page.get_by_text("0 of 2 cards checked").wait_for(timeout=8000)
    services.run_proof(LedgerProof.objects.latest("created_at"))
    page.locator(".verdict").get_by_text("2 cards agree with the ledger.").wait_for(timeout=8000)


def test_hold_is_released_from_the_cards_page(browser: Browser, site: str) -> None:
    card = PointsHold.objects.get().card
    page = opened(browser, site, builders.superuser())
    page.goto(f"{site}{ADMIN}loyaltycard/{card.pk}/change/")
    page.get_by_role("button", name="Release 50 points").click()
    page.get_by_text("Released: 50 points are free again.").wait_for(timeout=8000)
    assert PointsHold.objects.get().status == "released"
