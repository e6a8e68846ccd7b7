"""What staff rule on votes: groups are taken out in one go, with a reason, and put back in one go."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from crm.models import User
from nominations.models import Vote, Voter, VoteRuling
from nominations.models.tallies import Place
from nominations.services.log import lock_seasons
from nominations.services.tallies import lock_nominees, shift_tally
from nominations.signals import votes_changed

BATCH = 1000
BY_STAFF = (Vote.Reason.STAFF, Vote.Reason.CLUSTER, Vote.Reason.SELF_VOTE)
State, Action = Vote.State, VoteRuling.Action


def invalidate_votes(
    votes: QuerySet[Vote], *, reason: str, note: str, by: User, about: str = "", expected: int | None = None
) -> VoteRuling:
    """Take votes out, with their tallies, in one transaction. They stay, and can be restored.

    `expected` is how many a preview has shown. Raises ValidationError: `reason_required`, `already_invalid` when none
    is left to take out, `changed` when there are not as many as expected, `total_below_zero`.
    """
    _check(reason, note)
    with transaction.atomic():
        chosen = _locked(votes.filter(state__in=[State.COUNTED, State.HELD]))
        if expected is not None and len(chosen) != expected:
            message = f"There are {len(chosen)} votes now, not {expected}: look again."
            raise ValidationError(message, code="changed")
        if not chosen:
            raise ValidationError("These votes are invalid already.", code="already_invalid")
        ruling = _rule(Action.INVALIDATE, len(chosen), reason=reason, note=note, about=about, by=by)
        for batch in _batches(chosen):
            rows = Vote.objects.filter(pk__in=[vote.pk for vote in batch])
            for state in (State.COUNTED, State.HELD):
                changed = {"state": State.INVALID, "state_before": state, "reason": reason, "ruling": ruling}
                rows.filter(state=state).update(**changed)
        counted = [vote for vote in chosen if vote.state == State.COUNTED]
        _shift(counted, -1)
        _tell(ruling, counted)
    return ruling


def restore_votes(
    votes: QuerySet[Vote], *, note: str, by: User, about: str = "", undoes: VoteRuling | None = None
) -> VoteRuling:
    """Put back what staff took out, as it was before. Whose voter has another counted vote by now stays out.

    Raises ValidationError: `reason_required`, `already_restored` when none can be put back.
    """
    _check("restored", note)
    with transaction.atomic():
        chosen = _locked(votes.filter(state=State.INVALID, reason__in=BY_STAFF))
        free = _without_rivals(chosen)
        if not free:
            message = "None can be put back: they are back already, or their voters have voted anew."
            raise ValidationError(message, code="already_restored")
        ruling = _rule(Action.RESTORE, len(free), reason="", note=note, about=about, by=by, undoes=undoes)
        counted = [vote for vote in free if vote.state_before == State.COUNTED]
        for batch in _batches(free):
            rows = Vote.objects.filter(pk__in=[vote.pk for vote in batch])
            for state, why in ((State.COUNTED, ""), (State.HELD, Vote.Reason.UNVERIFIED)):
                changed = {"state": state, "state_before": "", "reason": why, "ruling": ruling}
                rows.filter(state_before=state).update(**changed)
        _shift(counted, 1)
        _tell(ruling, counted)
    return ruling


def undo_ruling(ruling: VoteRuling, *, note: str, by: User) -> VoteRuling:
    """Put back the votes that a ruling took out, but for those ruled on again. Raises as `restore_votes`."""
    with transaction.atomic():
        lock_seasons()
        if ruling.action != Action.INVALIDATE or VoteRuling.objects.filter(undoes=ruling).exists():
            raise ValidationError("This ruling cannot be undone, or was undone before.", code="already_restored")
        return restore_votes(Vote.objects.filter(ruling=ruling), note=note, by=by, about=ruling.about, undoes=ruling)


def _check(reason: str, note: str) -> None:
    if not note.strip() or not reason:
        raise ValidationError("Say why.", code="reason_required")


def _locked(votes: QuerySet[Vote]) -> list[Vote]:
    """The votes, with every season, their nominees and their voters locked: nothing about them changes any more."""
    lock_seasons()
    lock_nominees(*votes.order_by().values_list("nominee_id", flat=True).distinct())
    chosen = list(votes.select_related(None).order_by("created_at", "pk"))
    voters = sorted({vote.voter_id for vote in chosen})
    for start in range(0, len(voters), BATCH):
        rows = Voter.objects.select_for_update(no_key=True).filter(pk__in=voters[start : start + BATCH])
        list(rows.order_by("pk").values_list("pk"))
    return chosen


def _without_rivals(chosen: list[Vote]) -> list[Vote]:
    """Those that may count again: one for each voter and category, and none where another counts."""
    taken: set[tuple[int, int, UUID]] = set()
    for batch in _batches(chosen):
        rivals = Vote.objects.counted().filter(voter__in=[vote.voter_id for vote in batch])
        taken.update(rivals.order_by().values_list("season_id", "category_id", "voter_id"))
    free = []
    for vote in chosen:
        key = (vote.season_id, vote.category_id, vote.voter_id)
        if vote.state_before == State.COUNTED:
            if key in taken:
                continue
            taken.add(key)
        free.append(vote)
    return free


def _rule(action: VoteRuling.Action, size: int, *, note: str, about: str, **fields: Any) -> VoteRuling:
    return VoteRuling.objects.create(action=action, size=size, note=note.strip()[:500], about=about[:300], **fields)


def _shift(votes: list[Vote], by: int) -> None:
    moved: Counter[Place] = Counter((vote.season_id, vote.category_id, vote.nominee_id) for vote in votes)
    for place, count in sorted(moved.items()):
        shift_tally(place, votes=by * count)


def _tell(ruling: VoteRuling, votes: list[Vote]) -> None:
    """Loops hears of everybody whose vote began or ceased to count, though no vote was saved singly."""
    for batch in _batches(votes):
        voters = Voter.objects.filter(pk__in=[vote.voter_id for vote in batch])
        votes_changed.send(Vote, emails=list(voters.values_list("email", flat=True)), reference=ruling)


def _batches(votes: list[Vote]) -> Iterator[list[Vote]]:
    for start in range(0, len(votes), BATCH):
        yield votes[start : start + BATCH]
