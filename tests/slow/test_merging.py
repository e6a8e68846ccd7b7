"""The long run of merges: two thousand steps on each kind of database, and every race twenty times."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.nominations.test_merging import Mergers
from tests.nominations.test_merging_races import DECISIONS, MERGES, VOTES

STEPS, ROUNDS = 2000, 20


@pytest.mark.slow
@pytest.mark.django_db
def test_votes_go_home_after_two_thousand_steps() -> None:
    before = Mergers.steps
    while Mergers.steps - before < STEPS:
        many = settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Mergers, settings=many)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.usefixtures("really_committed")
def test_every_race_ends_well_twenty_times() -> None:
    for _ in range(ROUNDS):
        for race in (*VOTES, *MERGES, *DECISIONS):
            race()
