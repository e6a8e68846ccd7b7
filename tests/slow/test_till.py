"""The web killed under traffic, on the kind of database that the suite runs on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_killed_web_loses_no_answer_and_moves_nothing_twice(
    own_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "tests.slow.till", "30"]
    environment = {**os.environ, "DATABASE_URL": own_database}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{json.dumps(found)}")  # noqa: T201
    assert found.pop("answered") > found["kills"]
    # Without one of these no kill has met a movement at work.
    assert found.pop("replayed") <= found.pop("sent_in_vain") > 0
    assert found == {"kills": 30, "lost": 0, "twice": 0, "points_off": 0, "problem": "", "surprises": {}}
