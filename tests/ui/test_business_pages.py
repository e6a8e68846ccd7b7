"""The live table and the scanner in a real browser: what happens elsewhere is seen, and a scanner needs no hand."""

from contextlib import nullcontext
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import User
from loyalty.models import Customer, LoyaltyCard
from loyalty.services import Instruction, earn_points
from loyalty.services.codes import show_code
from tests import builders
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser
LIVE, CUSTOMERS, SCAN = "/admin/loyalty/customers/live/", "/business/customers", "/business/scan"
POLLED = 6_500


@pytest.fixture
def site(live_server: LiveServer, really_committed: None) -> str:
    """A business with Ada, who holds 500 points, and two others."""
    builders.card(500, by=builders.customer("07306 506797", user=builders.plain_user()))
    for name in ("Grace", "Linus"):
        builders.card(40, by=builders.customer(first_name=name, last_name="Hopper"))
    return live_server.url


@pytest.fixture
def cashier(site: str) -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def opened(
    browser: Browser, site: str, user: User, path: str, *, phone: bool = False, dark: bool = False, script: bool = True
) -> Page:
    """The page, with the user logged in through the form."""
    page = browser.new_page(
        viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    page.goto(f"{site}/admin/login/?next={path}")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", "secret-1")
    with still(page, path if script else ""):
        page.click("[type=submit]")
        page.wait_for_url(f"{site}{path}")
    return page


def still(page: Page, path: str) -> Any:
    """Until the page has said that it is open: a SQLite in memory takes no second writer."""
    is_live = path.partition("?")[0] in (LIVE, CUSTOMERS)
    return page.expect_response("**/live/here") if is_live else nullcontext()


def ada() -> LoyaltyCard:
    return LoyaltyCard.objects.get(enrollment__customer__first_name="Ada", enrollment__customer__phone="+447306506797")


@pytest.mark.parametrize("path", [LIVE, CUSTOMERS])
def test_award_made_elsewhere_is_seen_within_seconds(browser: Browser, site: str, cashier: User, path: str) -> None:
    page = opened(browser, site, cashier, path)
    row = page.locator(f"tr[data-id='{ada().enrollment.customer_id}']")
    expect(page.locator("[data-state]")).to_have_text("● Live (auto-refresh: 5s)")
    page.focus("#live_q")
    page.keyboard.type("not sent")
    earn_points(ada(), Instruction(), points=10)
    expect(row.locator("[data-diff]")).to_have_text("+10", timeout=POLLED)
    expect(row.locator(".live-points strong")).to_have_text("510")
    expect(row).to_have_class("live-moved")
    expect(page.locator("[data-total=points]")).to_have_text("590")
    expect(page.locator("[data-said]")).to_have_text("Ada Lovelace +10, now 510 points.")
    expect(page.locator("#live_q")).to_be_focused()
    expect(page.locator("#live_q")).to_have_value("not sent")
    expect(row).not_to_have_class("live-moved", timeout=7_000)
    page.close()


def test_newcomer_comes_in_on_top_and_leads_to_the_till(browser: Browser, site: str, cashier: User) -> None:
    page = opened(browser, site, cashier, LIVE)
    page.locator("[data-state]", has_text="Live").wait_for()
    card = builders.card(7, by=builders.customer("07700 900123", first_name="New", last_name="Comer"))
    page.click("[data-refresh]")
    first = page.locator("[data-rows] tr").first
    expect(first).to_contain_text("New Comer")
    expect(first).to_contain_text("+44 7700 900123")
    assert page.locator("[data-rows] tr").count() == 4
    first.locator(".live-till a").click()
    page.wait_for_url(f"**/redeem/?card={card.pk}")
    page.close()


def test_pause_holds_and_resume_catches_up(browser: Browser, site: str, cashier: User) -> None:
    page = opened(browser, site, cashier, LIVE)
    page.click("[data-pause]")
    expect(page.locator("[data-state]")).to_have_text("Paused")
    earn_points(ada(), Instruction(), points=10)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(POLLED)
    assert asked == []
    page.keyboard.press("Enter")
    expect(page.locator("[data-diff]", has_text="+10")).to_be_visible()
    page.close()


def test_silence_and_an_ended_login_are_told(browser: Browser, site: str, cashier: User) -> None:
    page = opened(browser, site, cashier, LIVE)
    page.locator("[data-state]", has_text="Live").wait_for()

    def silent(route: Route) -> None:
        route.abort()

    page.route("**/api/admin/customers*", silent)
    page.click("[data-refresh]")
    expect(page.locator("[data-problem]")).to_contain_text("The server does not answer. These figures are of ")
    expect(page.locator("[data-problem]")).to_contain_text("Trying again in 10 s.")
    expect(page.locator("[data-state]")).to_have_text("Not live")
    page.unroute("**/api/admin/customers*", silent)
    page.click("[data-refresh]")
    expect(page.locator("[data-problem]")).to_be_hidden()
    expect(page.locator("[data-state]")).to_have_text("● Live (auto-refresh: 5s)")
    page.context.clear_cookies()
    page.click("[data-refresh]")
    expect(page.locator("[data-problem]")).to_contain_text("Your login has ended")
    page.click("[data-problem] a")
    page.wait_for_url("**/admin/login/**")
    page.close()


@pytest.mark.parametrize("script", [True, False])
def test_scanner_types_and_the_next_code_needs_no_click(
    browser: Browser, site: str, cashier: User, script: bool
) -> None:
    page = opened(browser, site, cashier, SCAN, script=script)
    result = page.locator("#scan-result")
    for said, points, code in (
        ("+10 points", 510, show_code(Customer.objects.get(first_name="Ada"), "rotating").code),
        ("Not a good code", 510, "NONSENSE"),
    ):
        expect(page.locator("#scan_code")).to_be_focused()
        page.keyboard.type(code)
        page.keyboard.press("Enter")
        expect(result.locator("h2")).to_have_text(said)
        expect(page.locator("#scan_code")).to_have_value("")
        assert ada().points_balance == points
    expect(page.locator("#scan-last li")).to_have_count(2)
    page.close()


def test_code_that_a_scanner_reads_twice_is_sent_once(browser: Browser, site: str, cashier: User) -> None:
    page = opened(browser, site, cashier, SCAN)
    code = show_code(Customer.objects.get(first_name="Ada"), "rotating").code
    for _ in range(2):
        page.keyboard.type(code)
        page.keyboard.press("Enter")
    expect(page.locator("#scan-result h2")).to_have_text("+10 points")
    page.wait_for_timeout(500)
    expect(page.locator("#scan-result h2")).to_have_text("+10 points")
    expect(page.locator("#scan-last li")).to_have_count(1)
    page.click("h1")
    expect(page.locator("#scan_code")).to_be_focused()
    page.close()


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, cashier: User, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, cashier, LIVE, phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    wide, barred, broken = [], {}, {}
    for path in (LIVE, f"{LIVE}?q=nobody", CUSTOMERS, SCAN):
        with still(page, path):
            page.goto(f"{site}{path}")
        if path in (LIVE, CUSTOMERS):
            earn_points(ada(), Instruction(), points=10)
            page.click("[data-refresh]")
            page.locator("[data-diff]", has_text="+10").wait_for()
        if path == SCAN:
            code = show_code(Customer.objects.get(first_name="Ada"), "rotating").code
            page.keyboard.type(code)
            page.keyboard.press("Enter")
            page.locator(".scan-result").wait_for()
        if complaints:
            broken[path] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[path] = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
        complaints.clear()  # axe itself writes styles into the page
    page.close()
    assert (wide, broken, barred) == ([], {}, {})
