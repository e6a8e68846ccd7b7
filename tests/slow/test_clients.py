"""Five hundred clients in a storm, another one each time."""

import random

import pytest

from config.sandbox import RunningSandbox
from tests.loops_sync.clients import Storm


@pytest.mark.slow
@pytest.mark.django_db
def test_five_hundred_clients_in_a_storm_end_as_the_database_has_them(
    loops: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(1_000_000)
    with capsys.disabled():
        print(f"\nseed {seed}")  # noqa: T201
    Storm(loops, seed=seed, clients=500).run()
