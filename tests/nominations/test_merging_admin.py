"""Staff merge two nominees in the admin: what they find, what they are shown, and the way back."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from nominations import services
from nominations.models import Merge, Nomination, Nominee
from tests import builders

pytestmark = pytest.mark.django_db
NOMINEES, MERGES = "/admin/nominations/nominee/", "/admin/nominations/merge/"
MERGE = ("nominations.merge_nominee", "nominations.view_nominee", "nominations.view_merge")


def named(first: str, last: str, **kwargs: Any) -> Nomination:
    return builders.approved(of=builders.nominee(first_name=first, last_name=last, **kwargs))


def text(response: Any) -> str:
    """What is read, in single spaces."""
    return " ".join(response.content.decode().split())


def preview(loser: Nomination, survivor: Nomination) -> str:
    return f"{NOMINEES}{loser.nominee_id}/merge/{survivor.nominee_id}/"


def test_merge_is_previewed_done_and_undone_by_links_alone(staff_client: Client) -> None:
    loser, survivor, third = named("Catheryn", "Hall"), named("Catherine", "Hall", email=""), named("Zed", "Other")
    builders.vote(loser)
    builders.vote(survivor)
    builders.vote(survivor)
    page = text(staff_client.get(f"{NOMINEES}{loser.nominee_id}/change/"))
    assert f"{NOMINEES}{loser.nominee_id}/merge/" in page
    found = text(staff_client.get(f"{NOMINEES}{loser.nominee_id}/merge/"))
    assert preview(loser, survivor) in found
    assert preview(loser, third) not in found
    for asked in ("zed", str(third.nominee.slug), third.nominee.email):
        assert preview(loser, third) in text(staff_client.get(f"{NOMINEES}{loser.nominee_id}/merge/?q={asked}"))
    assert "None found" in text(staff_client.get(f"{NOMINEES}{loser.nominee_id}/merge/?q=nobody"))

    before = Merge.objects.count()
    shown = text(staff_client.get(preview(loser, survivor)))
    for words in (
        "To Catherine Hall: 1 nomination, 1 counted vote.",
        "https://awards.example/nominee/catheryn-hall leads to https://awards.example/nominee/catherine-hall",
        "Brought up to date outside, within seconds: up to 3 contacts.",
        "After:</strong> 1. Catherine Hall (3)",
        f"<ins>{loser.nominee.email}</ins>",
        preview(survivor, loser),
    ):
        assert words in shown
    assert Merge.objects.count() == before
    done = staff_client.post(preview(loser, survivor), {"reason": "The same."})
    merge = Merge.objects.get()
    assert (done["Location"], merge.reason) == (f"{NOMINEES}{survivor.nominee_id}/change/", "The same.")
    assert f'<a href="{MERGES}{merge.pk}/undo/">Undo</a>' in str(next(iter(get_messages(done.wsgi_request))))
    assert sorted(LogEntry.objects.values_list("object_repr", "change_message")) == [
        ("Catherine Hall", f"Another nominee was merged into this one (merge {merge.pk})."),
        ("Catheryn Hall", f"Merged into another nominee (merge {merge.pk})."),
    ]
    assert f"{MERGES}{merge.pk}/undo/" in text(staff_client.get(done["Location"]))
    assert "Merged already" in text(staff_client.get(f"{NOMINEES}{loser.nominee_id}/merge/"))

    back = text(staff_client.get(f"{MERGES}{merge.pk}/undo/"))
    assert "Catheryn Hall is live again at https://awards.example/nominee/catheryn-hall." in back
    assert "Emptied again at Catherine Hall: Email." in back
    undone = staff_client.post(f"{MERGES}{merge.pk}/undo/", follow=True)
    assert "are two nominees again" in text(undone)
    assert set(Nominee.objects.values_list("state", flat=True)) == {"live"}
    detail = text(staff_client.get(f"{MERGES}{merge.pk}/change/"))
    assert f'<a href="{NOMINEES}{loser.nominee_id}/change/">Catheryn Hall</a>' in detail
    late = staff_client.post(f"{MERGES}{merge.pk}/undo/", follow=True)
    assert "Already decided: this merge was undone." in text(late)


def test_what_cannot_be_merged_or_undone_says_why_and_has_no_button(staff_client: Client) -> None:
    first, second, third = named("A", "One"), named("B", "Two"), named("C", "Three")
    merge = services.merge_nominees(first.nominee, second.nominee, by=None)
    for address, words in (
        (preview(first, third), "Already decided: A One was merged into B Two."),
        (preview(third, third), "Choose another nominee"),
    ):
        shown = text(staff_client.get(address))
        assert words in shown
        assert "What will happen" not in shown
    services.merge_nominees(second.nominee, third.nominee, by=None)
    shown = text(staff_client.get(f"{MERGES}{merge.pk}/undo/"))
    assert "B Two was merged into C Three since: undo that merge first." in shown
    assert "Make them two again" not in shown
    staff_client.post(f"{MERGES}{merge.pk}/undo/")
    assert Merge.objects.filter(undone_at=None).count() == 2


def test_frozen_results_are_said_to_stay(staff_client: Client) -> None:
    loser, survivor = named("A", "One"), named("B", "Two")
    closed = timezone.now() - timedelta(hours=1)
    services.publish_results(builders.season(voting_close_at=closed, nominations_close_at=closed), by=None)
    shown = text(staff_client.get(preview(loser, survivor)))
    assert "The results of 2026 are published: they stay as they were frozen." in shown


def test_list_is_searched_filtered_and_empty_in_words(
    staff_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert "open one of them" in text(staff_client.get(MERGES))
    merges = [
        services.merge_nominees(named(name, "Gone").nominee, named(name, "Kept").nominee, by=None, reason=f"R{name}")
        for name in ("Ann", "Bob")
    ]
    services.unmerge_nominees(merges[0], by=None)
    for query, expected in (("q=ann", ["Ann"]), ("q=RBob", ["Bob"]), ("state=undone", ["Ann"]), ("", ["Bob", "Ann"])):
        shown = staff_client.get(f"{MERGES}?{query}").context["cl"].result_list
        assert [row.loser.first_name for row in shown] == expected, query
    own = builders.logged_in(builders.superuser())
    own.get(MERGES)
    with django_assert_num_queries(7):
        own.get(MERGES)
    Merge.objects.filter(pk=merges[0].pk).delete()
    with django_assert_num_queries(7):
        own.get(MERGES)


@pytest.mark.parametrize("permissions", [("nominations.view_nominee", "nominations.view_merge"), MERGE])
def test_only_who_may_merge_gets_there(permissions: tuple[str, ...]) -> None:
    loser, survivor = named("A", "One"), named("A", "Oner")
    merge = services.merge_nominees(named("X", "One").nominee, named("Y", "One").nominee, by=None)
    client, code = builders.logged_in(builders.staff(*permissions)), 200 if permissions == MERGE else 403
    for address in (f"{NOMINEES}{loser.nominee_id}/merge/", preview(loser, survivor), f"{MERGES}{merge.pk}/undo/"):
        assert client.get(address).status_code == code
    assert client.post(preview(loser, survivor)).status_code == (302 if code == 200 else 403)
    shown = text(client.get(f"{NOMINEES}duplicates/"))
    assert client.get(MERGES).status_code == 200
    assert "Merge…" not in shown or code == 200


def test_review_offers_a_merge_where_joining_would_leave_something_behind(staff_client: Client) -> None:
    known = named("Grace", "Hopper")
    twin = builders.nominee(first_name="Grace", last_name="Hoper")
    first = builders.submitted(of=twin)
    address = f"/admin/nominations/nomination/{first.pk}/approve/"
    assert preview(first, known) not in text(staff_client.get(address))
    builders.submitted(of=twin)
    assert preview(first, known) in text(staff_client.get(address))
