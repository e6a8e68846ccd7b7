"""What the tests of the awards get."""

from pathlib import Path

import pytest
from pytest_django import Settings

from crm.models import User
from nominations.models import Category, Season
from tests.nominations.public import make_category, make_season


@pytest.fixture(autouse=True)
def pictures(settings: Settings, tmp_path: Path) -> None:
    """Pictures are kept for one test."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def season(db: None) -> Season:
    """Open for all."""
    return make_season()


@pytest.fixture
def category(db: None) -> Category:
    """For a person."""
    return make_category()


@pytest.fixture
def staff(db: None) -> User:
    """May do everything."""
    return User.objects.create_superuser("staff@laurel.test", "x")
