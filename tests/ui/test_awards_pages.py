"""The public pages of the awards in a real browser: for everybody, on any screen, also without a script."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from nominations import services
from nominations.models import Season
from tests import builders
from tests.nominations.public import picture
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser
LONG = "von Wolfeschlegelsteinhausenbergerdorff-Möllendorf"
HEAVY = 150_000


@pytest.fixture
def site(live_server: LiveServer, really_committed: None) -> str:
    """Two categories; in one 26 nominees, of whom two lead and one has a picture and a very long name."""
    firms = builders.category("best-firm", "company")
    builders.approved(to=firms, of=builders.company(company_name="ABC Company Ltd."))
    first, second, long = [
        builders.approved(of=builders.nominee(last_name=name, country="Ghana", job_title="Head of People"))
        for name in ("Known", "Nguyễn", LONG)
    ]
    for number in range(23):
        builders.approved(of=builders.nominee(last_name=f"Other{number}"), by=builders.person())
    long.nominee.image.save("long.webp", picture("WEBP", (800, 1000)))
    for nomination, count in ((first, 2), (second, 2), (long, 1)):
        for _ in range(count):
            builders.vote(nomination)
    return str(live_server.url)


@pytest.fixture
def results(site: str) -> str:
    """The same, after the results were published."""
    an_hour_ago = timezone.now() - timedelta(hours=1)
    Season.objects.update(nominations_close_at=an_hour_ago, voting_close_at=an_hour_ago)
    services.publish_results(Season.objects.get(), by=builders.superuser())
    return site


def opened(browser: Browser, *, phone: bool = False, dark: bool = False, script: bool = True) -> Page:
    """A page of its own, without anything remembered."""
    return browser.new_page(
        viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )


def vote(page: Page, site: str, slug: str, email: str) -> None:
    page.goto(f"{site}/nominee/{slug}")
    page.fill("#id_voter-first_name", "Tom")
    page.fill("#id_voter-last_name", "O'Brien")
    page.fill("#id_voter-email", email)
    send(page, "#vote")


def send(page: Page, part: str) -> None:
    """By the first button there, and wait for what comes back."""
    with page.expect_navigation():
        page.locator(f"{part} button[type=submit]").first.click()


def nominate(page: Page, site: str) -> None:
    """Somebody whose name is like that of a nominee."""
    page.goto(f"{site}/nominate?category=best-recruiter")
    typed = {"nominee-first_name": "Nia", "nominee-last_name": "Knownn", "why": "She listens."}
    typed |= {"nominator-first_name": "Li", "nominator-last_name": "Wei", "nominator-email": "li@example.org"}
    for name, value in typed.items():
        page.fill(f"[name={name}]", value)
    send(page, "form")


@pytest.mark.parametrize("script", [True, False])
def test_one_finds_a_nominee_votes_and_is_told_so_from_then_on(browser: Browser, site: str, script: bool) -> None:
    page = opened(browser, phone=True, script=script)
    page.goto(site)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Vote").click()
    page.fill("#id_q", "known")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".how-many")).to_contain_text("1 nominee")
    page.get_by_role("link", name="Nia Known").click()
    vote(page, site, "nia-known", "tom@example.org")
    expect(page.locator("#vote-title")).to_have_text("Your vote counted")
    page.goto(f"{site}/nominee/nia-nguyen")
    expect(page.locator("#vote")).to_contain_text("You have already voted in this category")
    expect(page.locator("#vote")).to_contain_text("your vote went to Nia Known")
    page.get_by_role("link", name="Show the form again").click()
    expect(page.locator("#id_voter-email")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_one_who_types_a_known_name_is_asked_and_keeps_what_was_typed(
    browser: Browser, site: str, script: bool
) -> None:
    page = opened(browser, phone=True, script=script)
    nominate(page, site)
    expect(page.get_by_text("Did you mean one of these?")).to_be_visible()
    assert page.input_value("[name=why]") == "She listens."
    page.get_by_label(re.compile("Nia Known")).check()
    page.get_by_role("button", name="Send the nomination").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for nominating Nia Known")


def faces(page: Page, site: str) -> Iterator[str]:
    """Every public page of the awards while all is open, and what one gets back."""
    paths = ["/", "/?category=best-firm", "/nominees", "/nominees?page=2&ordering=rank", "/nominees?q=nobody"]
    paths += ["/leaderboard", "/leaderboard?category=best-recruiter", "/leaderboard?category=none", "/nominate"]
    paths += ["/nominee/nia-von-wolfeschlegelsteinhausenbergerdorff-mollendorf", "/nominee/abc-company-ltd"]
    for path in [*paths, "/nominee/nobody"]:
        page.goto(site + path)
        yield path
    page.goto(f"{site}/nominee/nia-known")
    send(page, "#vote")
    yield "vote with errors"
    vote(page, site, "nia-known", "tom@example.org")
    yield "voted"
    page.goto(f"{site}/nominee/nia-known")
    yield "already voted"
    nominate(page, site)
    yield "did you mean"


def final_faces(page: Page, site: str) -> Iterator[str]:
    """What is different after the results."""
    for path in ("/", "/leaderboard?category=best-recruiter", "/nominee/nia-known", "/nominees", "/nominate"):
        page.goto(site + path)
        yield f"{path} at the end"


def judged(page: Page, shown: Iterator[str]) -> tuple[list[str], dict[str, list[str]], dict[str, list[str]]]:
    """Which faces scroll sideways, break the policy, or bar somebody."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    wide, broken, barred = [], {}, {}
    for face in shown:
        if complaints:
            broken[face] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(face)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[face] = [rule["id"] + rule["nodes"][0]["html"] for rule in found]
        complaints.clear()  # axe itself writes styles into the page
    return wide, broken, barred


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, phone=phone, dark=dark)
    assert judged(page, faces(page, site)) == ([], {}, {})


@pytest.mark.parametrize(("phone", "dark"), [(False, True), (True, False)])
def test_no_page_of_the_results_does_either(browser: Browser, results: str, phone: bool, dark: bool) -> None:
    page = opened(browser, phone=phone, dark=dark)
    assert judged(page, final_faces(page, results)) == ([], {}, {})


@pytest.mark.parametrize("path", ["/", "/nominees", "/leaderboard?category=best-recruiter", "/nominee/nia-known"])
def test_a_page_is_light_on_a_phone(browser: Browser, site: str, path: str) -> None:
    page = opened(browser, phone=True)
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(site + path)
    page.wait_for_load_state("networkidle")
    assert (sum(sizes) <= HEAVY, len(sizes) <= 10) == (True, True), sizes
