"""What staff decide. Reject, withdraw and duplicate publish nothing and grant nothing: they share no code with approve
but the lock and the log."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from crm.models import User
from nominations import contacts, selectors
from nominations.models import DecisionLog, Nomination, Nominee
from nominations.services.log import lock_season, log_decision
from nominations.services.nominations import fill_blanks

State = Nomination.State
Action = DecisionLog.Action


def approve_nomination(
    nomination: Nomination, *, by: User, slug: str = "", admin_notes: str = "", nominee: Nominee | None = None
) -> Nomination:
    """Make the nominee live; at its first approval the slug is fixed for ever.

    `slug` is the wanted address, else it comes from the name; `nominee` joins the nomination to one that exists.
    Raises ValidationError: `already_decided`, or naming `slug` or `nominee`.
    """
    with transaction.atomic():
        nomination = _locked(nomination)
        if not nomination.may_approve:
            raise already_decided(nomination)
        if nominee is not None and nominee.pk != nomination.nominee_id:
            _join(nomination, nominee)
        _publish(nomination.nominee, slug)
        nomination.approved_at = timezone.now()
        nomination.approved_by = by
        if admin_notes:
            nomination.admin_notes = admin_notes
        _move(nomination, State.APPROVED, Action.APPROVE, by=by, reason="")
    return nomination


def reject_nomination(nomination: Nomination, *, by: User, reason: str) -> Nomination:
    """Turn a nomination down; if it was the nominee's last approved one, its page is gone.

    Raises ValidationError: `reason_required`, `already_decided`.
    """
    if not reason.strip():
        raise ValidationError("A rejection needs a reason.", code="reason_required")
    return _take_out(nomination, State.REJECTED, Action.REJECT, by=by, reason=reason.strip())


def withdraw_nomination(nomination: Nomination, *, by: User) -> Nomination:
    """Take a nomination out at its people's wish. Raises ValidationError `already_decided`."""
    return _take_out(nomination, State.WITHDRAWN, Action.WITHDRAW, by=by)


def mark_duplicate(nomination: Nomination, *, of: Nomination, by: User) -> Nomination:
    """Take a nomination out because another says the same.

    Raises ValidationError: `already_decided`, or naming `of` when it is of another season or leads back here.
    """
    return _take_out(nomination, State.DUPLICATE, Action.MARK_DUPLICATE, by=by, of=of)


def reopen_nomination(nomination: Nomination, *, by: User) -> Nomination:
    """Take the decision back, with its effects. Raises ValidationError `already_decided` if there is none."""
    with transaction.atomic():
        nomination = _locked(nomination)
        if not nomination.may_reopen:
            raise already_decided(nomination)
        nomination.duplicate_of = None
        _move(nomination, State.SUBMITTED, Action.REOPEN, by=by)
        _suspend_if_last(nomination.nominee)
    return nomination


def already_decided(nomination: Nomination) -> ValidationError:
    """The refusal of a second click, a colleague's click and a stale tab."""
    return ValidationError(f"Already decided: this nomination is {nomination.state}.", code="already_decided")


def proposed_slug(nominee: Nominee) -> str:
    """The slug the nominee has, or would get now: `john-smith`, or `john-smith-2` if that is taken."""
    if nominee.slug:
        return nominee.slug
    base = contacts.slug_of(nominee.name)
    taken = set(Nominee.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number, slug = 1, base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def similar_nominees(nomination: Nomination) -> list[tuple[Nominee, int]]:
    """Up to three nominees of the category whose names are alike, with the likeness in percent, most alike first."""
    return selectors.alike(nomination.nominee.name, selectors.candidates_for(nomination))


def _locked(nomination: Nomination) -> Nomination:
    lock_season(nomination.season_id)
    # With its people: an address corrected at this moment is either seen here, or sees what is decided here.
    rows = Nomination.objects.select_for_update(of=("self", "nominee", "nominator"), no_key=True)
    return rows.complete().get(pk=nomination.pk)


def _take_out(
    nomination: Nomination, state: State, action: Action, *, by: User, reason: str = "", of: Nomination | None = None
) -> Nomination:
    with transaction.atomic():
        nomination = _locked(nomination)
        if not nomination.may_reject:
            raise already_decided(nomination)
        if of is not None:
            _check_original(nomination, of)
            nomination.duplicate_of = of
        _move(nomination, state, action, by=by, reason=reason)
        _suspend_if_last(nomination.nominee)
    return nomination


def _move(nomination: Nomination, state: State, action: Action, *, by: User, reason: str = "") -> None:
    before, nomination.state = nomination.state, state
    nomination.save()
    log_decision(nomination, action, from_state=before, by=by, reason=reason)


def _publish(nominee: Nominee, slug: str) -> None:
    if nominee.slug:
        if slug and slug != nominee.slug:
            raise ValidationError({"slug": [f"The address is fixed since the first approval: {nominee.slug}."]})
    else:
        nominee.slug = _free_slug(nominee, slug)
    nominee.state = Nominee.State.LIVE
    nominee.save(update_fields=["state", "slug"])


def _free_slug(nominee: Nominee, wanted: str) -> str:
    if not wanted:
        return proposed_slug(nominee)
    if contacts.slug_of(wanted) != wanted:
        message = "Use lower-case letters a to z, digits and hyphens, for example jane-doe."
        raise ValidationError({"slug": [message]})
    if Nominee.objects.filter(slug=wanted).exists():
        raise ValidationError({"slug": ["Another nominee has this address."]})
    return wanted


def _suspend_if_last(nominee: Nominee) -> None:
    if nominee.state == Nominee.State.LIVE and not nominee.nominations.approved().exists():
        nominee.state = Nominee.State.SUSPENDED
        nominee.save(update_fields=["state"])


def _join(nomination: Nomination, nominee: Nominee) -> None:
    """Give the nomination to a nominee that exists, whose blanks the draft may fill."""
    # As it is under the lock: since the caller read it, it may have got its slug.
    nominee = Nominee.objects.select_for_update(no_key=True).get(pk=nominee.pk)
    if nominee.kind != nomination.nominee.kind or nominee.state == Nominee.State.MERGED:
        raise ValidationError({"nominee": [f"Choose a {nomination.nominee.kind} that is not merged."]})
    same = Nomination.objects.filter(
        season=nomination.season, category=nomination.category, nominator=nomination.nominator, nominee=nominee
    )
    if same.exists():
        message = "The nominator has already named them in this category: mark it as a duplicate instead."
        raise ValidationError({"nominee": [message]})
    fill_blanks(nominee, nominee.blanks_filled_by(nomination.nominee))
    # Staff's word now, whatever a merge moved before: undoing that one leaves it here.
    nomination.nominee, nomination.original_nominee = nominee, None


def _check_original(nomination: Nomination, of: Nomination) -> None:
    if of.season_id != nomination.season_id:
        raise ValidationError({"of": ["Choose a nomination of the same season."]})
    # As it is under the lock: since the caller read it, it may have become a duplicate itself.
    step: Nomination | None = Nomination.objects.get(pk=of.pk)
    while step is not None:
        if step.pk == nomination.pk:
            raise ValidationError({"of": ["That would make it a duplicate of itself."]})
        step = step.duplicate_of
