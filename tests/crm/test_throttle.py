"""How often an address may ask for something to be done."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from crm import services
from crm.models import IdempotencyKey, RateGate
from tests.door import get, post, refusal

pytestmark = pytest.mark.django_db
VOTES, NOMINATIONS = "/api/votes", "/api/nominations"


@pytest.fixture
def still(settings: Settings) -> Any:
    """Thirty a minute, on a clock that stands still."""
    settings.THROTTLE_RATES = {"public": "30/min"}
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def statuses(count: int, path: str = VOTES, **kwargs: Any) -> list[int]:
    """Of that many empty posts: 400 is one that passed."""
    return [post(path, {}, **kwargs).status_code for _ in range(count)]


def test_thirty_first_in_a_minute_is_429_and_told_when(still: Any) -> None:
    assert statuses(30) == [400] * 30
    response = post(VOTES, {})
    assert refusal(response) == (429, "throttled")
    assert response["Retry-After"] == "2"


def test_one_more_passes_after_the_wait_that_was_told(still: Any) -> None:
    statuses(31)
    still.shift(timedelta(seconds=2))
    assert statuses(2) == [400, 429]
    still.shift(timedelta(minutes=1))
    assert statuses(31) == [400] * 30 + [429]


def test_refused_requests_do_not_make_the_wait_longer(still: Any) -> None:
    statuses(50)
    assert post(VOTES, {})["Retry-After"] == "2"


def test_votes_and_nominations_share_the_rate(still: Any) -> None:
    assert statuses(30, NOMINATIONS) == [400] * 30
    assert statuses(1, VOTES) == [429]


def test_rate_is_per_address(still: Any) -> None:
    statuses(31)
    assert statuses(1, address="192.0.2.9") == [400]


def test_reading_is_free(still: Any) -> None:
    statuses(31)
    assert refusal(get(NOMINATIONS)) == (401, "not_authenticated")
    assert get("/api/categories").status_code == 200


def test_every_process_sees_the_same_row(still: Any) -> None:
    statuses(30)
    assert list(RateGate.objects.values_list("name", flat=True)) == ["public:127.0.0.1"]
    RateGate.objects.all().delete()
    assert statuses(1) == [400]


def test_empty_rate_is_off(settings: Settings) -> None:
    settings.THROTTLE_RATES = {"public": ""}
    assert statuses(40) == [400] * 40
    assert RateGate.objects.count() == 0


def test_forwarded_address_is_not_believed(still: Any) -> None:
    spoofed = [post(VOTES, {}, X_Forwarded_For=f"10.0.0.{number}").status_code for number in range(31)]
    assert spoofed == [400] * 30 + [429]


def test_forwarded_address_is_believed_as_far_as_the_proxies_are_ours(still: Any, settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for number in range(30):
        post(VOTES, {}, X_Forwarded_For=f"10.0.0.{number}, 192.0.2.1")
    assert post(VOTES, {}, X_Forwarded_For="10.0.0.99, 192.0.2.1").status_code == 429
    assert post(VOTES, {}, X_Forwarded_For="192.0.2.1, 192.0.2.2").status_code == 400


def test_forwarded_address_of_any_length_is_no_500(still: Any, settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    assert post(VOTES, {}, X_Forwarded_For="x" * 5000).status_code == 400


@pytest.mark.parametrize(("rate", "parsed"), [("1/s", (1, 1)), ("30/min", (30, 60)), ("5/hour", (5, 3600))])
def test_rate_is_read(rate: str, parsed: tuple[int, int]) -> None:
    assert services.parse_rate(rate) == parsed


@pytest.mark.parametrize("rate", ["0/min", "30", "30/year", "-1/min", "a/min", "1/min\n"])
def test_nonsense_is_not_a_rate(rate: str) -> None:
    with pytest.raises(ValueError, match="is not a rate such as 30/min"):
        services.parse_rate(rate)


def test_slots_of_a_steady_rate_follow_each_other_without_a_burst() -> None:
    with time_machine.travel(timezone.now(), tick=False):
        waits = [services.book_slot("loops", per_second=10, at_most=0.25) for _ in range(5)]
    assert waits == [0.0, 0.1, 0.2, None, None]


def test_old_keys_and_gates_are_forgotten_and_young_ones_kept() -> None:
    now = timezone.now()
    for hours in (47, 49):
        key = IdempotencyKey.objects.create(scope="s", key=str(hours), fingerprint="f")
        IdempotencyKey.objects.filter(pk=key.pk).update(created_at=now - timedelta(hours=hours))
    RateGate.objects.create(name="old", free_at=now - timedelta(hours=2))
    RateGate.objects.create(name="young", free_at=now)
    services.forget_old_requests()
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["47"]
    assert list(RateGate.objects.values_list("name", flat=True)) == ["young"]
