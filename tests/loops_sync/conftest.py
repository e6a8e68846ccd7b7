"""Shared by the Loops tests."""

import pytest

from config.sandbox import RunningSandbox


@pytest.fixture(autouse=True)
def _line(db: None, loops: RunningSandbox) -> None:
    """Every test here speaks with the stateful sandbox."""
