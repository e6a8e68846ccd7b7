"""The till in a real browser: by keyboard alone, and once however often it is pressed."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, expect
from pytest_django.live_server_helper import LiveServer

from loyalty import services
from loyalty.models import LoyaltyCard, PointsTransaction, RewardTier
from tests import builders
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser
ADA, GRACE = "07306 506797", "07306 506798"


@pytest.fixture
def till(live_server: LiveServer, really_committed: None) -> str:
    """A business with two customers, of whom Ada holds 500 points in one program and some in another."""
    program = builders.program(name="Harbour Points", redemption_increment=50, expiry_days=365)
    RewardTier.objects.create(program=program, points_required=200, reward="Coffee")
    ada = builders.customer(ADA)
    builders.card(7, of=builders.program(name="Coffee Club"), by=ada)
    builders.card(500, of=program, by=ada)
    builders.card(40, of=program, by=builders.customer(GRACE, first_name="Grace", last_name="Hopper"))
    return f"{live_server.url}/admin/loyalty/redeem/"


def opened(
    browser: Browser, till: str, role: str = "cashier", *, phone: bool = False, dark: bool = False, script: bool = True
) -> Page:
    """The till, with somebody of that role logged in through the form."""
    user = builders.member(role, builders.business())
    page = browser.new_page(
        viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    page.goto(till)
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", "secret-1")
    page.click("[type=submit]")
    page.wait_for_url(till)
    return page


def balance() -> int:
    return LoyaltyCard.objects.get(
        enrollment__customer__first_name="Ada", enrollment__program__is_default=True
    ).points_balance


def find(page: Page, text: str) -> None:
    """With the keyboard, wherever the focus is by itself."""
    expect(page.locator("#till_q")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator("#till_points")).to_be_focused()


def result(page: Page) -> str:
    return " ".join(page.inner_text(".till-result").split())


@pytest.mark.parametrize("script", [True, False])
def test_cashier_redeems_with_the_keyboard_alone_and_serves_the_next(
    browser: Browser, till: str, script: bool
) -> None:
    page = opened(browser, till, script=script)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.press("Tab")
    page.keyboard.type("25.50")
    page.keyboard.press("Enter")
    expect(page.locator("#till_confirm")).to_be_focused()
    assert "£23.50" in page.inner_text("#till_preview")
    assert balance() == 500
    page.keyboard.press("Enter")
    page.wait_for_url("**&done=*")
    assert result(page) == "Redeemed −200 points £2.00 off £23.50 to pay 300 points left"
    assert balance() == 300
    find(page, GRACE)
    assert "Grace Hopper" in page.inner_text(".till-standing")


def test_refusal_keeps_the_focus_in_the_field(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.keyboard.type("225")
    page.keyboard.press("Enter")
    expect(page.locator(".till-problems")).to_have_text("Points are redeemed in steps of 50: 200 or 250.")
    expect(page.locator("#till_points")).to_be_focused()


def test_typing_previews_by_itself_and_never_leads_to_the_button(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.keyboard.type("225")
    page.keyboard.press("Enter")
    page.locator(".till-problems").wait_for()
    page.fill("#till_points", "200")
    expect(page.locator("#till_confirm")).to_have_text("Redeem 200 points")
    expect(page.locator("#till_points")).to_be_focused()
    page.fill("#till_order_total", "1.50")
    expect(page.locator(".till-problems")).to_have_text("At most 150 on a £1.50 order.")
    expect(page.locator("#till_quick")).to_contain_text("150 Most possible")
    page.fill("#till_order_total", "")
    page.fill("#till_points", "200")
    page.locator("#till_confirm").wait_for()
    page.keyboard.type("0")
    assert page.evaluate("document.getElementById('till_preview').inert")
    expect(page.locator(".till-problems")).to_contain_text("500 points available; at most 500.")
    assert balance() == 500


def test_whoever_is_logged_out_meanwhile_logs_in_again(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.context.clear_cookies(name="sessionid")
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/login/**")
    assert "card%3D" in page.url


def test_ready_made_sum_fills_the_field_and_previews(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.get_by_role("link", name=re.compile("Coffee$")).click()
    expect(page.locator("#till_confirm")).to_be_focused()
    assert page.input_value("#till_points") == "200"
    assert balance() == 500


def test_key_held_down_previews_and_no_more(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.down("Enter")
    expect(page.locator("#till_confirm")).to_be_focused()
    for _ in range(3):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.wait_for_timeout(300)
    assert balance() == 500
    page.keyboard.press("Enter")
    page.wait_for_url("**&done=*")
    assert balance() == 300


@pytest.mark.parametrize("script", [True, False])
def test_double_click_redeems_once(browser: Browser, till: str, script: bool) -> None:
    page = opened(browser, till, script=script)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    expect(page.locator("#till_confirm")).to_be_focused()
    page.dblclick("#till_confirm")
    page.wait_for_url("**&done=*")
    assert re.match("(Already r|R)edeemed −200 points £2.00 off 300 points left", result(page))
    assert balance() == 300


def test_going_back_shows_the_card_as_it_is_now(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    expect(page.locator("#till_confirm")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**&done=*")
    page.reload()
    assert result(page).startswith("Redeemed −200 points")
    page.go_back()
    expect(page.locator(".till-available strong")).to_have_text("300")
    assert page.locator("#till_confirm").count() == 0
    assert balance() == 300


def test_going_back_and_sending_again_redeems_once(browser: Browser, till: str) -> None:
    page = opened(browser, till, script=False)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    page.locator("#till_confirm").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**&done=*")
    # The browser asks whether to send the form of the preview again, and does.
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    page.wait_for_url("chrome-error://**")
    page.reload()
    page.click("#till_confirm")
    page.wait_for_url("**&again=1")
    assert result(page).startswith("Already redeemed −200 points £2.00 off 300 points left Done on")
    assert balance() == 300


def test_page_from_before_sent_again_redeems_once(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    find(page, ADA)
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    expect(page.locator("#till_confirm")).to_be_focused()
    page.evaluate(
        "() => { const form = document.querySelector('.till-confirm');"
        "return fetch(form.action, {method: 'POST', body: new FormData(form, form.elements._confirm)}); }"
    )
    assert balance() == 300
    page.keyboard.press("Enter")
    page.wait_for_url("**&again=1")
    assert result(page).startswith("Already redeemed")
    assert balance() == 300


def test_somebody_new_is_enrolled_and_served(browser: Browser, till: str) -> None:
    page = opened(browser, till)
    page.keyboard.type("07306 506799")
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).fill("Bo Li")
    page.get_by_label("They agree").check()
    page.get_by_role("button", name="Enrol this phone").click()
    expect(page.locator("#till_customer")).to_have_text("Bo Li")
    expect(page.locator("#till_points")).to_be_focused()


def states(page: Page, till: str) -> Iterator[str]:
    """Every face of the till, one after the other."""
    card = LoyaltyCard.objects.get(points_balance=500)
    row = services.redeem_points(card, services.Instruction(), points=50).transaction
    assert row is not None
    services.hold_points(card, points=50, by=None)
    base = till.removesuffix("redeem/")
    pages = {
        "find": "redeem/",
        "hits": "redeem/?q=0730650679",
        "none": "redeem/?q=nobody",
        "unknown": "redeem/?q=07306506799",
        "enrol": "enrol/",
        "done": f"redeem/?card={card.pk}&done={row.pk}&again=1",
    }
    for name, address in pages.items():
        page.goto(base + address)
        yield name
    forms = {
        f"redeem/?card={card.pk}": {"points": "200", "order_total": "25.50"},
        f"award/?card={card.pk}": {"order_total": "25.50"},
        f"adjust/?card={card.pk}": {"points": "-50", "reason": "Typed by mistake."},
        f"transaction/{row.pk}/reverse/": {"reason": "Order returned."},
    }
    for address, values in forms.items():
        page.goto(base + address)
        yield address
        page.click("[name=_preview]")
        page.locator("#till_preview > *").first.wait_for()
        yield f"{address} empty"
        for name, value in values.items():
            page.fill(f"#till_{name}", value)
        page.click("[name=_preview]")
        expect(page.locator("#till_confirm")).to_be_focused()
        yield f"{address} preview"


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_face_of_the_till_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, till: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, till, "manager", phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    wide, barred, broken = [], {}, {}
    for face in states(page, till):
        if complaints:
            broken[face] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(face)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[face] = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
        complaints.clear()  # axe itself writes styles into the page
    assert (wide, broken, barred) == ([], {}, {})
    assert PointsTransaction.objects.filter(operation_type="redeem_points").count() == 1
