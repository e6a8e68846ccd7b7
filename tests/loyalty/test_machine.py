"""A short run of the machine; `tests/slow/test_machine.py` has the long one."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.loyalty.machine import Machine


@pytest.mark.django_db
def test_cards_do_what_the_model_does() -> None:
    some = settings(
        max_examples=8,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=some)
