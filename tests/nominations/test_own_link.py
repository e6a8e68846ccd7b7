"""A nominee's own link: who it lets in, what they can say there, and what staff make of it."""

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from config import erasing
from config.redaction import Redactor
from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import DecisionLog, LinkMail, Nomination, Nominee, NomineeReply
from tests import builders
from tests.nominations.public import picture
from tests.nominations.test_admin import EVIL, logged_in, told
from tests.nominations.test_decision_log import chain

pytestmark = pytest.mark.django_db
WORDS = "/admin/nominations/nomineereply/"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where pictures of this test lie."""
    return tmp_path / "nominees"


@pytest.fixture
def nominee() -> Nominee:
    """Live, with a story."""
    of = builders.nominee(first_name="Nia", last_name="Bell", email="nia@example.com", bio="Old story.")
    return builders.approved(of=of, why="She listens.").nominee


def link(nominee: Nominee, page: str = "") -> str:
    return reverse(f"own{page}", args=[services.own_token(nominee)])


def text(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def asked(nominee: Nominee, client: Client, **sent: Any) -> NomineeReply:
    """A correction, sent by the form."""
    client.post(link(nominee, "-correct"), {"bio": "Old story.", "achievements": "", **sent})
    return NomineeReply.objects.get(state="open")


def test_link_shows_the_page_and_is_kept_by_nobody(client: Client, nominee: Nominee) -> None:
    response = client.get(link(nominee))
    for words in ("Nia Bell", "Old story.", "She listens.", "All is right"):
        assert words in text(response)
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"
    assert '<meta name="robots" content="noindex">' in response.content.decode()
    assert not NomineeReply.objects.exists()


def test_link_of_a_suspended_page_still_works_and_one_of_a_draft_too(client: Client, nominee: Nominee) -> None:
    services.withdraw_nomination(nominee.nominations.get(), by=builders.superuser())
    assert "Your page is down" in text(client.get(link(nominee)))
    assert "not published yet" in text(client.get(link(builders.submitted().nominee)))


def test_tampered_foreign_expired_and_outlived_links_open_nothing(client: Client, nominee: Nominee) -> None:
    token, other = services.own_token(nominee), services.own_token(builders.approved().nominee)
    mixed = ":".join([token.split(":")[0], *other.split(":")[1:]])
    vote = services.verification_token(builders.vote(nominee.nominations.get()))
    for wrong in (token[:-1], f"x{token}", mixed, vote, "x", "a:b:c"):
        for name in ("own", "own-correct", "own-take-down"):
            for response in (client.get(reverse(name, args=[wrong])), client.post(reverse(name, args=[wrong]))):
                assert response.status_code == 404
                assert "Nia" not in response.content.decode()
    with time_machine.travel(timezone.now() + timedelta(days=91)):
        assert client.get(reverse("own", args=[token])).status_code == 410
    # A corrected address kills the links that went to the old one.
    nominee.email = "nia.bell@example.com"
    nominee.save()
    assert client.get(reverse("own", args=[token])).status_code == 404
    assert client.get(link(nominee)).status_code == 200
    assert not NomineeReply.objects.exists()


def test_link_of_somebody_merged_or_erased_is_gone(client: Client, nominee: Nominee) -> None:
    survivor = builders.approved().nominee
    nameless = builders.approved(of=builders.nominee(email="", phone="07306 506797")).nominee
    links = [link(nominee), link(nameless)]
    Nominee.objects.filter(pk=nominee.pk).update(state="merged", merged_into=survivor)
    erasing.forget(erasing.identify(phone="07306 506797"), by=builders.superuser())
    assert [client.get(one).status_code for one in links] == [410, 410]
    assert [client.post(one).status_code for one in links] == [410, 410]
    assert not NomineeReply.objects.exists()


def test_token_is_in_no_log_line(nominee: Nominee) -> None:
    for _ in range(50):
        told_of = Redactor("salt").text(link(nominee, "-correct"))
        assert not any(len(part) > 8 and part in told_of for part in services.own_token(nominee).split(":"))


def test_flood_is_turned_away(client: Client, nominee: Nominee, settings: Settings) -> None:
    settings.THROTTLE_RATES = {"public": "2/hour", "lookup": ""}
    assert [client.post(link(nominee)).status_code for _ in range(3)] == [302, 302, 429]
    assert NomineeReply.objects.count() == 2


def test_forms_need_their_csrf_token(nominee: Nominee) -> None:
    strict = Client(enforce_csrf_checks=True)
    for name in ("", "-correct", "-take-down"):
        assert strict.post(link(nominee, name), {"bio": "x"}).status_code == 403
    assert not NomineeReply.objects.exists()


def test_all_is_right_is_settled_at_once_and_takes_back_what_was_open(client: Client, nominee: Nominee) -> None:
    asked(nominee, client, bio="Other.")
    here = link(nominee)
    assert client.post(here)["Location"] == here
    states = list(NomineeReply.objects.order_by("created_at").values_list("kind", "state"))
    assert states == [("correct", "replaced"), ("confirm", "accepted")]
    assert "You said that all is right" in text(client.get(link(nominee)))


def test_correction_waits_is_compared_and_becomes_the_page(
    client: Client,
    staff_client: Client,
    nominee: Nominee,
    kept: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    nominee.image.save("old.webp", picture("WEBP"))
    entries = OutboxEntry.objects.count()
    page = client.get(link(nominee, "-correct")).content.decode()
    assert "Old story." in page
    reply = asked(nominee, client, bio="New story.", achievements="A prize.", image=picture())
    assert re.search(r"We have your correction of \d+ \w+", text(client.get(link(nominee))))
    assert "New story." in client.get(link(nominee, "-correct")).content.decode()
    nominee.refresh_from_db()
    assert nominee.bio == "Old story."

    assert 'class="field-about"' in staff_client.get(f"{WORDS}?state__exact=open").content.decode()
    shown = text(staff_client.get(f"{WORDS}{reply.pk}/settle/"))
    for words in ("Now Old story.", "As they wish New story.", "Now Nothing", "A prize."):
        assert words in shown
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(f"{WORDS}{reply.pk}/settle/")
    nominee.refresh_from_db()
    reply.refresh_from_db()
    assert (nominee.bio, nominee.achievements, reply.state) == ("New story.", "A prize.", "accepted")
    assert (reply.settled_by, reply.image.name) == (builders.superuser(), "")
    assert [path.name for path in kept.iterdir()] == [Path(str(nominee.image.name)).name]
    assert "Your correction is on your page" in text(client.get(link(nominee)))
    assert "New story." in text(client.get(f"/nominee/{nominee.slug}"))
    assert OutboxEntry.objects.count() == entries


def test_dismissed_correction_changes_nothing_and_says_why(
    client: Client,
    staff_client: Client,
    nominee: Nominee,
    kept: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    reply = asked(nominee, client, bio="Buy my book.", image=picture())
    assert len(list(kept.iterdir())) == 1
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(f"{WORDS}{reply.pk}/dismiss/", {"answer": f"No advertising. {EVIL}"})
    nominee.refresh_from_db()
    assert (nominee.bio, list(kept.iterdir())) == ("Old story.", [])
    html = client.get(link(nominee)).content.decode()
    assert "was not taken over" in html
    assert "No advertising." in html
    assert EVIL not in html


def test_newer_correction_keeps_the_picture_and_a_newer_picture_takes_its_place(
    client: Client,
    nominee: Nominee,
    kept: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    first = asked(nominee, client, image=picture())
    with django_capture_on_commit_callbacks(execute=True):
        second = asked(nominee, client, bio="Words too.")
    assert (second.image.name, len(list(kept.iterdir()))) == (first.image.name, 1)
    with django_capture_on_commit_callbacks(execute=True):
        third = asked(nominee, client, image=picture())
    assert [path.name for path in kept.iterdir()] == [Path(str(third.image.name)).name]
    with django_capture_on_commit_callbacks(execute=True):
        client.post(link(nominee, "-take-down"), {"note": ""})
    assert list(kept.iterdir()) == []


def test_correction_that_changes_nothing_or_is_wrong_stays_at_the_form(client: Client, nominee: Nominee) -> None:
    for sent, said in (
        ({}, "reads like this already"),
        ({"bio": "x" * 2001}, "at most 2000 characters"),
        ({"image": picture("GIF")}, "choose the picture again"),
    ):
        response = client.post(link(nominee, "-correct"), {"bio": "Old story.", "achievements": "", **sent})
        assert response.status_code == 400
        assert said in text(response)
    assert not NomineeReply.objects.exists()


def test_take_down_asks_twice_and_withdraws_all_that_stands(
    client: Client, staff_client: Client, nominee: Nominee
) -> None:
    of = {"kind": "person", "first_name": "Nia", "last_name": "Bell", "email": "nia@example.com"}
    builders.submitted(of=of, to=builders.category("rising-star"))
    assert "Take your page down?" in text(client.get(link(nominee, "-take-down")))
    client.post(link(nominee, "-take-down"), {"note": f"Please. {EVIL}"})
    reply = NomineeReply.objects.get()
    assert client.get(f"/nominee/{nominee.slug}").status_code == 200
    assert "Your page shall be taken down" in text(client.get(link(nominee)))
    page = staff_client.get(f"{WORDS}{reply.pk}/settle/")
    for words in ("Please.", "Withdrawn: Best Recruiter", "Withdrawn: Rising Star", "disappears (410 Gone)"):
        assert words in text(page)
    assert "3 contacts are brought up to date outside." in text(page)
    assert EVIL not in page.content.decode()

    OutboxEntry.objects.all().delete()
    staff_client.post(f"{WORDS}{reply.pk}/settle/")
    assert set(Nomination.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert OutboxEntry.objects.values("contact").distinct().count() == 3
    assert client.get(f"/nominee/{nominee.slug}").status_code == 410
    assert "Your page was taken down" in text(client.get(link(nominee)))
    assert DecisionLog.objects.latest("seq").by == builders.superuser()
    chain(builders.season())


def test_take_down_of_one_merged_since_is_done_to_the_survivor(
    client: Client, staff_client: Client, nominee: Nominee
) -> None:
    client.post(link(nominee, "-take-down"), {})
    survivor = builders.approved().nominee
    Nomination.objects.filter(nominee=nominee).update(nominee=survivor)
    Nominee.objects.filter(pk=nominee.pk).update(state="merged", merged_into=survivor)
    reply = NomineeReply.objects.get()
    assert "Merged into" in text(staff_client.get(f"{WORDS}{reply.pk}/settle/"))
    staff_client.post(f"{WORDS}{reply.pk}/settle/")
    assert set(Nomination.objects.values_list("state", flat=True)) == {"withdrawn"}


@pytest.mark.parametrize("page", ["settle", "dismiss"])
def test_late_click_is_already_decided(client: Client, staff_client: Client, nominee: Nominee, page: str) -> None:
    reply = asked(nominee, client, bio="New story.")
    assert staff_client.get(f"{WORDS}{reply.pk}/{page}/").status_code == 200
    services.dismiss_reply(reply, by=builders.superuser())
    response = staff_client.post(f"{WORDS}{reply.pk}/{page}/", {"answer": "x"})
    assert (response["Location"], told(response)) == (WORDS, [("warning", "Already decided: this is dismissed.")])
    nominee.refresh_from_db()
    reply.refresh_from_db()
    assert (nominee.bio, reply.answer) == ("Old story.", "")


def test_settling_and_mailing_need_their_rights(client: Client, nominee: Nominee) -> None:
    reply = asked(nominee, client, bio="New story.")
    viewer = logged_in("nominations.view_nomineereply", "nominations.view_nominee")
    assert viewer.get(WORDS).status_code == 200
    pages = (f"{WORDS}{reply.pk}/settle/", f"{WORDS}{reply.pk}/dismiss/", f"{WORDS}mail/{nominee.pk}/")
    assert [method(page).status_code for page in pages for method in (viewer.get, viewer.post)] == [403] * 6
    box = viewer.get(f"/admin/nominations/nominee/{nominee.pk}/change/").content.decode()
    assert "own link" in box
    assert "/own/" not in box
    reply.refresh_from_db()
    assert (reply.state, LinkMail.objects.count()) == ("open", 0)


def test_box_on_the_nominees_page_has_link_and_last_word(staff_client: Client, nominee: Nominee) -> None:
    page = f"/admin/nominations/nominee/{nominee.pk}/change/"
    html = staff_client.get(page).content.decode()
    url = re.search(r'value="https://awards.example(/own/[^"]+)"', html)
    assert url is not None
    Client().post(url[1])
    assert "All is right" in staff_client.get(page).content.decode()
    nameless = builders.approved(of=builders.nominee(email="")).nominee
    html = staff_client.get(f"/admin/nominations/nominee/{nameless.pk}/change/").content.decode()
    assert "There is no email address" in html
    assert "/own/" in html
    response = staff_client.post(f"{WORDS}mail/{nameless.pk}/")
    assert "There is no address" in response.content.decode()


def test_mailed_link_opens_the_page(
    staff_client: Client, nominee: Nominee, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    address = f"{WORDS}mail/{nominee.pk}/"
    assert "goes to nia@example.com" in text(staff_client.get(address))
    staff_client.post(address)
    response = staff_client.post(address)
    assert told(response)[-1] == ("warning", "It is on its way already.")
    row = LinkMail.objects.get()
    for _ in range(2):
        services.send_link_mail(row.pk)
    row.refresh_from_db()
    assert (row.state, [one.to for one in mail.outbox]) == ("sent", [["nia@example.com"]])
    found = re.search(r"https://awards\.example(\S+)", str(mail.outbox[0].body))
    assert found is not None
    assert Client().get(found[1]).status_code == 200
    assert "Sent" in staff_client.get(f"/admin/nominations/nominee/{nominee.pk}/change/").content.decode()


def test_mail_that_fails_is_told_and_tried_again(nominee: Nominee, monkeypatch: pytest.MonkeyPatch) -> None:
    row = services.ask_for_link_mail(nominee, by=builders.superuser())
    failure: Exception = ConnectionRefusedError()

    def fail(self: EmailBackend, messages: Any) -> int:
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(EmailBackend, "send_messages", fail)
        services.send_link_mail(row.pk)
        row.refresh_from_db()
        assert (row.state, "ConnectionRefusedError" in row.error) == ("waiting", True)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert services.send_due_link_mails() == 1
    row.refresh_from_db()
    assert (row.state, row.error, len(mail.outbox)) == ("sent", "", 1)
    again = services.ask_for_link_mail(nominee, by=builders.superuser())
    failure = smtplib.SMTPRecipientsRefused({})
    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    services.send_link_mail(again.pk)
    again.refresh_from_db()
    assert (again.state, again.error) == ("failed", "The mail server refuses the address.")


def test_forgotten_nominee_leaves_no_words_and_no_staged_decision(
    client: Client,
    nominee: Nominee,
    kept: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    asked(nominee, client, bio="My story.", image=picture())
    services.stage_decisions(
        [nominee.nominations.get()], decision="reject", reason="Nia Bell said so.", by=builders.superuser()
    )
    with django_capture_on_commit_callbacks(execute=True):
        erasing.forget(erasing.identify("nia@example.com"), by=builders.superuser())
    reply = NomineeReply.objects.get()
    assert (reply.state, reply.bio, reply.note, reply.image.name) == ("accepted", "", "", "")
    assert list(kept.iterdir()) == []
    assert not hasattr(Nomination.objects.get(nominee=nominee), "staged")


@pytest.mark.parametrize("rows", [1, 3])
def test_words_need_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        services.ask_to_take_down(builders.approved().nominee, note="Please.")
    staff_client.get(WORDS)
    with django_assert_num_queries(6):
        html = staff_client.get(WORDS).content.decode()
    assert html.count('class="field-about"') == rows


def test_empty_list_says_how_words_come(staff_client: Client) -> None:
    assert "follows their own link" in staff_client.get(WORDS).content.decode()


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_two_who_settle_at_once_and_a_newer_word_end_in_one_order() -> None:
    nominee = builders.approved().nominee
    boss = builders.superuser()
    for number in range(5):
        reply = services.ask_for_correction(nominee, bio=f"Story {number}.", achievements="")
        calls: list[Callable[[], NomineeReply]] = [
            partial(services.accept_reply, reply, by=boss),
            partial(services.dismiss_reply, reply, by=boss),
            partial(services.ask_to_take_down, nominee),
        ]
        gate, done = Barrier(len(calls)), list[str]()

        def run(call: Any, gate: Barrier = gate, done: list[str] = done) -> None:
            gate.wait()
            try:
                done.append(call().state)
            except ValidationError as error:
                done.append(str(error.code))
            connection.close()

        threads = [Thread(target=run, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reply.refresh_from_db()
        settled = {"accepted": 1, "dismissed": 1, "replaced": 0}[reply.state]
        assert done.count("already_decided") == 2 - settled
        nominee.refresh_from_db()
        assert (nominee.bio == f"Story {number}.") == (reply.state == "accepted")
        assert NomineeReply.objects.filter(state="open").count() == 1
