"""The long run of the machine: twenty thousand steps on each kind of database, other ones each time."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.loyalty.machine import Machine

STEPS = 20_000


@pytest.mark.slow
@pytest.mark.django_db
def test_cards_do_what_the_model_does_for_twenty_thousand_steps(capsys: pytest.CaptureFixture[str]) -> None:
    before = Machine.steps
    while Machine.steps - before < STEPS:
        many = settings(
            max_examples=100,
            stateful_step_count=50,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Machine, settings=many)
        with capsys.disabled():
            print(f"\n{Machine.steps - before} steps")  # noqa: T201
