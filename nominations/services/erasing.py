"""What the awards know of a person, and how it is forgotten: votes and decisions stay, without them."""

import re
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import User
from crm.services.erasing import FIRST, INSTEAD, LAST, Holding, Subject, erase_mentions, mentioning
from nominations.models import (
    DecisionLog,
    ImportBatch,
    ManualVote,
    Merge,
    Nomination,
    Nominator,
    Nominee,
    NomineeReply,
    StagedDecision,
    Vote,
    Voter,
    VoteRuling,
)
from nominations.selectors.merges import one_with
from nominations.services.decisions import withdraw_nomination
from nominations.services.log import lock_seasons
from nominations.services.replies import forget_picture

PERSON, COMPANY = Nominee.Kind.PERSON, Nominee.Kind.COMPANY
BLANK_PERSON = dict.fromkeys(("linkedin_url", "company", "job_title", "phone", "phone_raw", "country"), "")
BLANK_NOMINEE = {
    **BLANK_PERSON,
    **dict.fromkeys(("email", "website", "industry", "company_size"), ""),
    **dict.fromkeys(("bio", "achievements", "image", "picture_url"), ""),
}


def people(subject: Subject) -> list[QuerySet[Any]]:
    """The rows here that are the person. A company is nobody."""
    found = subject.known_by()
    nominees = one_with(Nominee.objects.filter(found, kind=PERSON))
    return [Nominator.objects.filter(found), Voter.objects.filter(found), nominees]


def holdings(subject: Subject) -> list[Holding]:
    """Nominators, voters, nominees, what they wrote, and what was written and decided about them."""
    found = subject.known_by()
    nominees = one_with(Nominee.objects.filter(found, kind=PERSON))
    merges = Merge.objects.filter(Q(loser__in=nominees) | Q(survivor__in=nominees))
    nominators = Nominator.objects.filter(found)
    voters = Voter.objects.filter(found)
    nominations = Nomination.objects.filter(Q(nominee__in=nominees) | Q(nominator__in=nominators))
    decisions = DecisionLog.objects.filter(nomination__in=nominations)
    elsewhere = mentioning(DecisionLog.objects.exclude(nomination__in=nominations), ["reason"], subject.identifiers)
    companies = Nominee.objects.filter(found, kind=COMPANY)
    named = [re.escape(name) for name in subject.names]
    texts = mentioning(Nominee.objects.exclude(pk__in=nominees), ["bio", "achievements"], named)
    return [
        # Decisions of their own come first: withdrawing writes further ones, without a reason.
        Holding(
            decisions.exclude(reason=""), "The reason is blanked, the chain of decisions still holds", _blank_reasons
        ),
        Holding(
            elsewhere, "The reason is blanked, the chain of decisions still holds", _blank_reasons, is_theirs=False
        ),
        Holding(StagedDecision.objects.filter(nomination__in=nominations), "Taken off the stage", _unstage),
        Holding(
            NomineeReply.objects.filter(nominee__in=nominees), "Without words and picture, settled", _blank_replies
        ),
        Holding(merges, "Stay, without the reason and what the one gave the other", _blank_merges),
        Holding(
            mentioning(Merge.objects.exclude(pk__in=merges), ["reason", "filled"], [*subject.identifiers, *named]),
            "Stay, without the reason and what the one gave the other",
            _blank_merges,
            is_theirs=False,
        ),
        Holding(nominees, "The page is taken down, votes still count", _take_down),
        Holding(nominations, "Without what was written", _blank_words),
        Holding(nominators, "Stays as “Erased person”", _empty_people),
        Holding(Vote.objects.filter(voter__in=voters), "Still counts, without network and browser", _blank_votes),
        Holding(voters, "Stays as “Erased person”, votes still count", _empty_people),
        Holding(companies, "Stays, without address and phone", _empty_companies),
        Holding(_manual_votes(nominees, subject), f"Still count, the reason becomes {INSTEAD}", _erase("reason")),
        Holding(
            ManualVote.objects.filter(by__in=subject.users),
            f"Still count, the name becomes {INSTEAD}",
            _erase("staff_name"),
        ),
        Holding(
            mentioning(VoteRuling.objects.all(), ["note", "about"], [*subject.identifiers, *named]),
            f"Stays, the words become {INSTEAD}",
            _erase("note", "about"),
            is_theirs=False,
        ),
        Holding(
            mentioning(ImportBatch.objects.all(), ["content", "file_name"], [*subject.identifiers, *named]),
            f"A file that is not taken in yet: the words become {INSTEAD}",
            lambda rows, by: _erase_in_files(rows, [*subject.identifiers, *named]),
            is_theirs=False,
        ),
        Holding(
            texts,
            f"The name becomes {INSTEAD}",
            lambda rows, by: erase_mentions(rows, ["bio", "achievements"], named),
            is_theirs=False,
        ),
    ]


def _manual_votes(nominees: QuerySet[Nominee], subject: Subject) -> QuerySet[ManualVote]:
    """Of theirs, and those whose reason has their address or phone."""
    naming = mentioning(ManualVote.objects.all(), ["reason"], subject.identifiers)
    theirs = Q(nominee__in=nominees) | Q(counterpart__in=nominees) | Q(pk__in=naming.values("pk"))
    return ManualVote.objects.filter(theirs).exclude(reason=INSTEAD)


def _erase(*names: str) -> Callable[[QuerySet[Any], User], None]:
    """The one update that these tables let through; it has to change something."""

    def erase(rows: QuerySet[Any], by: User) -> None:
        for name in names:
            rows.exclude(**{name: INSTEAD}).update(**{name: INSTEAD})

    return erase


def _blank_reasons(rows: QuerySet[Any], by: User) -> None:
    """The one update that the log lets through."""
    rows.update(reason="")


def _take_down(rows: QuerySet[Any], by: User) -> None:
    """Withdrawn, as at their wish; then without name, picture and address."""
    lock_seasons()
    open_ones = [Nomination.State.SUBMITTED, Nomination.State.APPROVED]
    for nomination in Nomination.objects.filter(nominee__in=rows, state__in=open_ones).order_by("pk"):
        withdraw_nomination(nomination, by=by)
    for nominee in rows.exclude(image=""):
        storage, name = nominee.image.storage, nominee.image.name
        transaction.on_commit(lambda storage=storage, name=name: storage.delete(name))  # type: ignore[misc]
    rows.filter(state=Nominee.State.LIVE).update(state=Nominee.State.SUSPENDED)
    rows.update(**BLANK_NOMINEE, first_name=FIRST, last_name=LAST, slug=None)


def _unstage(rows: QuerySet[Any], by: User) -> None:
    """After the seasons, as where a worker decides them."""
    lock_seasons()
    rows.delete()


def _blank_replies(rows: QuerySet[Any], by: User) -> None:
    """What was asked for is done in the strongest way there is."""
    for reply in rows.exclude(image=""):
        forget_picture(reply)
    waiting = rows.filter(state=NomineeReply.State.OPEN)
    waiting.update(state=NomineeReply.State.ACCEPTED, settled_by=by, settled_at=timezone.now())
    rows.update(bio="", achievements="", image="", note="", answer="")


def _blank_merges(rows: QuerySet[Any], by: User) -> None:
    """What was filled in stays with the survivor when such a merge is undone."""
    rows.update(reason="", filled={})


def _blank_words(rows: QuerySet[Any], by: User) -> None:
    rows.update(why="", admin_notes="")


def _blank_votes(rows: QuerySet[Any], by: User) -> None:
    rows.update(ip_prefix="", user_agent="")


def _empty_people(rows: QuerySet[Any], by: User) -> None:
    """Without a signal: Loops is told by whoever forgets there."""
    rows.update(**BLANK_PERSON, email=None, first_name=FIRST, last_name=LAST)


def _erase_in_files(rows: QuerySet[Any], patterns: list[str]) -> None:
    """A worker that has read the file already loses its lease, so that the next one reads it anew."""
    lock_seasons()
    rows.filter(state=ImportBatch.State.RUNNING).update(leased_until=None)
    erase_mentions(rows, ["content", "file_name"], patterns)


def _empty_companies(rows: QuerySet[Any], by: User) -> None:
    rows.update(email="", phone="", phone_raw="")
