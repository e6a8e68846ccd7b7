"""The CRM's pages in a real browser: connected by one click, watched without a reload, open to everybody."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.sandbox import RunningSandbox
from config.sandbox.nango import Nango
from crm import services, tasks
from crm.models import Connection, Lead, SyncRun
from tests import builders
from tests.ui.test_journey import PHONE, WCAG, WIDE

pytestmark = pytest.mark.browser


@pytest.fixture
def nango(running_sandbox: RunningSandbox, settings: Settings) -> Iterator[Nango]:
    """Nango, with nobody connected."""
    running_sandbox.nango.reset()
    settings.NANGO_HOST = running_sandbox.nango_url
    settings.NANGO_SECRET_KEY = "0c2f9a7e-1111-4222-8333-944445555666"
    yield running_sandbox.nango
    running_sandbox.nango.reset()


@pytest.fixture
def site(live_server: LiveServer, really_committed: None, nango: Nango) -> str:
    """A business without a CRM."""
    builders.business()
    return f"{live_server.url}/admin/"


def opened(
    browser: Browser, site: str, role: str = "owner", *, phone: bool = False, dark: bool = False, script: bool = True
) -> Page:
    """The home, with somebody of that role logged in through the form."""
    user = builders.member(role, builders.business())
    page = browser.new_page(
        viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    page.goto(f"{site}login/")
    page.fill("input[name=username]", user.email)
    page.fill("input[name=password]", "secret-1")
    page.click("[type=submit]")
    page.wait_for_url(site)
    return page


def connected(nango: Nango, **account: object) -> Connection:
    """The business's connection, read once."""
    business = builders.business()
    connection_id = nango.connect("hubspot", tags={"organization_id": str(business.pk)}, **account)  # type: ignore[arg-type]
    connection = services.connect(business, services.look_up(connection_id, "hubspot"), by=None)
    work()
    return connection


def work() -> SyncRun:
    """What a worker does with the run that waits."""
    return services.execute_run(SyncRun.objects.get(status="queued"))


def lost(nango: Nango, connection: Connection, count: int) -> None:
    """So many contacts are deleted at the CRM."""
    for contact in nango.contacts(connection.nango_connection_id)[:count]:
        nango.delete_contact(connection.nango_connection_id, contact["id"])


@pytest.mark.parametrize("script", [True, False])
def test_crm_is_connected_in_a_tab_beside_the_page(browser: Browser, site: str, nango: Nango, script: bool) -> None:
    page = opened(browser, site, script=script)
    page.goto(f"{site}crm/connection/")
    page.get_by_label("HubSpot").check()
    if script:
        with page.context.expect_page() as opening:
            page.get_by_role("button", name="Connect CRM").click()
    else:
        page.get_by_role("button", name="Connect CRM").click()
        with page.context.expect_page() as opening:
            page.get_by_role("link", name="Open the sign-in to HubSpot").click()
    tab = opening.value
    tab.wait_for_url(f"{nango.connect_url}?session_token=*")
    tab.get_by_role("button", name="Connect").click()
    tab.get_by_text("Connected.").wait_for()
    tasks.find_connections(str(builders.business().pk))
    if not script:
        page.get_by_role("button", name="Look now").click()
    page.wait_for_url("**/change/", timeout=10_000)
    assert "HubSpot is connected." in page.inner_text("body")


def test_link_that_does_not_come_leaves_no_tab(browser: Browser, site: str, nango: Nango) -> None:
    nango.set_fault("unauthorized")
    page = opened(browser, site)
    page.goto(f"{site}crm/connection/")
    page.get_by_label("HubSpot").check()
    page.get_by_role("button", name="Connect CRM").click()
    page.get_by_text("Nango refuses our key.").wait_for()
    page.wait_for_timeout(200)
    assert page.context.pages == [page]


def test_refresh_shows_how_far_it_is_and_what_came_without_a_reload(browser: Browser, site: str, nango: Nango) -> None:
    connection = connected(nango, contacts=5)
    nango.add_contacts(connection.nango_connection_id, 2)
    page = opened(browser, site, "cashier")
    page.goto(f"{site}crm/connection/{connection.pk}/change/")
    page.get_by_role("button", name="Refresh CRM").click()
    page.evaluate("window.notReloaded = true")
    expect(page.get_by_role("button", name="Refreshing…")).to_be_disabled()
    expect(page.locator("#run")).to_contain_text("Waiting for a worker…")
    waiting = SyncRun.objects.filter(status="queued")
    run = waiting.get()
    # A worker in the middle of it.
    waiting.update(status="running", fetched=1200, created=700, unchanged=500)
    expect(page.locator("#run")).to_contain_text("Reading HubSpot: 1,200 contacts so far")
    SyncRun.objects.filter(pk=run.pk).update(status="queued", fetched=0, created=0, unchanged=0)
    services.execute_run(SyncRun.objects.get(pk=run.pk))
    expect(page.locator("#run")).to_contain_text("Synced 2 contacts (2 new, 0 updated)")
    expect(page.get_by_role("button", name="Refresh CRM")).to_be_enabled()
    assert "Last synced: Just now" in page.inner_text("#standing")
    assert page.inner_text("#history").count("Synced") == 2
    assert page.evaluate("window.notReloaded")


def test_preview_fills_in_by_itself_and_leads_to_the_overwrite(browser: Browser, site: str, nango: Nango) -> None:
    connection = connected(nango, contacts=5)
    lost(nango, connection, 1)
    page = opened(browser, site)
    page.goto(f"{site}crm/connection/{connection.pk}/overwrite/")
    page.get_by_role("button", name="Preview the overwrite").click()
    page.evaluate("window.notReloaded = true")
    work()
    page.get_by_text("Would be marked as gone: 1").wait_for()
    assert page.evaluate("window.notReloaded")
    page.get_by_role("link", name="Go on to the overwrite…").click()
    page.get_by_role("button", name="Overwrite and mark 1 as gone").click()
    page.wait_for_url("**/change/")
    work()
    expect(page.locator("#run")).to_contain_text("1 marked as gone")


def test_field_is_handed_back_and_a_message_logged_with_the_keyboard(browser: Browser, site: str) -> None:
    lead = builders.lead(name="Ada", crm_id="7", company="Old")
    page = opened(browser, site, "cashier")
    page.goto(f"{site}crm/lead/{lead.pk}/change/")
    page.fill("#id_company", "By Hand Ltd")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Let company follow the CRM again").press("Enter")
    expect(page.locator(".by-hand")).to_have_count(0)
    page.fill("#id_body", "Hello Ada")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".said .outbound .bubble")).to_have_text("Hello Ada")
    lead.refresh_from_db()
    assert (lead.company, lead.edited_fields, lead.contacted) == ("By Hand Ltd", [], True)


def pages(page: Page, site: str, nango: Nango) -> Iterator[str]:
    """Every face of the section, one after the other."""
    crm = f"{site}crm"
    yield from visited(page, f"{crm}/connection/", f"{crm}/lead/", f"{crm}/lead/threads/", f"{crm}/lead/add/")
    page.goto(f"{crm}/connection/")
    page.get_by_label("Pipedrive").check()
    with page.context.expect_page() as opening:
        page.get_by_role("button", name="Connect CRM").click()
    opening.value.close()
    page.locator("#waiting").wait_for()
    yield "waiting"
    connection = connected(nango, contacts=40, dirty=True)
    here = f"{crm}/connection/{connection.pk}"
    lead = Lead.objects.order_by("name")[0]
    services.edit_lead(lead, company="By Hand Ltd", opted_out=True)
    for direction in ("outbound", "inbound"):
        services.log_message(lead, direction=direction, channel="sms", body="Hello there. " * 20, by=None)
    yield from visited(
        page, site, f"{crm}/connection/", f"{here}/change/", f"{here}/disconnect/", f"{here}/overwrite/"
    )
    yield from visited(page, f"{crm}/connection/connect/corner-cafe/")
    lost(nango, connection, 30)
    run = services.start_run(connection, strategy="preview", of="overwrite", is_confirmed=True)
    yield from visited(page, f"{here}/change/", f"{crm}/syncrun/{run.pk}/change/")
    services.execute_run(run)
    yield from visited(page, f"{here}/overwrite/", f"{crm}/syncrun/{run.pk}/change/", f"{crm}/syncrun/")
    outcomes = f"{crm}/syncoutcome/?run={run.pk}"
    yield from visited(page, outcomes, f"{outcomes}&bucket=updated", f"{outcomes}&q=nobody", f"{crm}/lead/")
    page.click(".filters summary")
    yield "filters"
    yield from visited(page, f"{crm}/lead/{lead.pk}/change/", f"{crm}/lead/{lead.pk}/delete/", f"{crm}/lead/threads/")
    nango.drop_connection(connection.nango_connection_id)
    services.execute_run(services.start_run(connection))
    yield from visited(page, site, f"{here}/change/", f"{here}/reconnect/")


def visited(page: Page, *addresses: str) -> Iterator[str]:
    for address in addresses:
        page.goto(address)
        yield re.sub(r"[0-9a-f-]{36}", "…", address.partition("/admin")[2])


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (False, True), (True, False), (True, True)])
def test_no_page_bars_anybody_scrolls_sideways_or_breaks_the_policy(
    browser: Browser, site: str, nango: Nango, phone: bool, dark: bool
) -> None:
    page = opened(browser, site, phone=phone, dark=dark)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    wide, barred, broken = [], {}, {}
    for name in pages(page, site, nango):
        if complaints:
            broken[name] = list(complaints)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
        found = Axe().run(page, options=WCAG).response["violations"]
        if found:
            barred[name] = [
                (rule["id"], rule["nodes"][0]["html"], rule["nodes"][0]["failureSummary"]) for rule in found
            ]
        complaints.clear()  # axe itself writes styles into the page
    assert (wide, broken, barred) == ([], {}, {})
