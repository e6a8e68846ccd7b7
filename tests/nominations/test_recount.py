"""Whatever happens, in any order or at once, the tallies are what a recount says."""

from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from nominations import services
from nominations.models import Nominee, Tally, Vote, VoteRuling
from nominations.services import add_manual_votes, merge_votes, unmerge_votes, verify_votes
from tests import builders


class Ballots(RuleBasedStateMachine):
    """Any order of what moves a tally; after each step the tallies are what a recount says."""

    def __init__(self) -> None:
        super().__init__()
        self.boss = builders.superuser()
        self.places = [builders.approved() for _ in range(3)]
        self.voters = [builders.person() for _ in range(4)]
        self.merged: list[tuple[Nominee, Nominee]] = []

    def done(self, act: Any) -> None:
        """A refusal moves nothing."""
        try:
            with transaction.atomic():
                act()
        except ValidationError:
            pass
        assert verify_votes() == ""
        assert not Tally.objects.filter(votes__lt=0).exists()

    @rule(place=st.integers(0, 2), voter=st.integers(0, 3), held=st.booleans())
    def cast(self, place: int, voter: int, held: bool) -> None:
        """A vote, or one that waits."""
        builders.season(vote_verification="email" if held else "none")
        row = self.places[place]
        self.done(lambda: services.cast_vote(row.category, row.nominee, voter=self.voters[voter]))

    @rule(number=st.integers(0, 9))
    def confirm(self, number: int) -> None:
        """Its voter's word."""
        votes = list(Vote.objects.order_by("created_at"))
        if number < len(votes):
            self.done(lambda: services.confirm_vote(services.verification_token(votes[number])))

    @rule(place=st.integers(0, 2), count=st.integers(-3, 3))
    def by_hand(self, place: int, count: int) -> None:
        """Manual votes."""
        row = self.places[place]
        self.done(lambda: add_manual_votes(row.nominee, row.category, count=count, reason="x", by=self.boss))

    @rule(place=st.integers(0, 2))
    def invalidate(self, place: int) -> None:
        """All of somebody's."""
        votes = Vote.objects.filter(nominee=self.places[place].nominee)
        self.done(lambda: services.invalidate_votes(votes, reason="cluster", note="x", by=self.boss))

    @rule()
    def undo(self) -> None:
        """The last ruling."""
        ruling = VoteRuling.objects.first()
        if ruling:
            self.done(lambda: services.undo_ruling(ruling, note="x", by=self.boss))

    @rule(one=st.integers(0, 2), other=st.integers(0, 2))
    def merge(self, one: int, other: int) -> None:
        """Two that are not merged yet."""
        loser, survivor = self.places[one].nominee, self.places[other].nominee
        gone = {pair[0].pk for pair in self.merged}
        if loser.pk != survivor.pk and not {loser.pk, survivor.pk} & gone:
            self.done(lambda: merge_votes(loser, survivor, by=self.boss))
            self.merged.append((loser, survivor))

    @rule()
    def unmerge(self) -> None:
        """The last one."""
        if self.merged:
            loser, survivor = self.merged[-1]
            originals = [pair[0] for pair in self.merged if pair[1].pk == loser.pk]
            self.done(lambda: unmerge_votes(loser, survivor, by=self.boss, originals=originals))
            if not Vote.objects.filter(nominee=survivor, original_nominee=loser).exists():
                self.merged.pop()


@pytest.mark.django_db
def test_tallies_are_what_a_recount_says_whatever_happens() -> None:
    some = settings(
        max_examples=6,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )

    class Fresh(Ballots):
        """Each run begins with nothing."""

        def __init__(self) -> None:
            self.outside = transaction.atomic()
            self.outside.__enter__()
            super().__init__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.outside.__exit__(None, None, None)

    run_state_machine_as_test(Fresh, settings=some)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.usefixtures("really_committed")
def test_two_hundred_voters_of_one_nominee_at_once_wait_in_line() -> None:
    nomination, crowd, each = builders.approved(), 20, 10
    voters = [[builders.person() for _ in range(each)] for _ in range(crowd)]
    gate, failed = Barrier(crowd), []

    def vote(mine: list[dict[str, Any]]) -> None:
        gate.wait()
        try:
            for voter in mine:
                services.cast_vote(nomination.category, nomination.nominee, voter=voter)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)
        finally:
            connection.close()

    threads = [Thread(target=vote, args=[mine]) for mine in voters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, Tally.objects.get().votes, verify_votes()) == ([], 200, "")
