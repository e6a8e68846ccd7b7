"""A business and a customer side by side: a scan that both see, and an answer that means what it says."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import User
from loyalty.models import Customer, Enrollment, LoyaltyCard, Program
from tests import builders
from tests.ui.test_journey import PHONE, WIDE

pytestmark = pytest.mark.browser
SEEN = 8_000


@pytest.fixture
def program(live_server: LiveServer, really_committed: None) -> Program:
    """Fifty points of welcome, ten for a scan."""
    return builders.program(name="Harbour Points", welcome_points=50, scan_points=10, is_default=True)


@pytest.fixture
def ada(program: Program) -> Customer:
    """Has a login and no card."""
    return builders.customer("07306 506797", user=builders.plain_user())


@pytest.fixture(autouse=True)
def nobody_asks_on(browser: Browser, program: Program) -> Iterator[None]:
    """Pages that renew themselves would go on to, while the next test sets up."""
    yield
    for context in browser.contexts:
        for page in context.pages:
            page.goto("about:blank")
        context.close()


def signed_in(browser: Browser, live_server: LiveServer, user: User | None, path: str, *, phone: bool = False) -> Page:
    """A page of that user, in a session of its own."""
    assert user is not None
    page = browser.new_context(viewport=PHONE if phone else WIDE).new_page()  # type: ignore[arg-type]
    page.goto(f"{live_server.url}/login?next={path}")
    page.fill("#id_email", user.email)
    page.fill("#id_password", "secret-1")
    page.click("form:has(#id_password) button")
    page.wait_for_url(f"{live_server.url}{path}")
    return page


def both(browser: Browser, live_server: LiveServer, ada: Customer) -> tuple[Page, Page]:
    """The till's scanner, and the customer's phone with the code on it."""
    cashier = builders.member("cashier", builders.business())
    till = signed_in(browser, live_server, cashier, "/business/scan")
    return till, signed_in(browser, live_server, ada.user, "/qr", phone=True)


def scan(till: Page, mobile: Page, said: str) -> None:
    """What the phone shows is read by the till."""
    code = "".join(mobile.locator(".code-text span").all_inner_texts())
    till.fill("#scan_code", code)
    till.press("#scan_code", "Enter")
    expect(till.locator("#scan-result h2")).to_have_text(said, timeout=SEEN)


def test_stranger_is_asked_says_yes_and_the_business_sees_them(
    browser: Browser, live_server: LiveServer, ada: Customer
) -> None:
    till, mobile = both(browser, live_server, ada)
    scan(till, mobile, "Request sent")
    news = mobile.locator("#news")
    expect(news).to_contain_text("Your QR code was scanned by", timeout=SEEN)
    expect(news).to_contain_text("invites you to join Harbour Points")
    assert LoyaltyCard.objects.count() == 0
    news.get_by_role("button", name="Accept").click()
    expect(news).to_contain_text("Welcome to Harbour Points", timeout=SEEN)
    expect(news.get_by_role("button", name="Accept")).to_have_count(0)
    assert LoyaltyCard.objects.get().points_balance == 50
    till.goto(f"{live_server.url}/business/customers")
    row = till.locator("[data-rows] tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Ada Lovelace")
    expect(row.locator(".live-points strong")).to_have_text("50")


def test_stranger_who_says_no_gets_nothing(browser: Browser, live_server: LiveServer, ada: Customer) -> None:
    till, mobile = both(browser, live_server, ada)
    scan(till, mobile, "Request sent")
    news = mobile.locator("#news")
    expect(news.get_by_role("button", name="Decline")).to_be_visible(timeout=SEEN)
    news.get_by_role("button", name="Decline").click()
    expect(news).to_contain_text("You declined to join", timeout=SEEN)
    assert (LoyaltyCard.objects.count(), Enrollment.objects.get().status) == (0, "declined")
    till.goto(f"{live_server.url}/business/customers")
    expect(till.locator("[data-rows] tr")).to_have_count(0)


def test_member_earns_by_a_scan_and_both_see_it_without_reloading(
    browser: Browser, live_server: LiveServer, ada: Customer, program: Program
) -> None:
    builders.card(of=program, by=ada)
    till, mobile = both(browser, live_server, ada)
    cashier = builders.member("manager", builders.business())
    live = signed_in(browser, live_server, cashier, "/business/customers")
    expect(live.locator(".live-points strong")).to_have_text("50")
    scan(till, mobile, "+10 points")
    expect(mobile.locator("#news")).to_contain_text("You earned 10 points", timeout=SEEN)
    expect(live.locator(".live-points strong")).to_have_text("60", timeout=SEEN)
    expect(live.locator("[data-diff]")).to_have_text("+10")
    assert LoyaltyCard.objects.get().points_balance == 60
