"""Many who try one account together are counted as if they came one after the other."""

import threading
import time

import pytest
from django.contrib.auth import hashers
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests import builders
from tests.door import post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
THREADS = 8


class SlowHasher(hashers.MD5PasswordHasher):
    """Takes its time, as a real one does, and counts the checks of a password."""

    algorithm = "slow"
    lock = threading.Lock()
    checks = 0

    def verify(self, password: str, encoded: str) -> bool:
        """As MD5, slow and counted."""
        with self.lock:
            type(self).checks += 1
        time.sleep(0.02)
        return super().verify(password, encoded)


def attack(number: int, times: int) -> None:
    """By token and by the admin's form in turn, each time from another address."""
    for turn in range(times):
        address = f"10.0.{number}.{turn}"
        if turn % 2:
            Client().post("/admin/login/", {"username": "Boss@example.org", "password": "wrong"}, REMOTE_ADDR=address)
        else:
            post("/api/auth/login", {"email": "boss@example.org", "password": "wrong"}, address=address)
    connections.close_all()


@pytest.mark.parametrize("times", [10, pytest.param(125, marks=pytest.mark.slow)])
def test_no_more_than_twenty_passwords_are_checked(times: int, settings: Settings, really_committed: None) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.SlowHasher"]
    builders.superuser()
    SlowHasher.checks = 0
    threads = [threading.Thread(target=attack, args=(number, times)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SlowHasher.checks == 20
