"""Nominations that staff add by hand."""

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.models import User
from nominations import selectors
from nominations.models import Category, DecisionLog, Nomination, Nominator, Nominee
from nominations.services.decisions import approve_nomination
from nominations.services.known import Known
from nominations.services.log import lock_season, log_decision
from nominations.services.nominations import Fields, normal_contact, organisers


def add_nomination(
    category: Category,
    *,
    nominee: Fields,
    why: str,
    by: User,
    nominator: Fields | None = None,
    joined: Nominee | None = None,
    is_approved: bool = False,
) -> Nomination:
    """Take in a nomination by staff, of the organisers unless a nominator is named, and approve it if so wished.

    The nominating window need not be open. `joined` is who the nominee is found to be; else it is found by LinkedIn or
    email. Raises ValidationError: `already_nominated`, or a field by name.
    """
    with transaction.atomic():
        season = lock_season(selectors.current_season().pk)
        _check(category, nominee, joined)
        nomination = Nomination(season=season, category=category, why=why, source=Nomination.Source.STAFF)
        nomination.nominee = Nominee(**normal_contact(nominee))
        nomination.nominator = Nominator(**normal_contact(nominator or {}))
        _place(nomination, joined)
        nomination.save(force_insert=True)
        log_decision(nomination, DecisionLog.Action.SUBMIT, from_state="", by=by)
        return approve_nomination(nomination, by=by) if is_approved else nomination


def _check(category: Category, nominee: Fields, joined: Nominee | None) -> None:
    if not category.is_active:
        raise ValidationError({"category": ["This category takes no nominations."]})
    if nominee["kind"] != category.kind:
        raise ValidationError({"kind": [f"This category is for a {category.kind}."]})
    if joined is not None and (joined.kind != category.kind or joined.state == Nominee.State.MERGED):
        raise ValidationError({"joined": [f"Choose a {category.kind} that is not merged."]})


def _place(nomination: Nomination, joined: Nominee | None) -> None:
    """With its people, saved. Raises ValidationError `already_nominated`."""
    known = Known(nomination.season, organisers(), is_dry=False)
    known.learn([nomination])
    draft = nomination.nominee
    nominator, nominee = known.author_of(nomination), known.subject_of(nomination, joined=joined)
    known.save()
    if draft.image and not nominee.image:
        nominee.image = draft.image
        nominee.save(update_fields=["image"])
    place = {"season": nomination.season, "category": nomination.category, "nominator": nominator, "nominee": nominee}
    if Nomination.objects.filter(**place).exists():
        message = f"{nominator} named {nominee} in this category before."
        raise ValidationError(message, code="already_nominated")
    nomination.nominator, nomination.nominee = nominator, nominee
