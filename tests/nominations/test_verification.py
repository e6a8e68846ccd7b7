"""Votes that wait for their voter's word."""

import re
import smtplib
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.core import mail, signing
from django.core.exceptions import ValidationError
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from loops_sync.models import Contact
from nominations import services, tasks
from nominations.models import Nomination, Tally, Vote, Voter
from nominations.services import confirm_vote, verification_token, verify_votes
from tests import builders
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


@pytest.fixture
def standing() -> Nomination:
    """Somebody who can be voted for, where addresses are verified."""
    builders.season(vote_verification="email")
    return builders.approved(of=builders.nominee(last_name="Star"))


def body(nomination: Nomination, **voter: Any) -> dict[str, Any]:
    """Of POST /api/votes."""
    return {
        "category": nomination.category.slug,
        "nominee": nomination.nominee.slug,
        "voter": builders.person(**voter),
    }


def total() -> int:
    """Of the only nominee."""
    tally = Tally.objects.first()
    return tally.votes if tally else 0


def test_vote_is_held_mailed_shown_and_confirmed_by_a_button(standing: Nomination, client: Client) -> None:
    status, answer = said(post("/api/votes", body(standing, email="ann@x.example")))
    assert (status, answer["state"], answer["total_votes"], total()) == (201, "held", 0, 0)
    vote = Vote.objects.get()
    assert (vote.reason, Contact.objects.filter(email="ann@x.example").exists()) == ("unverified", False)
    services.send_verification(vote.pk)
    services.send_verification(vote.pk)
    assert [message.to for message in mail.outbox] == [["ann@x.example"]]
    link = re.search(r"https://awards\.example(/vote/confirm/\S+)", str(mail.outbox[0].body))
    assert link is not None
    page = client.get(link[1])
    assert ("Confirm my vote" in page.content.decode(), total()) == (True, 0)
    assert "Your vote counted" in client.post(link[1], follow=True).content.decode()
    assert "Your vote counted" in client.post(link[1], follow=True).content.decode()
    vote.refresh_from_db()
    assert (vote.state, vote.reason, vote.verified_at is not None, total()) == ("counted", "", True, 1)
    assert Contact.objects.filter(email="ann@x.example").exists()
    assert (Voter.objects.get().verified_at, verify_votes()) == (vote.verified_at, "")


def test_page_says_that_a_mail_is_on_its_way(standing: Nomination, client: Client) -> None:
    voter = builders.person()
    sent = {"category": standing.category.slug, "key": "k", **{f"voter-{name}": text for name, text in voter.items()}}
    page = client.post(f"/nominee/{standing.nominee.slug}", sent, follow=True).content.decode()
    assert ("Confirm your vote by email" in page, "Your vote counted" in page) == (True, False)


def test_one_of_two_held_votes_counts(standing: Nomination, client: Client) -> None:
    rival, voter = builders.approved(), builders.person()
    first, second = (services.cast_vote(row.category, row.nominee, voter=voter) for row in (standing, rival))
    confirm_vote(verification_token(second))
    response = client.post(f"/vote/confirm/{verification_token(first)}")
    assert (response.status_code, "already voted" in response.content.decode()) == (409, True)
    assert Vote.objects.counted().get().pk == second.pk
    sent = {**body(standing), "voter": voter}
    assert refusal(post("/api/votes", sent)) == (409, "already_voted")


def test_voting_again_asks_for_another_mail_but_not_at_once(standing: Nomination) -> None:
    voter = builders.person()
    for minutes, mails in ((0, 1), (5, 1), (11, 2)):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
            vote = services.cast_vote(standing.category, standing.nominee, voter=voter)
            services.send_verification(vote.pk)
        assert (len(mail.outbox), Vote.objects.count()) == (mails, 1)


def test_held_vote_lapses_after_seven_days_and_its_link_too(standing: Nomination, client: Client) -> None:
    vote = services.cast_vote(standing.category, standing.nominee, voter=builders.person())
    token = verification_token(vote)
    with time_machine.travel(vote.created_at + WEEK - timedelta(seconds=1), tick=False):
        assert client.get(f"/vote/confirm/{token}").status_code == 200
        assert services.lapse_votes() == 0
    with time_machine.travel(vote.created_at + WEEK + timedelta(seconds=2), tick=False):
        assert client.post(f"/vote/confirm/{token}").status_code == 410
        assert services.lapse_votes() == 1
    vote.refresh_from_db()
    assert (vote.state, vote.reason, total()) == ("invalid", "unverified", 0)
    assert client.get(f"/vote/confirm/{token}").status_code == 410
    with pytest.raises(ValidationError):
        services.restore_votes(Vote.objects.all(), note="x", by=builders.superuser())


def test_link_is_for_one_purpose(standing: Nomination, client: Client) -> None:
    vote = services.cast_vote(standing.category, standing.nominee, voter=builders.person())
    for token in ("nonsense", signing.dumps(str(vote.pk)), verification_token(vote)[:-1] + "_"):
        assert client.post(f"/vote/confirm/{token}").status_code == 404
    assert total() == 0


def test_results_once_published_take_no_more_votes(standing: Nomination, client: Client) -> None:
    vote = services.cast_vote(standing.category, standing.nominee, voter=builders.person())
    builders.season(results_published_at=timezone.now())
    assert client.post(f"/vote/confirm/{verification_token(vote)}").status_code == 403
    assert total() == 0


def test_invalid_vote_is_not_confirmed(standing: Nomination) -> None:
    vote = services.cast_vote(standing.category, standing.nominee, voter=builders.person())
    boss = builders.superuser()
    ruling = services.invalidate_votes(Vote.objects.all(), reason="staff", note="x", by=boss)
    with pytest.raises(ValidationError):
        confirm_vote(verification_token(vote))
    services.undo_ruling(ruling, note="y", by=boss)
    vote.refresh_from_db()
    assert (vote.state, vote.reason) == ("held", "unverified")
    confirm_vote(verification_token(vote))
    assert (total(), verify_votes()) == (1, "")


def test_mail_that_fails_is_sent_by_the_sweep(standing: Nomination, monkeypatch: pytest.MonkeyPatch) -> None:
    vote = services.cast_vote(standing.category, standing.nominee, voter=builders.person())

    def broken(*args: Any) -> int:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", broken)
        tasks.send_verification(str(vote.pk))
    assert mail.outbox == []
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        tasks.send_due_verifications()
        tasks.send_due_verifications()
    assert len(mail.outbox) == 1


def test_mail_is_queued_when_the_vote_is_there(
    standing: Nomination, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as calls:
        services.cast_vote(standing.category, standing.nominee, voter=builders.person())
    assert len(calls) == 1


class TestThrottle:
    """An office behind one address, and somebody who types one address again and again."""

    @pytest.fixture(autouse=True)
    def still(self, settings: Settings) -> Any:
        """Thirty a minute, on a clock that stands still."""
        settings.THROTTLE_RATES = {"public": "30/min"}
        with time_machine.travel(timezone.now(), tick=False):
            yield

    def test_verified_colleagues_pass_where_strangers_wait(self, standing: Nomination) -> None:
        builders.season(vote_verification="none")
        known = [builders.person() for _ in range(40)]
        Voter.objects.bulk_create(Voter(**fields, verified_at=timezone.now()) for fields in known)
        flood = [post("/api/votes", {}).status_code for _ in range(31)]
        assert flood == [400] * 30 + [429]
        for voter in known:
            assert post("/api/votes", {**body(standing), "voter": voter}).status_code == 201
        refused = post("/api/votes", body(standing))
        assert (refusal(refused), refused["Retry-After"]) == ((429, "throttled"), "2")
        assert get("/api/categories").status_code == 200

    def test_one_voter_is_slowed_down_from_whatever_address(self, standing: Nomination) -> None:
        sent = body(standing)
        answers = [post("/api/votes", sent, address=f"192.0.2.{number}").status_code for number in range(31)]
        assert answers == [201] * 30 + [429]
        assert post("/api/votes", sent, address="192.0.2.99")["Retry-After"] == "120"

    def test_page_and_api_share_the_turns(self, standing: Nomination, client: Client) -> None:
        for _ in range(30):
            post("/api/votes", {})
        address = f"/nominee/{standing.nominee.slug}"
        known = builders.person()
        sent = {"category": "best-recruiter", "key": "k", **{f"voter-{name}": text for name, text in known.items()}}
        assert client.post(address, sent)["Retry-After"] == "2"
        Voter.objects.create(**known, verified_at=timezone.now())
        assert client.post(address, sent).status_code == 302


def at_once(*calls: Any) -> list[str]:
    """Shared out to sixteen threads that are let go together: "" or the code of the refusal of each."""
    crowd = min(len(calls), 16)
    gate, ends = Barrier(crowd), [""] * len(calls)

    def run(first: int) -> None:
        gate.wait()
        try:
            for number in range(first, len(calls), crowd):
                try:
                    calls[number]()
                except ValidationError as error:
                    ends[number] = str(getattr(error, "code", ""))
        finally:
            connection.close()

    threads = [Thread(target=run, args=[number]) for number in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
class TestRaces:
    """Real threads, real commits."""

    def test_votes_and_confirmations_of_one_voter_end_in_one(self) -> None:
        builders.season(vote_verification="email")
        places, voter = [builders.approved() for _ in range(3)], builders.person()
        held = [services.cast_vote(row.category, row.nominee, voter=voter) for row in places]
        builders.season(vote_verification="none")
        calls: list[Any] = [lambda vote=vote: confirm_vote(verification_token(vote)) for vote in held] * 10
        calls += [lambda row=row: services.cast_vote(row.category, row.nominee, voter=voter) for row in places] * 23
        ends = at_once(*calls[:99])
        assert set(ends) <= {"", "already_voted"}
        assert (Vote.objects.counted().count(), verify_votes()) == (1, "")

    def test_votes_against_invalidations_and_undoing(self) -> None:
        boss, nomination, other = builders.superuser(), builders.approved(), builders.approved()
        voters = [builders.person() for _ in range(12)]
        for voter in voters:
            services.cast_vote(nomination.category, nomination.nominee, voter=voter)
        for _ in range(3):
            ruling = services.invalidate_votes(Vote.objects.all(), reason="staff", note="x", by=boss)
            calls: list[Any] = [
                lambda voter=voter: services.cast_vote(other.category, other.nominee, voter=voter) for voter in voters
            ]
            calls.append(lambda ruling=ruling: services.undo_ruling(ruling, note="y", by=boss))
            ends = at_once(*calls)
            assert set(ends) <= {"", "already_voted", "already_restored"}
            assert (Vote.objects.counted().count(), verify_votes()) == (12, "")

    def test_merges_against_votes(self) -> None:
        loser, survivor = builders.approved(), builders.approved()
        voters = [builders.person() for _ in range(12)]
        calls: list[Any] = [
            lambda voter=voter, row=row: services.cast_vote(row.category, row.nominee, voter=voter)
            for voter, row in zip(voters, [loser, survivor] * 6, strict=True)
        ]
        calls += [lambda: services.merge_votes(loser.nominee, survivor.nominee, by=None)]
        assert set(at_once(*calls)) == {""}
        services.unmerge_votes(loser.nominee, survivor.nominee, by=None)
        assert verify_votes() == ""
        assert sorted(Tally.objects.values_list("votes", flat=True)) == [6, 6]
