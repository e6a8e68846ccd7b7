"""What staff and visitors see in a real browser; needs Debian's chromium package."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from config.sandbox import RunningSandbox
from loops_sync import services
from tests import builders

pytestmark = pytest.mark.browser
# Without these Chromium tries to call home, many times.
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}
PUBLIC = ["/", "/nominate", "/nominate?category=best-recruiter", "/nominee/nia-known", "/nominee/nobody", "/api/docs"]
STAFF = [
    "/admin/",
    "/admin/nominations/nomination/",
    "/admin/nominations/nominee/",
    "/admin/nominations/season/",
    "/admin/nominations/season/add/",
    "/admin/nominations/result/",
    "/admin/nominations/analytics/",
    "/admin/nominations/decisionlog/",
    "/admin/loops_sync/outboxentry/",
    "/admin/loops_sync/contact/",
    "/admin/crm/business/",
    "/admin/crm/user/",
]


@pytest.fixture
def site(live_server: LiveServer, really_committed: None, loops: RunningSandbox) -> str:
    """A site with one approved and one waiting nomination."""
    builders.approved(of=builders.nominee(last_name="Known"))
    builders.submitted(of=builders.nominee(first_name="Grace", last_name="O'Hopper", email="grace@example.com"))
    services.drain()
    return str(live_server.url)


def opened(browser: Browser, site: str, *, phone: bool = False, dark: bool = False, staff: bool = True) -> Page:
    """A page, logged in through the form."""
    page = browser.new_page(viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
    if staff:
        builders.superuser()
        page.goto(f"{site}/admin/login/")
        page.fill("input[name=username]", "boss@example.org")
        page.fill("input[name=password]", "secret-1")
        page.click("[type=submit]")
        page.wait_for_url(f"{site}/admin/")
    return page


def test_staff_approve_and_watch_the_delivery_without_a_reload(
    browser: Browser, site: str, loops: RunningSandbox
) -> None:
    page = opened(browser, site)
    page.goto(f"{site}/admin/nominations/nomination/")
    page.get_by_role("link", name=re.compile("Review")).first.click()
    assert "Grace O'Hopper" in page.inner_text("h1")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/delivery/")
    page.evaluate("window.notReloaded = true")
    assert "Waiting" in page.inner_text("main, #content")
    services.drain()
    page.get_by_text("Nothing more to wait for").wait_for(timeout=8000)
    assert page.evaluate("window.notReloaded")
    held = loops.contact("grace@example.com")
    assert held is not None
    assert held["userGroup"] == "Nominess"


def test_a_stale_tab_ends_in_already_decided(browser: Browser, site: str) -> None:
    page, colleague = opened(browser, site), opened(browser, site)
    for tab in (page, colleague):
        tab.goto(f"{site}/admin/nominations/nomination/")
        tab.get_by_role("link", name=re.compile("Review")).first.click()
    for tab in (page, colleague):
        tab.get_by_role("button", name="Approve").click()
        tab.wait_for_load_state()
    assert "Already decided" in colleague.inner_text("body")


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    wide, barred, broken = [], {}, {}
    for address in PUBLIC + STAFF:
        complaints.clear()  # axe itself wrote styles into the page before
        page.goto(f"{site}{address}")
        if complaints:
            broken[address] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
        found = Axe().run(page, options=WCAG).response["violations"] if address != "/api/docs" else []
        if found:
            barred[address] = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
    assert (wide, broken, barred) == ([], {}, {})
