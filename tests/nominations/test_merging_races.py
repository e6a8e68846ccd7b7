"""Merges at the same moment as something else: real threads, real commits, PostgreSQL."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from nominations import services
from nominations.models import Merge, Nomination, Nominee, Tally, Vote
from nominations.services import merge_nominees, unmerge_nominees, verify_votes
from tests import builders

pytestmark = [pytest.mark.postgres, pytest.mark.django_db, pytest.mark.usefixtures("really_committed")]
DONE = "done"


def at_once(*calls: Callable[[], Any]) -> list[str]:
    """Each in a thread of its own, all let go together: `done` or the code of the refusal, in their order."""
    gate, answers = Barrier(len(calls)), ["died"] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            call()
            answers[number] = DONE
        except ValidationError as error:
            answers[number] = getattr(error, "code", None) or str(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def voting(nomination: Nomination) -> Callable[[], Vote]:
    """Somebody new who is about to vote."""
    voter = builders.person()
    return lambda: services.cast_vote(nomination.category, nomination.nominee, voter=voter)


def total(nomination: Nomination) -> int:
    return sum(Tally.objects.filter(nominee=nomination.nominee).values_list("votes", flat=True))


def vote_against_merge() -> None:
    """A vote for the loser goes along, or is refused."""
    by = builders.superuser()
    loser, survivor = builders.approved(), builders.approved()
    answers = at_once(
        *[voting(loser) for _ in range(4)],
        lambda: merge_nominees(loser.nominee, survivor.nominee, by=by),
        *[voting(survivor) for _ in range(2)],
    )
    assert set(answers[:4]) <= {DONE, "not_live"}
    assert answers[4:] == [DONE] * 3
    assert (total(loser), total(survivor)) == (0, answers[:4].count(DONE) + 2)
    assert verify_votes() == ""


def confirmation_against_merge() -> None:
    """A held vote that is confirmed counts for the survivor."""
    by = builders.superuser()
    builders.season(vote_verification="email")
    loser, survivor = builders.approved(), builders.approved()
    held = builders.vote(loser)
    builders.season(vote_verification="none")
    token = services.verification_token(held)
    answers = at_once(
        lambda: services.confirm_vote(token),
        lambda: merge_nominees(loser.nominee, survivor.nominee, by=by),
    )
    assert (answers, total(loser), total(survivor), verify_votes()) == ([DONE, DONE], 0, 1, "")


def merge_against_its_reverse() -> None:
    """One wins."""
    by = builders.superuser()
    one, other = builders.approved().nominee, builders.approved().nominee
    answers = at_once(
        *[lambda: merge_nominees(one, other, by=by)] * 2,
        *[lambda: merge_nominees(other, one, by=by)] * 2,
    )
    assert sorted(answers) == ["already_decided"] * 3 + [DONE]
    states = Nominee.objects.filter(pk__in=[one.pk, other.pk]).values_list("state", flat=True)
    assert sorted(states) == ["live", "merged"]


def merges_in_a_ring() -> None:
    """No circle."""
    by = builders.superuser()
    ring = [builders.approved().nominee for _ in range(3)]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    answers = at_once(*[lambda pair=pair: merge_nominees(*pair, by=by) for pair in pairs])
    assert sorted(answers) == ["already_decided", DONE, DONE]
    assert Nominee.objects.filter(pk__in=[row.pk for row in ring], state="live").count() == 1


def approval_against_merge() -> None:
    """The survivor is live, whichever was first."""
    by = builders.superuser()
    loser, survivor = builders.submitted(), builders.submitted()
    answers = at_once(
        lambda: services.approve_nomination(loser, by=by),
        lambda: merge_nominees(loser.nominee, survivor.nominee, by=by),
    )
    nominees = Nominee.objects.in_bulk([loser.nominee_id, survivor.nominee_id])
    assert (answers, Nomination.objects.get(pk=loser.pk).state) == ([DONE, DONE], "approved")
    assert (nominees[loser.nominee_id].state, nominees[survivor.nominee_id].state) == ("merged", "live")


def joining_against_merge() -> None:
    """Refused, or first and then moved along."""
    by = builders.superuser()
    waiting, loser, survivor = builders.submitted(), builders.approved(), builders.approved()
    answers = at_once(
        lambda: services.approve_nomination(waiting, by=by, nominee=loser.nominee),
        lambda: merge_nominees(loser.nominee, survivor.nominee, by=by),
    )
    assert answers[1] == DONE
    found = Nomination.objects.get(pk=waiting.pk)
    ends = {True: survivor.nominee_id, False: waiting.nominee_id}
    assert (found.nominee_id, found.state == "approved") == (ends[answers[0] == DONE], answers[0] == DONE)


def undoing_against_votes() -> None:
    """Votes stay with whom they were cast for, and only one of two undoes it."""
    by = builders.superuser()
    loser, survivor = builders.approved(), builders.approved()
    builders.vote(loser)
    merge = merge_nominees(loser.nominee, survivor.nominee, by=by)
    answers = at_once(
        *[voting(survivor) for _ in range(3)],
        *[lambda: unmerge_nominees(merge, by=by)] * 2,
        voting(loser),
    )
    assert answers[:3] == [DONE] * 3
    assert sorted(answers[3:5]) == ["already_decided", DONE]
    assert answers[5] in (DONE, "not_live")
    assert (total(loser), total(survivor)) == (1 + (answers[5] == DONE), 3)
    assert (verify_votes(), Merge.objects.get(pk=merge.pk).undone_by) == ("", by)


def naming_against_merge() -> None:
    """Whoever names the loser names the survivor, and nobody new."""
    by = builders.superuser()
    of = builders.nominee()
    loser, survivor = builders.approved(of=of), builders.approved()
    count, authors = Nominee.objects.count(), [builders.person() for _ in range(3)]
    at_once(
        *[lambda who=who: builders.submitted(of=of, by=who) for who in authors],
        lambda: merge_nominees(loser.nominee, survivor.nominee, by=by),
    )
    assert (Nominee.objects.count(), Nomination.objects.filter(nominee=survivor.nominee).count()) == (count, 5)
    assert not Nomination.objects.filter(nominee=loser.nominee).exists()


VOTES = (vote_against_merge, undoing_against_votes, confirmation_against_merge)
MERGES = (merge_against_its_reverse, merges_in_a_ring)
DECISIONS = (approval_against_merge, joining_against_merge, naming_against_merge)


def test_votes_at_the_moment_of_a_merge_or_its_undoing_are_counted_once() -> None:
    for race in VOTES:
        race()


def test_merges_against_each_other_make_no_circle_and_lock_nothing_up() -> None:
    for race in MERGES:
        race()


def test_decisions_and_nominations_at_the_moment_of_a_merge_go_to_the_survivor() -> None:
    for race in DECISIONS:
        race()
