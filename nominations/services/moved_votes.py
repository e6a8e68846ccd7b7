"""What a merge of nominees does to their votes, and how it is taken back."""

from collections.abc import Collection, Iterator

from django.db import transaction
from django.db.models import QuerySet

from crm.models import User
from nominations.models import Nominee, Vote, Voter
from nominations.selectors.merges import Counts, counted_by_place, manual_between, manual_of, votes_from
from nominations.services.log import lock_seasons
from nominations.services.tallies import lock_nominees, note_manual_votes, shift_tally
from nominations.signals import votes_changed

MERGED = Vote.Reason.MERGED_DUPLICATE
BATCH = 1000


def merge_votes(loser: Nominee, survivor: Nominee, *, by: User | None) -> int:
    """Give all votes of the one to the other, with both tallies and the manual votes: how many were moved.

    Each vote remembers whom it was cast for. Two counted votes of a voter never meet, since only one counts per
    category; where a held one meets another, the counted before the held, then the older, stays, and the other is
    invalid with the reason `merged_duplicate`.
    """
    with transaction.atomic():
        lock_seasons()
        lock_nominees(loser.pk, survivor.pk)
        votes = Vote.objects.filter(nominee=loser)
        counted, emails, manual = counted_by_place(votes), _told(votes), manual_of(loser)
        count = votes.filter(original_nominee=None).update(nominee=survivor, original_nominee=loser)
        # One that comes home after a detour is where it was cast.
        count += votes.filter(original_nominee=survivor).update(nominee=survivor, original_nominee=None)
        count += votes.update(nominee=survivor)
        _shift(counted, manual, loser, survivor)
        _note(manual, loser, survivor, by=by, why=f"Merged: {loser.name}")
        _settle_doubles(survivor)
        _tell(emails, survivor)
    return count


def unmerge_votes(loser: Nominee, survivor: Nominee, *, by: User | None, originals: Collection[Nominee] = ()) -> int:
    """Give back what a merge moved, so that both tallies are as if it had never been: how many votes.

    `originals` are the nominees that had been merged into the loser before, whose votes came along. Votes cast since
    the merge stay with the survivor. Raises ValidationError `total_below_zero`.
    """
    with transaction.atomic():
        lock_seasons()
        lock_nominees(loser.pk, survivor.pk)
        votes = votes_from(loser, survivor, originals)
        counted, emails, manual = counted_by_place(votes), _told(votes), manual_between(survivor, loser)
        own = votes.filter(original_nominee=loser).update(nominee=loser, original_nominee=None)
        count = own + votes.update(nominee=loser)
        _shift(counted, manual, survivor, loser)
        _note(manual, survivor, loser, by=by, why=f"Unmerged: {loser.name}")
        _restore_doubles(loser, survivor)
        _tell(emails, loser)
    return count


def _shift(counted: Counts, manual: Counts, source: Nominee, target: Nominee) -> None:
    """Both sums of a place at once: one may be below zero, the two together never."""
    for season_id, category_id in sorted({*counted, *manual}):
        votes, added = counted.get((season_id, category_id), 0), manual.get((season_id, category_id), 0)
        shift_tally((season_id, category_id, target.pk), votes=votes, manual_votes=added)
        shift_tally((season_id, category_id, source.pk), votes=-votes, manual_votes=-added)


def _settle_doubles(nominee: Nominee) -> None:
    """Of the live votes of one voter in a category the first in rank stays."""
    seen = set()
    held = Vote.objects.held().filter(nominee=nominee)
    rows = Vote.objects.live().filter(nominee=nominee, voter__in=held.values("voter"))
    for vote in sorted(rows, key=lambda row: (row.state != Vote.State.COUNTED, row.created_at, row.pk)):
        key = (vote.season_id, vote.category_id, vote.voter_id)
        if key in seen:
            # It never counted, so Loops needs to hear nothing.
            changed = {"state": Vote.State.INVALID, "reason": MERGED, "state_before": vote.state}
            Vote.objects.filter(pk=vote.pk).update(**changed)
        seen.add(key)


def _restore_doubles(*nominees: Nominee) -> None:
    """Those that no longer meet another are held again, as they were: a counted one was never made invalid."""
    for vote in Vote.objects.filter(nominee__in=nominees, state=Vote.State.INVALID, reason=MERGED):
        same = {"season": vote.season_id, "category": vote.category_id, "voter": vote.voter_id}
        if not Vote.objects.live().filter(**same, nominee=vote.nominee_id).exists():
            changed = {"state": Vote.State.HELD, "reason": Vote.Reason.UNVERIFIED, "state_before": ""}
            Vote.objects.filter(pk=vote.pk).update(**changed)


def _note(manual: Counts, source: Nominee, target: Nominee, *, by: User | None, why: str) -> None:
    for (season_id, category_id), count in sorted(manual.items()):
        note_manual_votes((season_id, category_id, source.pk), -count, reason=why, by=by, counterpart=target)
        note_manual_votes((season_id, category_id, target.pk), count, reason=why, by=by, counterpart=source)


def _told(votes: QuerySet[Vote]) -> list[str]:
    counted = votes.filter(state=Vote.State.COUNTED)
    voters = Voter.objects.filter(votes__in=counted).distinct()
    return [email for email in voters.values_list("email", flat=True) if email]


def _tell(emails: list[str], nominee: Nominee) -> None:
    for batch in in_batches(emails):
        votes_changed.send(Vote, emails=batch, reference=nominee)


def in_batches(emails: list[str]) -> Iterator[list[str]]:
    """So many that a database takes them in one question."""
    for start in range(0, len(emails), BATCH):
        yield emails[start : start + BATCH]
