"""The staff home: each user sees what waits for them, and what is wrong, and nothing else."""

import re
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from loops_sync.models import OutboxEntry, Relay, SyncAttempt
from loyalty import services as points
from loyalty.models import LoyaltyCard
from nominations.models import Nomination, Season
from tests import builders

pytestmark = pytest.mark.django_db
OUTBOX = "loops_sync.view_outboxentry"


def logged_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(builders.staff(*permissions))
    return client


def tiles(client: Client) -> dict[str, str]:
    html = client.get("/admin/").content.decode()
    return dict(re.findall(r'<section class="tile[^>]*>\s*<h2>([^<]*)</h2>\s*<p class="figure[^>]*>([^<]*)</p>', html))


def banners(client: Client, path: str = "/admin/") -> list[str]:
    html = unescape(client.get(path).content.decode())
    return re.findall(r'class="banner" role="status">\s*<span>([^<]*)</span>', html)


def test_home_shows_each_user_the_tiles_of_their_permissions() -> None:
    builders.season()
    assert list(tiles(logged_in())) == []
    assert list(tiles(logged_in("nominations.view_nomination"))) == ["Nominations waiting", "Approved today"]
    assert list(tiles(logged_in(OUTBOX))) == ["Waiting for Loops", "Line to Loops"]
    assert list(tiles(logged_in("nominations.view_season"))) == ["Season"]


def test_home_counts_what_waits_and_says_how_long(staff_client: Client) -> None:
    builders.approved()
    waiting = builders.submitted()
    Nomination.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(days=3))
    assert tiles(staff_client)["Nominations waiting"] == "1"
    assert tiles(staff_client)["Approved today"] == "1"
    html = staff_client.get("/admin/").content.decode()
    assert "The oldest has waited 3 days." in html
    assert "/admin/nominations/nomination/?state__exact=submitted" in html


def test_home_without_a_season_says_so(staff_client: Client) -> None:
    assert tiles(staff_client)["Season"] == "None"


def test_home_tells_what_is_open(staff_client: Client) -> None:
    season = builders.season()
    Season.objects.filter(pk=season.pk).update(voting_open_at=None)
    assert "Nominating is open, voting is closed." in staff_client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ({}, "Working"),
        ({"unauthorized_at": timezone.now()}, "Key refused"),
        ({"outage_signs": 3}, "Out of reach"),
    ],
)
def test_home_tells_how_the_line_is(
    staff_client: Client, settings: Settings, line: dict[str, object], state: str
) -> None:
    settings.LOOPS_SYNC_ENABLED = True
    Relay.objects.update_or_create(pk=1, defaults=line)
    assert tiles(staff_client)["Line to Loops"] == state


def test_home_says_when_syncing_is_off(staff_client: Client) -> None:
    assert tiles(staff_client)["Line to Loops"] == "Switched off"


def test_banner_names_the_dead_on_every_page_for_those_who_may_see_them() -> None:
    builders.submitted()
    may, may_not = logged_in(OUTBOX, "nominations.view_nomination"), logged_in("nominations.view_nomination")
    assert banners(may) == []
    OutboxEntry.objects.update(status="dead")
    for path in ("/admin/", "/admin/nominations/nomination/"):
        assert banners(may, path) == ["1 message could not be delivered to Loops."]
        assert banners(may_not, path) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"unauthorized_at": timezone.now()}, "Loops refuses our API key: nothing is sent until it is mended."),
        (
            {"failing_since": timezone.now() - timedelta(minutes=6)},
            "Loops is out of reach: messages wait, and go out by themselves when it is back.",
        ),
    ],
)
def test_banner_tells_of_a_stopped_line(
    staff_client: Client, settings: Settings, line: dict[str, object], text: str
) -> None:
    settings.LOOPS_SYNC_ENABLED = True
    Relay.objects.update_or_create(pk=1, defaults=line)
    assert banners(staff_client) == [text]


def test_banner_tells_of_many_failures_in_an_hour(staff_client: Client, settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = True
    builders.submitted()
    contact = OutboxEntry.objects.get().contact
    for number in range(10):
        SyncAttempt.objects.create(contact=contact, at=timezone.now(), duration_ms=5, ok=number > 0)
    assert banners(staff_client) == []
    SyncAttempt.objects.create(contact=contact, at=timezone.now(), duration_ms=5, ok=False)
    assert banners(staff_client) == ["18% of the last hour's requests to Loops failed."]


@pytest.mark.parametrize("rows", [1, 3])
def test_home_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        builders.submitted(by=builders.person())
        builders.card(10)
    staff_client.get("/admin/")
    with django_assert_num_queries(24):
        staff_client.get("/admin/")


def test_home_tells_members_the_points_of_their_own_business() -> None:
    own, foreign = builders.program(), builders.program(builders.business("elsewhere"))
    card = builders.card(120, of=own)
    builders.card(500, of=foreign)
    points.redeem_points(card, points.Instruction(), points=40)
    client = Client()
    client.force_login(builders.member("cashier", own.business))
    assert tiles(client)["Points today"] == "120"
    assert "Earned since midnight, UTC. 40 redeemed." in client.get("/admin/").content.decode()
    assert tiles(logged_in("loyalty.view_loyaltycard")) == {"Points today": "620"}


def test_home_counts_todays_points_only() -> None:
    with time_machine.travel(timezone.now() - timedelta(days=1)):
        card = builders.card(120)
    points.earn_points(card, points.Instruction(), points=7)
    assert tiles(logged_in("loyalty.view_loyaltycard")) == {"Points today": "7"}


@pytest.mark.parametrize("permission", ["loyalty.view_ledgerproof", "loyalty.prove_ledger"])
def test_home_tells_whether_the_ledger_is_proven(permission: str) -> None:
    builders.card(10)
    client = logged_in(permission)
    assert tiles(client) == {"Last proof": "None"}
    points.run_proof(points.start_proof(by=None))
    assert tiles(client) == {"Last proof": "Proven"}
    LoyaltyCard.objects.update(total_points_earned=11)
    points.run_proof(points.start_proof(by=None))
    points.start_proof(by=None)
    assert tiles(client) == {"Last proof": "Broken"}
    assert "tone-bad" in client.get("/admin/").content.decode()


def test_machinery_is_listed_for_superusers_only(staff_client: Client) -> None:
    assert "/admin/django_q/schedule/" in staff_client.get("/admin/").content.decode()
    assert "/admin/django_q/" not in logged_in("django_q.view_schedule").get("/admin/").content.decode()


def test_login_is_by_address(client: Client) -> None:
    builders.superuser()
    html = client.get("/admin/login/").content.decode()
    assert "Email address" in html
    data = {"username": " Boss@Example.org", "password": "secret-1", "next": "/admin/"}
    assert client.post("/admin/login/", {**data, "password": "wrong"}).status_code == 200
    assert client.post("/admin/login/", data)["Location"] == "/admin/"


def test_staff_without_all_rights_cannot_give_them() -> None:
    client = logged_in("crm.view_user", "crm.change_user")
    boss, other = builders.superuser(), builders.staff()
    assert client.post(f"/admin/crm/user/{boss.pk}/change/", {"email": "mine@example.org"}).status_code == 403
    assert client.get(f"/admin/crm/user/{boss.pk}/password/").status_code == 403
    client.post(f"/admin/crm/user/{other.pk}/change/", {"email": other.email, "is_active": "on", "is_superuser": "on"})
    other.refresh_from_db()
    assert not other.is_superuser
