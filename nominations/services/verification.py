"""A held vote waits until whoever owns the address says that it is theirs."""

import logging
import smtplib
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from nominations import selectors
from nominations.models import Vote, Voter
from nominations.services.log import lock_seasons
from nominations.services.tallies import lock_nominees
from nominations.services.votes import save_counted

SALT = "nominations.confirm_vote"
LASTS = timedelta(days=7)
SWEPT = 200
logger = logging.getLogger(__name__)


def verification_token(vote: Vote) -> str:
    """What the link carries: good for seven days, for this vote and for nothing else."""
    return signing.dumps(str(vote.pk), salt=SALT)


def held_vote(token: str) -> Vote:
    """The vote that a link is about, also one confirmed before.

    Raises ValidationError: `not_found` for a link that was never ours, `expired` for an old one.
    """
    try:
        pk = signing.loads(token, salt=SALT, max_age=LASTS)
    except signing.SignatureExpired as error:
        raise ValidationError("This link has expired.", code="expired") from error
    except signing.BadSignature as error:
        raise ValidationError("This link is not valid.", code="not_found") from error
    vote = Vote.objects.select_related("season", "category", "nominee", "voter").filter(pk=pk).first()
    if vote is None:
        raise ValidationError("This link is not valid.", code="not_found")
    return vote


def confirm_vote(token: str) -> Vote:
    """Count the held vote of a link; once confirmed, confirming again changes nothing.

    Whatever happens at the same moment, the database lets one vote of the voter count. Raises ValidationError:
    `not_found`, `expired`, `already_voted`, or `voting_closed` once the results are published.
    """
    vote = held_vote(token)
    with transaction.atomic():
        vote = _locked(vote)
        if vote.state == Vote.State.COUNTED:
            return vote
        if vote.season.results_published or selectors.frozen_at(vote.season) is not None:
            raise ValidationError(vote.season.voting_closed_message, code="voting_closed")
        if vote.state != Vote.State.HELD:
            expired = vote.reason == Vote.Reason.UNVERIFIED
            message = "This link has expired." if expired else "This vote was taken out."
            raise ValidationError(message, code="expired")
        now = timezone.now()
        vote.state, vote.reason, vote.verified_at = Vote.State.COUNTED, "", now
        save_counted(vote, update_fields=["state", "reason", "verified_at"])
        # Not a change that anybody outside is told of.
        Voter.objects.filter(pk=vote.voter_id).update(verified_at=now)
    return vote


def _locked(vote: Vote) -> Vote:
    """With its nominee and its voter, in this order; a merge may have given it to another nominee meanwhile."""
    while True:
        lock_nominees(vote.nominee_id)
        Voter.objects.select_for_update().get(pk=vote.voter_id)
        found = Vote.objects.select_for_update(of=("self",)).select_related("season", "category", "nominee", "voter")
        fresh = found.get(pk=vote.pk)
        if fresh.nominee_id == vote.nominee_id:
            return fresh
        vote = fresh


def lapse_votes(now: datetime | None = None) -> int:
    """Give up votes that nobody has confirmed for seven days: how many. They never counted, so nobody is told."""
    due = (now or timezone.now()) - LASTS
    with transaction.atomic():
        lock_seasons()
        state = {"state": Vote.State.INVALID, "reason": Vote.Reason.UNVERIFIED, "state_before": Vote.State.HELD}
        return Vote.objects.held().filter(created_at__lt=due).update(**state)


def send_verification(vote_id: UUID) -> None:
    """Mail the link of a held vote, unless another worker has. What fails is given back, for the next sweep."""
    rows = Vote.objects.held().filter(pk=vote_id)
    # No Loops, no tally: the mark of a mail, set by whoever sends it.
    if not rows.filter(mailed_at=None).update(mailed_at=timezone.now()):
        return
    vote = rows.select_related("season", "category", "nominee", "voter").first()
    if vote is None:
        return
    try:
        _send(vote)
    except smtplib.SMTPRecipientsRefused:
        logger.warning("The mail for vote %s was refused for good.", vote.pk)
    except OSError as error:  # what smtplib raises, too
        logger.warning("The mail for vote %s waits: %s", vote.pk, type(error).__name__)
        rows.update(mailed_at=None)


def _send(vote: Vote) -> None:
    link = settings.PUBLIC_BASE_URL + reverse("vote-confirm", args=[verification_token(vote)])
    text = (
        f"Hello {vote.voter.first_name},\n\n"
        f"please confirm your vote for {vote.nominee.name} in {vote.category.label} ({vote.season.name}):\n\n"
        f"{link}\n\n"
        "The link is good for 7 days. Until you confirm it, the vote does not count.\n"
        "If you have not voted, do nothing: without you it never will.\n"
    )
    subject = f"Confirm your vote for {vote.nominee.name}".replace("\n", " ").replace("\r", " ")
    send_mail(subject, text, None, [vote.voter.email])


def send_due_verifications() -> int:
    """Mail what a crash or an outage left: how many were tried."""
    since = timezone.now() - timedelta(minutes=1)
    due = Vote.objects.held().filter(mailed_at=None, created_at__lt=since).order_by("created_at")
    ids = list(due.values_list("pk", flat=True)[:SWEPT])
    for pk in ids:
        send_verification(pk)
    return len(ids)
