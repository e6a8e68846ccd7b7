"""How votes are cast."""

import ipaddress
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from nominations import selectors
from nominations.models import Category, Nominee, Season, Vote, Voter
from nominations.services.nominations import find_or_add_person


def cast_vote(
    category: Category, nominee: Nominee | None, *, voter: dict[str, Any], address: str = "", user_agent: str = ""
) -> Vote:
    """One counted vote per voter, category and season, held by the database.

    Raises ValidationError: `voting_closed`, `not_live` (also for nobody), `already_voted`, or naming a field.
    """
    season = selectors.current_season()
    if not season.voting_open:
        raise ValidationError(season.voting_closed_message, code="voting_closed")
    if not category.is_active:
        raise ValidationError({"category": ["This category takes no votes."]})
    with transaction.atomic():
        standing = _standing(nominee, category, season)
        vote = Vote(
            season=season,
            category=category,
            nominee=standing,
            voter=find_or_add_person(Voter, voter),
            ip_prefix=network_of(address),
            user_agent=user_agent[:300],
        )
        try:
            with transaction.atomic():
                vote.save(force_insert=True)
        except IntegrityError as error:
            raise ValidationError("You have already voted in this category.", code="already_voted") from error
    return vote


def _standing(nominee: Nominee | None, category: Category, season: Season) -> Nominee:
    """The nominee, locked, so that nobody takes them out between this look and the vote."""
    rows = Nominee.objects.live().select_for_update(no_key=True)
    found = rows.filter(pk=nominee.pk).first() if nominee is not None else None
    if found is None or not selectors.stands_in(found, category, season):
        raise ValidationError("There is no such nominee in this category.", code="not_live")
    return found


def network_of(address: str) -> str:
    """The neighbourhood of an address: enough to see clusters, too little to find one person. "" if it is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False))
