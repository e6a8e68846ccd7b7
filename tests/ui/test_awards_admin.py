"""The awards' section of the admin in a real browser, with some of everything; needs Debian's chromium package."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from nominations import selectors, services
from nominations.models import (
    ImportBatch,
    ManualVote,
    Merge,
    Nomination,
    Nominee,
    NomineeReply,
    Season,
    Vote,
    VoteRuling,
)
from nominations.models.imports import COLUMNS
from tests import builders
from tests.nominations.public import picture
from tests.ui.test_journey import WCAG
from tests.ui.test_points_admin import opened

pytestmark = pytest.mark.browser
ADMIN = "/admin/nominations/"
LISTS = ["nomination", "nominee", "season", "stageddecision", "importbatch", "merge"]
LISTS += ["nomineereply", "decisionlog", "result", "vote", "manualvote", "voteruling"]
DECISIONS = ("change", "approve", "reject", "duplicate", "stage")
LONG = "von Wolfeschlegelsteinhausenbergerdorff-Möllendorf"
WHY = "She found work for nine of us, and never forgot to call. " * 12
JANE = {"type": "person", "category": "best-recruiter", "first_name": "Jane", "last_name": "Doe"}
BAD = {"type": "person", "category": "best-of-all-the-recruiters-there-ever-were", "first_name": "Jo", "email": "jo@"}


def sheet() -> bytes:
    """Two rows of a file, of which one has problems."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows([{**JANE, "why_vote_for_me": "Good."}, BAD])
    return out.getvalue().encode()


def fill() -> None:
    """A season before with results, and in this one some of everything that staff meet."""
    by, now = builders.superuser(), timezone.now()
    before = builders.season(name="Laurel 2025", voting_close_at=now + timedelta(hours=1))
    for _ in range(3):
        builders.vote(builders.approved())
    Season.objects.filter(pk=before.pk).update(
        nominations_close_at=now - timedelta(hours=1), voting_close_at=now - timedelta(hours=1)
    )
    services.publish_results(before, by=by)
    season = services.clone_season(before, name="Laurel 2026", by=by)
    services.make_season_current(season)
    opened_at = {"nominations_open_at": now - timedelta(days=2), "voting_open_at": now - timedelta(days=2)}
    builders.season(**opened_at, nominations_close_at=None, voting_close_at=None)
    fill_nominations()
    fill_votes()
    batch = services.start_import(sheet(), file_name="nominations-of-the-north.csv", season=season, by=by)
    services.run_import(batch.pk)


def fill_nominations() -> None:
    """One in each state; staged, merged, and with the words of nominees."""
    by = builders.superuser()
    for state in ("submitted", "approved", "rejected", "withdrawn", "duplicate"):
        builders.in_state(state, why=WHY)
    for decision in ("approve", "reject"):
        services.stage_decisions([builders.submitted(why=WHY)], decision=decision, by=by, reason="Not eligible.")
    for last in ("Nwosu", "Nwosue", "Nwosuh"):
        builders.approved(of=builders.nominee(first_name="Maya", last_name=last, company="Example Partners"))
    merged, into = Nominee.objects.filter(last_name__in=("Nwosu", "Nwosue")).order_by("last_name")
    services.merge_nominees(merged, into, by=by, reason="The same person, with another spelling.")
    long = builders.approved(of=builders.nominee(last_name=LONG, job_title="Head of People", bio=WHY), why=WHY).nominee
    long.image.save("long.webp", picture("WEBP", (800, 1000)))
    services.ask_for_correction(long, bio=f"New story. {WHY}", achievements="A prize.", image=picture("WEBP"))
    other = builders.approved(to=builders.category("best-firm", "company"), of=builders.company()).nominee
    services.ask_to_take_down(other, note="I would rather not take part.")


def fill_votes() -> None:
    """A suspicious group, one taken out, and votes by hand."""
    by = builders.superuser()
    star, rival = (builders.approved(of=builders.nominee(last_name=name)) for name in ("Star", "Rival"))
    for nomination, network in ((star, "192.0.2.7"), (rival, "198.51.100.7")):
        for _ in range(6):
            services.cast_vote(nomination.category, nomination.nominee, voter=builders.person(), address=network)
    votes = Vote.objects.filter(nominee=rival.nominee)
    services.invalidate_votes(votes, reason=Vote.Reason.STAFF, note="All from one desk.", by=by)
    services.add_manual_votes(star.nominee, star.category, count=25, reason="Votes on paper, at the fair.", by=by)


def addresses() -> list[str]:
    """Every page of the section that a link or a button leads to."""
    waiting = Nomination.objects.filter(state="submitted", staged__isnull=True).earliest("created_at")
    staged = Nomination.objects.filter(staged__isnull=False).earliest("created_at")
    rejected = Nomination.objects.get(state="rejected")
    words, pictured = NomineeReply.objects.filter(state="open"), Nominee.objects.get(last_name=LONG)
    like = Nominee.objects.get(last_name="Nwosuh")
    into = Nominee.objects.get(last_name="Nwosue")
    frozen, current = Season.objects.get(name="Laurel 2025"), Season.objects.get(is_current=True)
    cluster = next(group for group in selectors.clusters(current) if group.size == 6)
    found = [f"{name}/" for name in LISTS]
    found += ["nomination/?q=nobody", "analytics/"]
    found += [f"nomination/{waiting.pk}/{page}/" for page in DECISIONS]
    found += [f"nomination/{staged.pk}/change/", f"nomination/{staged.pk}/stage/"]
    found += [f"nomination/{rejected.pk}/change/", f"nomination/{rejected.pk}/reopen/"]
    found += ["nomination/import/", "nomination/add/", "nomination/add/?category=best-recruiter"]
    found += ["stageddecision/apply/", f"importbatch/{ImportBatch.objects.get(failed_rows=1).pk}/change/"]
    found += [f"nominee/{pictured.pk}/change/", f"nominee/{like.pk}/merge/?q=maya"]
    found += [f"nominee/{like.pk}/merge/{into.pk}/", "nominee/duplicates/"]
    found += [f"merge/{Merge.objects.get().pk}/{page}/" for page in ("change", "undo")]
    found += [f"nominee/{Merge.objects.get().loser_id}/change/"]
    found += [f"nomineereply/{row.pk}/settle/" for row in words]
    found += [f"nomineereply/{words[0].pk}/{page}/" for page in ("change", "dismiss")]
    found += [f"nomineereply/mail/{pictured.pk}/"]
    found += [f"season/{frozen.pk}/{page}/" for page in ("change", "withdraw", "clone")]
    found += [f"season/{current.pk}/{page}/" for page in ("change", "publish")]
    found += [f"vote/{Vote.objects.counted().latest('created_at').pk}/change/", "vote/clusters/"]
    group = f"season={current.pk}&category={cluster.category_id}&nominee={cluster.nominee_id}"
    found += [f"vote/clusters/review/?{group}&kind={cluster.kind}&value={quote(cluster.value)}"]
    found += [f"voteruling/{VoteRuling.objects.get().pk}/{page}/" for page in ("change", "undo")]
    by_hand = ManualVote.objects.latest("created_at")
    found += [f"manualvote/{by_hand.pk}/change/", "manualvote/add/"]
    return [f"{ADMIN}{path}" for path in found]


def own_pages() -> list[str]:
    """What a nominee sees by their link, with a correction that waits for staff."""
    link = f"/own/{services.own_token(Nominee.objects.get(last_name=LONG))}"
    return [link, f"{link}/correct", f"{link}/take-down"]


def tick(page: Page, listed: str, action: str) -> None:
    """The first rows of the list, and the action's preview."""
    page.goto(f"{origin(page)}{ADMIN}{listed}")
    for box in page.locator(".action-select").all()[:3]:
        box.check()
    page.locator("select[name=action]").select_option(action)
    press(page, page.get_by_role("button", name="Go"))


def origin(page: Page) -> str:
    return str(page.evaluate("location.origin"))


def press(page: Page, button: Locator) -> None:
    with page.expect_navigation():
        button.click()


def faces(page: Page) -> Iterator[str]:
    """Each page that is reached by a form only: it is open while its name is out. Nothing is decided."""
    page.goto(f"{origin(page)}{ADMIN}nomination/import/")
    page.set_input_files("[name=file]", {"name": "north.csv", "mimeType": "text/csv", "buffer": sheet()})
    press(page, page.get_by_role("button", name="Check only"))
    yield "the report of a check"
    for action in ("approve_selected", "reject_selected", "stage_rejection"):
        tick(page, "nomination/", action)
        yield action
    for state, action in (("counted", "invalidate_selected"), ("invalid", "restore_selected")):
        tick(page, f"vote/?state__exact={state}", action)
        yield action
    page.goto(f"{origin(page)}{ADMIN}nomination/add/?category=best-recruiter")
    page.fill("[name=nominee-first_name]", "Maya")
    page.fill("[name=nominee-last_name]", "Nwosuhh")
    press(page, page.get_by_role("button", name="Add as submitted"))
    yield "somebody like a known nominee"
    page.goto(f"{origin(page)}{ADMIN}manualvote/add/")
    page.select_option("[name=nominee]", label="Nia Star")
    page.select_option("[name=category]", label="Best Recruiter")
    page.fill("[name=count]", "5")
    page.fill("[name=reason]", "By post.")
    press(page, page.get_by_role("button", name="Preview"))
    yield "manual votes before they are added"
    page.goto(f"{origin(page)}{ADMIN}decisionlog/")
    press(page, page.get_by_role("button", name="Prove the log"))
    yield "the proof of the log"
    page.goto(f"{origin(page)}{ADMIN}stageddecision/apply/")
    press(page, page.get_by_role("button", name="Apply"))
    yield "how far the stage is"


class Look:
    """What is wrong with the pages that were looked at."""

    def __init__(self, page: Page) -> None:
        self.page, self.wrong, self.complaints = page, dict[str, list[str]](), list[str]()
        page.on("console", self.hear)

    def hear(self, message: ConsoleMessage) -> None:
        """An error of the page; axe's own styles are told of while nobody listens."""
        if message.type == "error":
            self.complaints.append(message.text)

    def at(self, name: str) -> None:
        """The page as it stands."""
        found = list(self.complaints)
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append("scrolls sideways")
        for rule in Axe().run(self.page, options=WCAG).response["violations"]:
            found.append(f"{rule['id']}: {rule['nodes'][0]['html']}")
        self.complaints.clear()
        if found:
            self.wrong[name] = found


@pytest.fixture
def site(live_server: LiveServer, really_committed: None, settings: Settings, tmp_path: Path) -> str:
    """Some of everything."""
    settings.MEDIA_ROOT = tmp_path
    fill()
    return str(live_server.url)


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)])
def test_no_screen_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, builders.superuser(), phone=phone, dark=dark)
    look = Look(page)
    for address in [*addresses(), *own_pages()]:
        look.complaints.clear()
        page.goto(f"{site}{address}")
        look.at(address)
    for face in faces(page):
        look.at(face)
    assert look.wrong == {}
