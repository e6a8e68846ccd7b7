"""The customers' pages in a real browser: they renew themselves, and work without a script."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from loyalty import services, tasks
from loyalty.models import LoyaltyCard, SignInLink
from loyalty.services.asking import ask_to_deduct, request_enrollment
from tests import builders
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser
ADA = "ada@example.org"
LONG = "The Corner Café & Bakery of St. Mary's Square"


@pytest.fixture
def site(live_server: LiveServer, really_committed: None, settings: Settings) -> str:
    """Ada has a card with 500 points, an invitation, and a question about some of the points."""
    settings.PUBLIC_BASE_URL = str(live_server.url)
    tenant = builders.business()
    tenant.name = LONG
    tenant.save()
    user = builders.plain_user(first_name="Ada")
    user.email = ADA
    user.save()
    ada = builders.customer("07306 506797", email=ADA, user=user, last_name="O'Lovelace-Montgomery")
    program = builders.program(name="Early Risers' Club", expiry_days=30)
    card = builders.card(500, of=program, by=ada)
    builders.card(0, of=builders.program(name="Nothing yet"), by=ada)
    ask_to_deduct(card, points=40, reason="Typed by mistake.", by=builders.superuser())
    request_enrollment(ada, builders.program(name="Coffee Club"), by=builders.superuser(), source="till")
    builders.program(name="Open to all", welcome_points=25)
    return str(live_server.url)


@pytest.fixture(autouse=True)
def nobody_asks_on(browser: Browser, site: str) -> Iterator[None]:
    """Pages that renew themselves would go on to, while the next test sets up."""
    yield
    for context in browser.contexts:
        for page in context.pages:
            page.goto("about:blank")
        context.close()


def opened(browser: Browser, site: str, *, phone: bool = False, dark: bool = False, script: bool = True) -> Page:
    """A page, signed in by password through the form; a script's clock can be moved."""
    page = browser.new_page(
        viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    if script:
        page.clock.install()
    page.goto(f"{site}/login")
    page.fill("#id_email", ADA)
    page.fill("#id_password", "secret-1")
    page.click("form:has(#id_password) button")
    page.wait_for_url(f"{site}/cards")
    return page


def card() -> LoyaltyCard:
    return LoyaltyCard.objects.complete().get(points_balance__gt=0)


@pytest.mark.parametrize("script", [True, False])
def test_mailed_link_leads_to_the_cards(browser: Browser, site: str, script: bool) -> None:
    page = browser.new_page(viewport=PHONE, java_script_enabled=script)  # type: ignore[arg-type]
    page.goto(f"{site}/qr")
    page.fill("#link_email", ADA)
    page.get_by_role("button", name="Email me a link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    tasks.mail_link(SignInLink.objects.get().pk)
    found = re.search(r"http\S+", str(mail.outbox[-1].body))
    assert found
    page.goto(found[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site}/qr")
    page.get_by_role("button", name="Sign out").click()
    page.goto(found[0])
    expect(page.get_by_text("This link was used already.")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("path", ["/cards", "/notifications"])
def test_invitation_is_accepted_where_it_stands(browser: Browser, site: str, path: str, script: bool) -> None:
    page = opened(browser, site, phone=True, script=script)
    page.goto(site + path)
    unread = page.locator("#bell .count").inner_text()
    asked = page.locator("article, .note").filter(has_text="Coffee Club")
    if script:
        page.evaluate("window.isSame = true")
    asked.get_by_role("button", name="Accept").click()
    expect(page.locator("#messages")).to_contain_text("Accepted: ")
    assert page.url.startswith(site + path)
    expect(asked.get_by_role("button", name="Accept")).to_have_count(0)
    if script:
        assert page.evaluate("window.isSame")
        expect(page.locator(".message")).to_be_focused()
    assert page.locator("#bell .count").inner_text() == unread  # one answered, one welcome
    page.goto(f"{site}/cards")
    expect(page.locator(".loyalty-card").filter(has_text="Coffee Club")).to_have_count(1)


def test_cards_renew_themselves_where_one_has_scrolled_to(browser: Browser, site: str) -> None:
    page = opened(browser, site, phone=True)
    page.evaluate("window.scrollTo(0, 500)")
    services.earn_points(card(), services.Instruction(), points=77)
    with page.expect_response(re.compile(r"/cards\?version=")) as news:
        page.clock.fast_forward(31_000)
    assert news.value.status == 200
    expect(page.locator(".loyalty-balance strong").first).to_have_text("537")
    assert page.evaluate("window.scrollY") == 500
    with page.expect_response(re.compile(r"/cards\?version=")) as nothing:
        page.clock.fast_forward(31_000)
    assert nothing.value.status == 204
    page.clock.fast_forward(5_000)
    expect(page.locator("[data-fresh]")).to_have_text(re.compile(r"Updated [5-9] s ago"))


def test_page_without_connection_says_so_and_recovers(browser: Browser, site: str) -> None:
    page = opened(browser, site)
    page.goto(f"{site}/notifications")
    broken = re.compile("version=")

    def cut(route: Route) -> None:
        route.abort()

    page.route(broken, cut)
    page.clock.fast_forward(31_000)
    expect(page.locator("[data-fresh]")).to_contain_text("No connection, updated 3")
    page.unroute(broken, cut)
    page.clock.fast_forward(31_000)
    expect(page.locator("[data-fresh]")).to_have_text(re.compile(r"Updated \d s ago"))


def test_bell_counts_on_a_page_that_does_not_renew_itself(browser: Browser, site: str) -> None:
    page = opened(browser, site)
    page.goto(f"{site}/notifications/preferences")
    before = int(page.locator("#bell .count").inner_text().split()[1])
    services.earn_points(card(), services.Instruction(), points=1)
    page.clock.fast_forward(31_000)
    expect(page.locator("#bell .count")).to_contain_text(str(before + 1))


def test_code_counts_down_and_is_followed_by_the_next(browser: Browser, site: str) -> None:
    page = opened(browser, site, phone=True)
    page.goto(f"{site}/qr")
    page.clock.run_for(300)
    expect(page.locator(".code-left")).to_have_text(re.compile(r"New code in \d+ s"))
    panel = page.locator(".code-panel")
    assert panel.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".code-picture svg").bounding_box()["width"] > 330  # type: ignore[index]
    with page.expect_response(f"{site}/qr") as following:
        page.clock.fast_forward(31_000)
    assert following.value.status == 200
    expect(panel).to_be_visible()


def faces(page: Page, site: str) -> Iterator[str]:
    """Every page of a customer, and those before signing in."""
    inside = ["/cards", "/cards?business=corner-cafe", f"/cards/{card().card_number}", "/qr", "/qr/printed"]
    inside += ["/qr/replace/printed", "/notifications", "/notifications?unread=1", "/notifications/preferences"]
    for path in inside:
        page.goto(site + path)
        yield path
    page.click("text=Sign out")
    for path in ("/login", "/join?business=corner-cafe", "/sign-in/sent", "/sign-in/nothing"):
        page.goto(site + path)
        yield path
    page.goto(f"{site}/join")
    page.click("main button")
    yield "/join with errors"


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    wide, barred, broken = [], {}, {}
    for face in faces(page, site):
        if complaints:
            broken[face] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(face)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[face] = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
        complaints.clear()  # axe itself writes styles into the page
    assert (wide, broken, barred) == ([], {}, {})
