"""How votes are cast."""

import hashlib
import ipaddress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import normal_email
from crm.services import take_turn
from nominations import selectors, signals
from nominations.models import Category, Nominee, Season, Vote, Voter
from nominations.services.nominations import find_or_add_person
from nominations.services.tallies import shift_tally

# What one address may send, however many machines it is typed at.
VOTER_RATE = "30/hour"
# Colleagues who have proven their addresses share the line that one machine's flood would fill.
OFFICE_FACTOR = 10
MAIL_AGAIN_AFTER = timedelta(minutes=10)


def cast_vote(
    category: Category, nominee: Nominee | None, *, voter: dict[str, Any], address: str = "", user_agent: str = ""
) -> Vote:
    """One counted vote per voter, category and season, held by the database.

    Where the season wants addresses verified, the vote is held until its voter confirms it; voting for the same
    nominee again meanwhile asks for another mail. The tally moves in the same transaction, in the order nominee,
    voter, vote, tally, as everywhere. The window is looked at under the nominee's lock, which whoever freezes the
    results takes too: a vote is in them or is refused. Raises ValidationError: `voting_closed`, `not_live` (also for
    nobody), `already_voted`, or naming a field.
    """
    with transaction.atomic():
        found = _locked_live(nominee)
        season = _open_season()
        if not category.is_active:
            raise ValidationError({"category": ["This category takes no votes."]})
        if found is None or not selectors.stands_in(found, category, season):
            raise ValidationError("There is no such nominee in this category.", code="not_live")
        vote = Vote(
            season=season,
            category=category,
            nominee=found,
            voter=find_or_add_person(Voter, voter),
            ip_prefix=network_of(address),
            user_agent=user_agent[:300],
        )
        if season.vote_verification == Season.Verification.EMAIL:
            return _hold(vote)
        save_counted(vote, force_insert=True)
    return vote


def save_counted(vote: Vote, **how: Any) -> None:
    """Save a vote that counts from now on, with its tally. Nominee and voter must be locked.

    Raises ValidationError `already_voted`.
    """
    try:
        with transaction.atomic():
            vote.save(**how)
    except IntegrityError as error:
        raise already_voted() from error
    shift_tally((vote.season_id, vote.category_id, vote.nominee_id), votes=1)


def already_voted() -> ValidationError:
    """The refusal of a second vote."""
    return ValidationError("You have already voted in this category.", code="already_voted")


def _hold(vote: Vote) -> Vote:
    """Keep the vote until its voter confirms it, and have them asked."""
    others = Vote.objects.filter(season=vote.season, category=vote.category, voter=vote.voter)
    if others.counted().exists():
        raise already_voted()
    waiting = others.held().filter(nominee=vote.nominee).first()
    if waiting is None:
        vote.state, vote.reason = Vote.State.HELD, Vote.Reason.UNVERIFIED
        vote.save(force_insert=True)
    elif waiting.mailed_at is not None and waiting.mailed_at > timezone.now() - MAIL_AGAIN_AFTER:
        return waiting
    else:
        vote, waiting.mailed_at = waiting, None
        waiting.save(update_fields=["mailed_at"])
    signals.verification_wanted.send(Vote, vote=vote)
    return vote


def voter_wait(email: str) -> float:
    """0 when this address may vote now, else the seconds until it may: however many machines it is typed at."""
    if not settings.THROTTLE_RATES.get("public"):
        return 0.0
    return take_turn(f"voter:{_digest(email)}", VOTER_RATE)


def office_wait(address: str, email: str, wait: float) -> float:
    """The wait of a voter at an address whose turns are used up: `wait`, unless they have verified their email once.

    Colleagues behind one address are not held up by each other, up to ten times the public rate.
    """
    known = Voter.objects.filter(email=normal_email(email), verified_at__isnull=False)
    count, _, period = settings.THROTTLE_RATES.get("public", "").partition("/")
    if not period or not known.exists():
        return wait
    return take_turn(f"office:{address}", f"{int(count) * OFFICE_FACTOR}/{period}")


def _digest(email: str) -> str:
    return hashlib.sha256(normal_email(email).encode()).hexdigest()[:32]


def _locked_live(nominee: Nominee | None) -> Nominee | None:
    """The nominee, if live, so that nobody takes them out between this look and the vote."""
    rows = Nominee.objects.live().select_for_update(no_key=True)
    return rows.filter(pk=nominee.pk).first() if nominee is not None else None


def _open_season() -> Season:
    """The current one. Raises ValidationError `voting_closed`."""
    season = selectors.current_season()
    if not season.voting_open or selectors.frozen_at(season) is not None:
        raise ValidationError(season.voting_closed_message, code="voting_closed")
    return season


def network_of(address: str) -> str:
    """The neighbourhood of an address: enough to see clusters, too little to find one person. "" if it is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False))
