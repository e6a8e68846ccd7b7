"""The same key and the same body have one effect, and one answer."""

import json
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.http import HttpResponse

from crm.models import IdempotencyKey
from nominations.models import DecisionLog, Nomination, Season, Vote
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
NOMINATIONS, VOTES = "/api/nominations", "/api/votes"


def with_key(body: object, key: str = "order-1", path: str = NOMINATIONS) -> HttpResponse:
    """A POST under a key."""
    return post(path, body, Idempotency_Key=key)


def test_same_key_and_body_give_the_first_answer_again() -> None:
    body = builders.submission()
    first, second = with_key(body), with_key(body)
    assert first.status_code == 201
    assert said(second) == said(first)
    assert (first.get("Idempotent-Replay"), second.get("Idempotent-Replay")) == (None, "true")
    assert (Nomination.objects.count(), DecisionLog.objects.count()) == (1, 1)


def test_order_of_the_fields_and_spaces_do_not_make_another_body() -> None:
    body = builders.submission()
    with_key(body)
    turned = json.dumps(dict(reversed(body.items())), indent=4).encode()
    assert with_key(turned)["Idempotent-Replay"] == "true"


def test_same_key_with_another_body_is_422() -> None:
    with_key(builders.submission())
    assert refusal(with_key(builders.submission())) == (422, "idempotency_key_reused")
    assert Nomination.objects.count() == 1


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\xe9", "a\tb", "\x7f", "\xff"])
def test_malformed_key_is_400_and_has_no_effect(key: str) -> None:
    assert refusal(with_key(builders.submission(), key)) == (400, "idempotency_key_invalid")
    assert Nomination.objects.count() == 0


@pytest.mark.parametrize("key", ["a", " ", "~" * 255, "'; DROP TABLE--", "%00"])
def test_any_printable_key_is_taken(key: str) -> None:
    body = builders.submission()
    assert [with_key(body, key).status_code, with_key(body, key)["Idempotent-Replay"]] == [201, "true"]


def test_refusal_is_not_remembered() -> None:
    body = builders.submission()
    Season.objects.update(nominations_open_at=None)
    assert refusal(with_key(body)) == (403, "nominations_closed")
    assert IdempotencyKey.objects.count() == 0
    builders.season(nominations_open_at="2026-01-01T00:00Z")
    response = with_key(body)
    assert (response.status_code, response.get("Idempotent-Replay")) == (201, None)


def test_replay_comes_even_after_the_window_has_closed() -> None:
    body = builders.submission()
    first = with_key(body)
    Season.objects.update(nominations_open_at=None)
    assert said(with_key(body)) == said(first)


def test_replay_comes_even_after_the_category_was_switched_off() -> None:
    body = builders.submission()
    first = with_key(body)
    category = builders.category()
    category.is_active = False
    category.save()
    assert said(with_key(body)) == said(first)


def test_without_a_key_the_same_body_is_judged_again() -> None:
    body = builders.submission()
    assert post(NOMINATIONS, body).status_code == 201
    assert refusal(post(NOMINATIONS, body)) == (409, "already_nominated")


def test_key_is_of_one_endpoint() -> None:
    nomination = builders.approved()
    assert with_key(builders.submission()).status_code == 201
    body = {"category": "best-recruiter", "nominee": nomination.nominee.slug, "voter": builders.person()}
    response = with_key(body, path=VOTES)
    assert (response.status_code, response.get("Idempotent-Replay")) == (201, None)


def test_vote_under_a_key_is_cast_once() -> None:
    nomination = builders.approved()
    body = {"category": "best-recruiter", "nominee": nomination.nominee.slug, "voter": builders.person()}
    first, second = with_key(body, path=VOTES), with_key(body, path=VOTES)
    assert said(second) == said(first)
    assert second["Idempotent-Replay"] == "true"
    assert Vote.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_twins_in_flight_have_one_effect_and_one_answer() -> None:
    body = builders.submission()
    gate, answers = Barrier(8), []

    def knock() -> None:
        gate.wait()
        answers.append(with_key(body))
        connection.close()

    threads = [Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 8
    assert [said(answer) for answer in answers] == [said(answers[0])] * 8
    assert sorted(answer.get("Idempotent-Replay", "") for answer in answers) == [""] + ["true"] * 7
    assert (Nomination.objects.count(), DecisionLog.objects.count()) == (1, 1)
