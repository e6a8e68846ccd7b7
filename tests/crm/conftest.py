"""Nango and five CRMs for the tests of this app."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from config.sandbox import RunningSandbox
from config.sandbox.nango import Nango


@pytest.fixture
def nango(running_sandbox: RunningSandbox, settings: Settings) -> Iterator[Nango]:
    """Nango, with nobody connected."""
    running_sandbox.nango.reset()
    settings.NANGO_HOST = running_sandbox.nango_url
    settings.NANGO_SECRET_KEY = "0c2f9a7e-1111-4222-8333-944445555666"
    settings.NANGO_WEBHOOK_SECRET = "webhooks"
    settings.NANGO_TIMEOUT_SECONDS = 2.0
    yield running_sandbox.nango
    running_sandbox.nango.reset()
