"""Staff decide in the admin: what they are shown, what happens, and what does not."""

import re
from typing import Any, cast

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from loops_sync.models import OutboxEntry
from nominations import services
from nominations.admin import decisions
from nominations.models import DecisionLog, Nomination, Nominee, Season
from notifications.admin import StaffModelAdmin
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/nominations/nomination/"
EVIL = "<script>alert(1)</script>"
VIEWER = ("nominations.view_nomination",)
EDITOR = (*VIEWER, "nominations.change_nomination", "nominations.decide_nomination")


def page(nomination: Nomination, name: str) -> str:
    return f"{LIST}{nomination.pk}/{name}/"


def logged_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(builders.staff(*permissions))
    return client


def told(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def everything() -> dict[str, Any]:
    """How many rows there are of each kind, and the states that matter."""
    counts: dict[str, Any] = {model._meta.label: model._base_manager.count() for model in apps.get_models()}
    counts["states"] = sorted(Nomination.objects.values_list("id", "state", "nominee__state", "nominee__slug"))
    return counts


def test_approve_makes_the_nominee_live_and_leads_to_the_delivery(staff_client: Client) -> None:
    nomination = builders.submitted(of=builders.nominee(first_name="Zoë", last_name="Müller"))
    response = staff_client.post(
        page(nomination, "approve"), {"slug": "zoe", "admin_notes": "Checked.", "nominee": ""}
    )

    assert response["Location"] == page(nomination, "delivery")
    assert told(response) == [("success", "Approved: Zoë Müller is live at https://awards.example/nominee/zoe")]
    nomination = Nomination.objects.get(pk=nomination.pk)
    assert (nomination.state, nomination.admin_notes) == ("approved", "Checked.")
    assert (nomination.nominee.state, nomination.nominee.slug) == ("live", "zoe")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(nomination.pk), told(response)[0][1])


def test_approve_page_shows_who_why_where_and_what_changes_outside(staff_client: Client) -> None:
    nominee = builders.nominee(first_name="Nia", last_name="Bell", email="nia@example.com", job_title="Recruiter")
    nomination = builders.submitted(by=builders.person(email="ada@example.org"), of=nominee, why="She listens.")
    html = staff_client.get(page(nomination, "approve")).content.decode()
    for text in ("Nia Bell", "Recruiter", "She listens.", "ada@example.org", 'value="nia-bell"', "Nominator Live"):
        assert text in html
    assert "https://awards.example/nominee/nia-bell" in html
    assert "Nominess" in html


def test_approve_page_follows_slug_and_join_without_javascript(staff_client: Client) -> None:
    live = builders.approved(of=builders.nominee(first_name="John", last_name="Smith"), slug="john-smith")
    nomination = builders.submitted(of=builders.nominee(first_name="Jon", last_name="Smith"))
    before = everything()
    html = staff_client.post(page(nomination, "approve"), {"slug": "jon-the-second", "_preview": "1"}).content.decode()
    assert "https://awards.example/nominee/jon-the-second" in html
    html = staff_client.get(page(nomination, "approve"), {"nominee": str(live.nominee_id)}).content.decode()
    assert "https://awards.example/nominee/john-smith" in html
    assert live.nominee.email in html
    assert "Fixed since the first approval." in html
    assert everything() == before


def test_approve_can_join_to_a_similar_nominee(staff_client: Client) -> None:
    live = builders.approved(of=builders.nominee(first_name="John", last_name="Smith"))
    nomination = builders.submitted(of=builders.nominee(first_name="Jon", last_name="Smith"))
    staff_client.post(page(nomination, "approve"), {"slug": "jon-smith", "nominee": str(live.nominee_id)})
    nomination.refresh_from_db()
    assert (nomination.state, nomination.nominee_id) == ("approved", live.nominee_id)
    assert Nominee.objects.filter(slug="jon-smith").count() == 0


def test_approve_with_a_taken_slug_stays_at_the_form(staff_client: Client) -> None:
    builders.approved(slug="taken")
    nomination = builders.submitted()
    before = everything()
    response = staff_client.post(page(nomination, "approve"), {"slug": "taken"})
    assert response.status_code == 200
    assert "Another nominee has this address." in response.content.decode()
    assert everything() == before


def test_nominee_without_email_is_said_to_be_no_contact(staff_client: Client) -> None:
    nomination = builders.submitted(to=builders.category("best-firm", "company"), of=builders.company())
    assert "is no contact" in staff_client.get(page(nomination, "approve")).content.decode()


@pytest.mark.parametrize("name", ["approve", "reject", "withdraw", "duplicate"])
def test_second_click_is_already_decided_and_changes_nothing(staff_client: Client, name: str) -> None:
    other = builders.submitted()
    nomination = builders.submitted()
    data = {"reason": "No.", "of": str(other.pk), "slug": ""}
    staff_client.post(page(nomination, name), data)
    if name == "approve":
        assert Nomination.objects.get(pk=nomination.pk).state == "approved"
    if name == "reject":
        services.reopen_nomination(nomination, by=builders.superuser())
        services.withdraw_nomination(nomination, by=builders.superuser())
    before = everything()
    response = staff_client.post(page(nomination, name), data)
    assert response["Location"] == page(nomination, "change")
    level, text = told(response)[-1]
    assert (level, text.startswith("Already decided")) == ("warning", True)
    assert everything() == before


def test_colleague_between_look_and_click_wins(staff_client: Client) -> None:
    nomination = builders.submitted()
    assert staff_client.get(page(nomination, "reject")).status_code == 200
    services.withdraw_nomination(nomination, by=builders.superuser())
    before = everything()
    response = staff_client.post(page(nomination, "reject"), {"reason": "Late."})
    assert told(response) == [("warning", "Already decided: this nomination is withdrawn.")]
    assert everything() == before


def test_colleague_in_the_same_moment_wins() -> None:
    """The page has looked and found it open; the service, under its lock, finds it decided."""
    looked_at = builders.submitted()
    services.reject_nomination(looked_at, by=builders.superuser(), reason="First.")
    before = everything()
    request = RequestFactory().post(page(looked_at, "withdraw"))
    request.user = builders.superuser()
    storage = CookieStorage(request)
    request._messages = storage  # type: ignore[attr-defined]
    model_admin = cast(StaffModelAdmin, admin.site.get_model_admin(Nomination))
    response = decisions.withdraw(model_admin, request, looked_at)
    assert response["Location"] == page(looked_at, "change")
    assert [str(message) for message in storage] == ["Already decided: this nomination is rejected."]
    assert everything() == before


def test_reject_needs_a_reason(staff_client: Client) -> None:
    nomination = builders.submitted()
    before = everything()
    response = staff_client.post(page(nomination, "reject"), {"reason": "   "})
    assert response.status_code == 200
    assert "Say why." in response.content.decode()
    assert everything() == before


def test_reject_tells_of_the_page_that_disappears_and_keeps_the_reason(staff_client: Client) -> None:
    nomination = builders.approved(slug="gone-soon")
    html = staff_client.get(page(nomination, "reject")).content.decode()
    assert "https://awards.example/nominee/gone-soon disappears (410 Gone)" in html
    staff_client.post(page(nomination, "reject"), {"reason": "Asked to leave."})
    assert DecisionLog.objects.latest("seq").reason == "Asked to leave."
    assert Nominee.objects.get(slug="gone-soon").state == "suspended"


def test_duplicate_and_reopen_go_there_and_back(staff_client: Client) -> None:
    original, nomination = builders.submitted(), builders.submitted()
    assert original.nominee.name in staff_client.get(page(nomination, "duplicate")).content.decode()
    staff_client.post(page(nomination, "duplicate"), {"of": str(original.pk)})
    nomination.refresh_from_db()
    assert (nomination.state, nomination.duplicate_of_id) == ("duplicate", original.pk)
    staff_client.post(page(nomination, "reopen"))
    nomination.refresh_from_db()
    assert (nomination.state, nomination.duplicate_of_id) == ("submitted", None)


def test_duplicate_of_its_own_duplicate_is_refused_at_the_field(staff_client: Client) -> None:
    first, second = builders.submitted(), builders.submitted()
    services.mark_duplicate(second, of=first, by=builders.superuser())
    response = staff_client.post(page(first, "duplicate"), {"of": str(second.pk)})
    assert "That would make it a duplicate of itself." in response.content.decode()
    assert Nomination.objects.get(pk=first.pk).state == "submitted"


@pytest.mark.parametrize("name", ["approve", "reject", "withdraw", "duplicate", "reopen", "delivery", "change"])
def test_get_changes_nothing(staff_client: Client, name: str) -> None:
    nominations = [builders.submitted(), builders.approved()]
    staff_client.get("/admin/")
    before = everything()
    for nomination in nominations:
        assert staff_client.get(page(nomination, name)).status_code in (200, 302)
    assert everything() == before


@pytest.mark.parametrize("name", ["approve", "reject", "withdraw", "duplicate", "reopen"])
def test_deciding_needs_its_permission(name: str) -> None:
    nomination = builders.submitted()
    if name == "reopen":
        services.withdraw_nomination(nomination, by=builders.superuser())
    viewer, before = logged_in(*VIEWER), everything()
    before = everything()
    assert viewer.get(page(nomination, name)).status_code == 403
    assert viewer.post(page(nomination, name), {"reason": "x", "slug": ""}).status_code == 403
    assert everything() == before
    assert logged_in(*EDITOR).get(page(nomination, name)).status_code == 200


def test_viewer_sees_no_way_to_decide() -> None:
    nomination = builders.submitted()
    client = logged_in(*VIEWER)
    for url in (LIST, page(nomination, "change")):
        html = client.get(url).content.decode()
        assert "/approve/" not in html
        assert "approve_selected" not in html
    assert client.post(f"{LIST}decide/", {"decision": "approve", "ids": str(nomination.pk)}).status_code == 403


def test_anonymous_is_sent_to_the_login(client: Client) -> None:
    nomination = builders.submitted()
    response = client.get(page(nomination, "approve"))
    assert response["Location"].startswith("/admin/login/")


def test_bulk_approve_previews_then_decides_each(staff_client: Client) -> None:
    waiting = [builders.submitted(), builders.submitted()]
    decided = builders.approved()
    ticked = [str(row.pk) for row in (*waiting, decided)]
    before = everything()
    preview = staff_client.post(LIST, {"action": "approve_selected", "_selected_action": ticked, "index": "0"})
    assert "2 will be approved" in preview.content.decode()
    assert "1 cannot: already decided" in preview.content.decode()
    assert everything() == before
    response = staff_client.post(f"{LIST}decide/", {"decision": "approve", "ids": ",".join(ticked)})
    assert told(response) == [("success", "2 approved, 1 already decided.")]
    assert Nomination.objects.approved().count() == 3
    assert LogEntry.objects.count() == 2


def test_bulk_reject_needs_a_reason(staff_client: Client) -> None:
    nomination = builders.submitted()
    data = {"decision": "reject", "ids": str(nomination.pk), "reason": " "}
    assert "A rejection needs a reason." in staff_client.post(f"{LIST}decide/", data).content.decode()
    assert Nomination.objects.get().state == "submitted"
    response = staff_client.post(f"{LIST}decide/", {**data, "reason": "Spam."})
    assert told(response) == [("success", "1 rejected.")]
    assert DecisionLog.objects.latest("seq").reason == "Spam."


def test_bulk_with_broken_ids_decides_nothing(staff_client: Client) -> None:
    builders.submitted()
    before = everything()
    assert staff_client.post(f"{LIST}decide/", {"decision": "approve", "ids": "1,x"}).status_code == 200
    assert everything() == before


@pytest.mark.parametrize("rows", [1, 3])
def test_list_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        builders.submitted(by=builders.person(), of=builders.nominee())
    staff_client.get(LIST)
    with django_assert_num_queries(17):
        html = staff_client.get(LIST).content.decode()
    assert html.count("/approve/") == rows


@pytest.mark.parametrize(
    ("query", "found"), [("?state__exact=submitted", 1), ("?q=zed@example.com", 1), ("?q=nobody", 0)]
)
def test_list_filters_and_searches(staff_client: Client, query: str, found: int) -> None:
    builders.approved()
    builders.submitted(of=builders.nominee(email="zed@example.com"))
    html = staff_client.get(LIST + query).content.decode()
    assert len(re.findall(r'class="field-nominee_name', html)) == found
    assert ("Nothing matches" in html) == (found == 0)


def test_empty_list_says_what_to_do(staff_client: Client) -> None:
    assert "when somebody sends the form" in staff_client.get(LIST).content.decode()


def test_change_page_saves_notes_and_nothing_else(staff_client: Client) -> None:
    nomination = builders.approved()
    html = staff_client.get(page(nomination, "change")).content.decode()
    assert "Reopen" in html
    assert "Review and approve" not in html
    before = everything()
    staff_client.post(page(nomination, "change"), {"admin_notes": "Called them.", "state": "rejected"})
    nomination.refresh_from_db()
    assert (nomination.admin_notes, nomination.state) == ("Called them.", "approved")
    assert everything() == {**before, "admin.LogEntry": before["admin.LogEntry"] + 1}


def test_delivery_tells_each_contacts_step_and_stops_asking(staff_client: Client) -> None:
    nomination = builders.approved()
    seen = {}
    for status, attempts in (("pending", 0), ("pending", 2), ("processing", 0), ("dead", 3)):
        OutboxEntry.objects.update(status=status, attempts=attempts, last_error="503 from Loops.")
        response = staff_client.get(page(nomination, "delivery"), headers={"HX-Request": "true"})
        html = response.content.decode()
        assert "<html" not in html
        seen[status, attempts] = (re.findall(r"badge-(waiting|late|sending|failed)", html), "hx-get" in html)
    assert seen == {
        ("pending", 0): (["waiting"] * 2, True),
        ("pending", 2): (["late"] * 2, True),
        ("processing", 0): (["sending"] * 2, True),
        ("dead", 3): (["failed"] * 2, False),
    }


def test_delivery_offers_the_next_waiting_nomination(staff_client: Client) -> None:
    nomination, following = builders.approved(), builders.submitted()
    html = staff_client.get(page(nomination, "delivery")).content.decode()
    assert page(following, "approve") in html
    assert page(nomination, "reopen") in html


def test_names_and_texts_are_escaped_everywhere(staff_client: Client) -> None:
    named = builders.nominee(first_name=EVIL, last_name=EVIL, job_title=EVIL, bio=EVIL)
    nomination = builders.submitted(by=builders.person(first_name=EVIL, company=EVIL), of=named, why=EVIL)
    names = ("approve", "reject", "withdraw", "duplicate", "change", "delivery", "history")
    people = [reverse("admin:nominations_nominee_change", args=[nomination.nominee_id])]
    for url in [LIST, "/admin/nominations/nominee/", *people, *(page(nomination, name) for name in names)]:
        assert EVIL not in staff_client.get(url).content.decode(), url


def test_script_addresses_are_never_links(staff_client: Client) -> None:
    nomination = builders.submitted(of=builders.nominee(website="javascript:alert(1)"))
    html = staff_client.get(page(nomination, "approve")).content.decode()
    assert "javascript:alert(1)" in html
    assert 'href="javascript:' not in html


def test_our_pages_have_no_inline_style_or_script(staff_client: Client) -> None:
    nomination = builders.approved()
    waiting = builders.submitted()
    urls = ["/admin/", LIST, page(waiting, "approve"), page(nomination, "delivery"), page(nomination, "change")]
    urls += [page(nomination, name) for name in ("reject", "withdraw", "duplicate", "reopen")]
    for url in urls:
        html = staff_client.get(url).content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html), url


def test_nominee_keeps_state_and_slug_when_edited(staff_client: Client) -> None:
    nominee = builders.approved(slug="fixed").nominee
    url = reverse("admin:nominations_nominee_change", args=[nominee.pk])
    data = {
        "first_name": "New",
        "last_name": "Name",
        "linkedin_url": "linkedin.com/in/New/",
        "slug": "x",
        "state": "draft",
    }
    assert staff_client.post(url, data).status_code == 302
    nominee.refresh_from_db()
    assert (nominee.name, nominee.slug, nominee.state) == ("New Name", "fixed", "live")
    assert nominee.linkedin_url == "https://www.linkedin.com/in/new"


@pytest.mark.parametrize("model", ["nomination", "nominee", "nominator", "voter", "vote", "decisionlog"])
def test_what_comes_from_outside_is_neither_added_nor_deleted(staff_client: Client, model: str) -> None:
    nomination = builders.approved()
    vote = builders.vote(nomination)
    rows: dict[str, Any] = {
        "nomination": nomination,
        "nominee": nomination.nominee,
        "nominator": nomination.nominator,
        "voter": vote.voter,
        "vote": vote,
        "decisionlog": DecisionLog.objects.latest("seq"),
    }
    before = everything()
    # A nomination can be added by hand, through a page that first asks for the category.
    status = 200 if model == "nomination" else 403
    assert staff_client.post(f"/admin/nominations/{model}/add/").status_code == status
    assert (
        staff_client.post(f"/admin/nominations/{model}/{rows[model].pk}/delete/", {"post": "yes"}).status_code == 403
    )
    assert everything() == before


def test_season_is_made_current_in_the_place_of_another(staff_client: Client) -> None:
    old = builders.season()
    new = Season.objects.create(name="2027")
    url = reverse("admin:nominations_season_make_current", args=[new.pk])
    assert "It takes the place of 2026." in staff_client.get(url).content.decode()
    assert Season.objects.get(is_current=True) == old
    staff_client.post(url)
    assert Season.objects.get(is_current=True) == new


def test_category_slug_is_fixed_after_creation(staff_client: Client) -> None:
    category = builders.category()
    url = reverse("admin:nominations_category_change", args=[category.pk])
    data = {"label": "Renamed", "slug": "other", "group": category.group_id, "position": 0, "is_active": "on"}
    staff_client.post(url, data)
    category.refresh_from_db()
    assert (category.label, category.slug) == ("Renamed", "best-recruiter")
