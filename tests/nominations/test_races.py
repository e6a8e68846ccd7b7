"""What happens at the same moment: real threads, real commits, PostgreSQL."""

from collections import Counter
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from crm.models import User
from nominations.models import DecisionLog, Nomination, Nominator, Nominee, Season, Vote, Voter
from tests import builders
from tests.door import bearer, post, said
from tests.nominations.test_decision_log import chain

pytestmark = [pytest.mark.postgres, pytest.mark.django_db, pytest.mark.usefixtures("really_committed")]


def at_once(*calls: Callable[[], HttpResponse]) -> list[tuple[int, str]]:
    """Every call in a thread of its own, all let go together: status and code of each, in their order."""
    gate = Barrier(len(calls))
    answers: dict[int, tuple[int, str]] = {}

    def run(number: int, call: Callable[[], HttpResponse]) -> None:
        gate.wait()
        try:
            status, body = said(call())
            answers[number] = status, body.get("code", body.get("state", ""))
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(calls))]


def decision(nomination: Nomination, action: str, by: User, **body: Any) -> Callable[[], HttpResponse]:
    """A decision that is ready to go: its login is made before the race."""
    header = bearer(by)
    return lambda: post(f"/api/nominations/{nomination.pk}/{action}", body, **header)


def test_one_of_two_approvals_wins() -> None:
    boss = builders.superuser()
    for _ in range(5):
        nomination = builders.submitted()
        answers = at_once(*[decision(nomination, "approve", boss) for _ in range(4)])
        assert sorted(answers) == [(200, "approved")] + [(409, "already_decided")] * 3
        assert DecisionLog.objects.filter(nomination=nomination, action="approve").count() == 1
    chain(builders.season())


def test_approval_and_withdrawal_end_in_one_order_or_the_other() -> None:
    boss = builders.superuser()
    for _ in range(5):
        nomination = builders.submitted()
        answers = at_once(decision(nomination, "approve", boss), decision(nomination, "withdraw", boss))
        nomination.refresh_from_db()
        nominee = Nominee.objects.get(pk=nomination.nominee_id)
        # Approved and then withdrawn, or withdrawn, after which there is no approving.
        ends = {
            ((200, "approved"), (200, "withdrawn")): ("withdrawn", "suspended"),
            ((409, "already_decided"), (200, "withdrawn")): ("withdrawn", "draft"),
        }
        assert (nomination.state, nominee.state) == ends[answers[0], answers[1]]
    chain(builders.season())


def test_approval_and_rejection_end_in_one_order_or_the_other() -> None:
    boss = builders.superuser()
    for _ in range(5):
        nomination = builders.submitted()
        answers = at_once(decision(nomination, "approve", boss), decision(nomination, "reject", boss, reason="No."))
        assert answers == [(200, "approved"), (200, "rejected")]
        nomination.refresh_from_db()
        nominee = Nominee.objects.get(pk=nomination.nominee_id)
        assert (nomination.state, nominee.state) in {("rejected", "suspended"), ("approved", "live")}
    chain(builders.season())


def test_namesakes_approved_at_once_get_addresses_of_their_own() -> None:
    boss = builders.superuser()
    of = {"kind": "person", "first_name": "John", "last_name": "Smith"}
    waiting = [builders.submitted(of=of) for _ in range(6)]
    answers = at_once(*[decision(nomination, "approve", boss) for nomination in waiting])
    assert answers == [(200, "approved")] * 6
    slugs = Nominee.objects.order_by("slug").values_list("slug", flat=True)
    assert list(slugs) == ["john-smith", *(f"john-smith-{number}" for number in range(2, 7))]


def test_namesakes_of_two_seasons_approved_at_once_get_addresses_of_their_own() -> None:
    boss = builders.superuser()
    of = {"kind": "person", "first_name": "John", "last_name": "Smith"}
    old = [builders.submitted(of=of) for _ in range(3)]
    Season.objects.update(is_current=False)
    builders.season(name="2027")
    new = [builders.submitted(of=of) for _ in range(3)]
    answers = at_once(*[decision(nomination, "approve", boss) for nomination in [*old, *new]])
    assert answers == [(200, "approved")] * 6
    assert Nominee.objects.live().values("slug").distinct().count() == 6


def test_nominee_of_two_seasons_is_live_while_either_approval_stands() -> None:
    boss, of = builders.superuser(), builders.nominee()
    old = builders.approved(of=of)
    Season.objects.update(is_current=False)
    builders.season(name="2027")
    new = builders.submitted(of=of)
    for _ in range(5):
        at_once(decision(old, "withdraw", boss), decision(new, "approve", boss))
        assert Nominee.objects.get().state == "live"
        at_once(decision(new, "withdraw", boss), decision(old, "reopen", boss))
        at_once(decision(new, "reopen", boss), decision(old, "approve", boss))
        assert Nominee.objects.get().state == "live"


def test_duplicates_of_each_other_at_once_make_no_circle() -> None:
    boss = builders.superuser()
    for _ in range(5):
        one, other = builders.submitted(), builders.submitted()
        answers = at_once(
            decision(one, "duplicate", boss, of=str(other.pk)), decision(other, "duplicate", boss, of=str(one.pk))
        )
        assert sorted(status for status, _ in answers) == [200, 400]


def test_same_nomination_sent_twenty_times_at_once_is_one() -> None:
    body = builders.submission()
    answers = at_once(*[lambda: post("/api/nominations", body)] * 20)
    assert Counter(answers) == {(201, "submitted"): 1, (409, "already_nominated"): 19}
    assert (Nomination.objects.count(), Nominee.objects.count(), Nominator.objects.count()) == (1, 1, 1)
    assert len(chain(builders.season())) == 1


def test_same_nominee_named_by_twenty_at_once_is_one() -> None:
    of = builders.nominee()
    bodies = [builders.submission(nominee=of) for _ in range(20)]
    answers = at_once(*[lambda body=body: post("/api/nominations", body) for body in bodies])
    assert answers == [(201, "submitted")] * 20
    assert (Nomination.objects.count(), Nominee.objects.count()) == (20, 1)
    assert len(chain(builders.season())) == 20


def test_hundred_votes_of_one_voter_at_once_are_one() -> None:
    nominees, voter = [builders.approved().nominee.slug for _ in range(2)], builders.person()
    bodies = [{"category": "best-recruiter", "nominee": slug, "voter": voter} for slug in nominees]
    for _ in range(5):
        answers = at_once(*[lambda body=body: post("/api/votes", body) for body in bodies * 10])
        assert {answer for answer in answers} <= {(201, "counted"), (409, "already_voted")}
    assert (Vote.objects.count(), Voter.objects.count()) == (1, 1)


def test_votes_are_not_held_up_by_staff_and_do_not_hold_them_up() -> None:
    boss, standing = builders.superuser(), builders.approved()
    waiting = [builders.submitted() for _ in range(5)]
    bodies = [
        {"category": "best-recruiter", "nominee": standing.nominee.slug, "voter": builders.person()} for _ in range(5)
    ]
    answers = at_once(
        *[decision(nomination, "approve", boss) for nomination in waiting],
        *[lambda body=body: post("/api/votes", body) for body in bodies],
    )
    assert answers == [(200, "approved")] * 5 + [(201, "counted")] * 5
    assert Vote.objects.count() == 5
