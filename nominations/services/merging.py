"""Two nominees that are one: made one, and taken apart again."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from crm.models import User
from nominations import signals
from nominations.models import Merge, Nomination, Nominator, Nominee
from nominations.selectors.merges import merged_under, nominations_from
from nominations.services.decisions import proposed_slug
from nominations.services.log import lock_seasons
from nominations.services.moved_votes import in_batches, merge_votes, unmerge_votes
from nominations.services.tallies import lock_nominees

State = Nominee.State
Fields = dict[str, str]
# What a nominee is known by, besides what any nomination may tell of them, and where what must be blank, too.
KNOWN_BY = {
    "email": "email",
    "linkedin_url": "linkedin_url",
    "phone": "phone",
    "phone_raw": "phone",
    "image": "image",
    "picture_url": "image",
}
UNIQUE = {"email": "email address", "linkedin_url": "LinkedIn address"}


def merge_nominees(loser: Nominee, survivor: Nominee, *, by: User | None, reason: str = "") -> Merge:
    """Make two nominees one: nominations, votes and manual votes go to the survivor, whose blanks the loser fills.

    The loser's address leads to the survivor from then on. The survivor is live if either was. Frozen results stay.
    Raises ValidationError: `already_decided` when one of them is merged already, or because they cannot be one.
    """
    with transaction.atomic():
        loser, survivor = _locked(loser, survivor)
        check_merge(loser, survivor)
        filled = fills(loser, survivor)
        emails = {loser.email, survivor.email, filled.get("email", "")}
        merge = Merge(loser=loser, survivor=survivor, loser_state=loser.state, survivor_state=survivor.state)
        merge.filled, merge.reason, merge.by = filled, reason.strip()[:500], by
        merge_votes(loser, survivor, by=by)
        emails |= _move_nominations(loser, survivor)
        # A file has one owner, who may replace it.
        _write(loser, {"state": State.MERGED, "merged_into": survivor, **({"image": ""} if "image" in filled else {})})
        _write(survivor, {**filled, **_standing(survivor, survivor.state)})
        merge.save(force_insert=True)
        _tell(emails, merge, is_undone=False)
    return merge


def unmerge_nominees(merge: Merge, *, by: User | None) -> Merge:
    """Take a merge back: both have what they had, votes and nominations that came since stay with the survivor.

    Raises ValidationError: `already_decided` when it was undone already, `total_below_zero`, or because the survivor
    was merged on, or somebody else has the loser's address now.
    """
    with transaction.atomic():
        lock_seasons()
        merge = Merge.objects.select_for_update(of=("self",)).select_related("loser", "survivor").get(pk=merge.pk)
        loser, survivor = _locked(merge.loser, merge.survivor)
        check_unmerge(merge, loser, survivor)
        blanked = blanks(merge, survivor)
        emails = {loser.email, survivor.email}
        originals = merged_under(loser)
        unmerge_votes(loser, survivor, by=by, originals=originals)
        emails |= _return_nominations(loser, survivor, originals)
        _write(survivor, {**dict.fromkeys(blanked, ""), **_standing(survivor, merge.survivor_state)})
        picture = {"image": merge.filled["image"]} if "image" in blanked else {}
        _write(loser, {"merged_into": None, **picture, **_standing(loser, merge.loser_state)})
        merge.undone_at, merge.undone_by = timezone.now(), by
        merge.save(update_fields=["undone_at", "undone_by"])
        _tell(emails, merge, is_undone=True)
    return merge


def check_merge(loser: Nominee, survivor: Nominee) -> None:
    """Raises ValidationError when the two cannot be merged. Nobody merged is merged into, so that nothing circles."""
    if loser.pk == survivor.pk:
        raise ValidationError("Choose another nominee: this is the same one.")
    if loser.kind != survivor.kind:
        raise ValidationError(f"Choose a {loser.get_kind_display().lower()}: {survivor} is none.")
    for nominee in (loser, survivor):
        if nominee.state == State.MERGED:
            message = f"Already decided: {nominee} was merged into {nominee.merged_into}."
            raise ValidationError(message, code="already_decided")


def check_unmerge(merge: Merge, loser: Nominee, survivor: Nominee) -> None:
    """Raises ValidationError when the merge cannot be taken back as things are."""
    if merge.undone_at is not None:
        raise ValidationError("Already decided: this merge was undone.", code="already_decided")
    if survivor.state == State.MERGED:
        raise ValidationError(f"{survivor} was merged into {survivor.merged_into} since: undo that merge first.")
    free = blanks(merge, survivor)
    for name, words in UNIQUE.items():
        value = getattr(loser, name)
        holders = Nominee.objects.filter(kind=loser.kind, **{name: value}).exclude(state=State.MERGED)
        taken = [other for other in holders if not (other.pk == survivor.pk and name in free)]
        if value and taken:
            raise ValidationError(f"{taken[0]} has the {words} {value} now: change it there first.")


def fills(loser: Nominee, survivor: Nominee) -> Fields:
    """What the survivor would get where it has nothing."""
    free = [name for name, other in KNOWN_BY.items() if not (getattr(survivor, name) or getattr(survivor, other))]
    known = {name: str(getattr(loser, name)) for name in free if getattr(loser, name)}
    return {**survivor.blanks_filled_by(loser), **known}


def blanks(merge: Merge, survivor: Nominee) -> list[str]:
    """Which of the fields that a merge filled are still as it left them."""
    return [name for name, value in merge.filled.items() if str(getattr(survivor, name)) == value]


def _locked(*nominees: Nominee) -> list[Nominee]:
    """As they are under the lock, in the order given."""
    lock_seasons()
    rows = {row.pk: row for row in lock_nominees(*(nominee.pk for nominee in nominees))}
    return [rows[nominee.pk] for nominee in nominees]


def _move_nominations(loser: Nominee, survivor: Nominee) -> set[str]:
    """Each remembers whom it named: the addresses of those who named them and were told where the page is."""
    rows = Nomination.objects.filter(nominee=loser)
    emails = _nominators(rows)
    rows.filter(original_nominee=None).update(nominee=survivor, original_nominee=loser)
    rows.update(nominee=survivor)
    return emails


def _return_nominations(loser: Nominee, survivor: Nominee, originals: Collection[Nominee]) -> set[str]:
    rows = nominations_from(loser, survivor, originals)
    emails = _nominators(rows)
    rows.filter(original_nominee=loser).update(nominee=loser, original_nominee=None)
    rows.update(nominee=loser)
    return emails


def _nominators(rows: QuerySet[Nomination]) -> set[str]:
    told = Nominator.objects.filter(nominations__in=rows.filter(state=Nomination.State.APPROVED))
    return {email for email in told.values_list("email", flat=True) if email}


def _standing(nominee: Nominee, before: str) -> dict[str, str | None]:
    """State and address by the nominations that it has now; one that was public once is not a draft again."""
    if nominee.nominations.approved().exists():
        return {"state": State.LIVE, "slug": proposed_slug(nominee)}
    was_public = before != State.DRAFT or nominee.nominations.exclude(approved_at=None).exists()
    return {"state": State.SUSPENDED if was_public else State.DRAFT}


def _write(nominee: Nominee, values: dict[str, object]) -> None:
    """Without a signal of its own, which would tell everybody who ever voted for them: `_tell` knows better."""
    for name, value in values.items():
        setattr(nominee, name, value)
    Nominee.objects.filter(pk=nominee.pk).update(**values)


def _tell(emails: set[str], merge: Merge, *, is_undone: bool) -> None:
    for batch in in_batches(sorted(emails - {""})):
        signals.nominees_merged.send(Merge, emails=batch, merge=merge, is_undone=is_undone)
