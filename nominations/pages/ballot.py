"""The vote on a nominee's page, and what this browser has voted for."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from crm.api.views import address_of
from nominations import services
from nominations.forms import VoteSheet
from nominations.models import Category, Nominee, Season, Vote
from nominations.pages.answers import do_once

SESSION_KEY = "voted"
VOTED, HELD = "voted", "held"


@dataclass
class Ballot:
    """What the box for voting shows: the news of a vote just cast or refused, earlier votes, and the form if any."""

    sheet: VoteSheet | None = None
    categories: list[Category] = field(default_factory=list)
    earlier: list[Vote] = field(default_factory=list)
    voted: str = ""
    held: str = ""
    already: str = ""

    @property
    def is_news(self) -> bool:
        """Whether it tells what became of a vote."""
        return bool(self.voted or self.held or self.already)


def ballot_of(request: HttpRequest, season: Season | None, categories: list[Category]) -> Ballot:
    """For whoever opens the page: the categories that this browser has voted in are told, not asked again.

    `?voter=new` is for somebody else at the same machine.
    """
    said = {message.extra_tags: str(message) for message in messages.get_messages(request)}
    earlier = [] if request.GET.get("voter") == "new" else earlier_votes(request, season, categories)
    left = [category for category in categories if category.pk not in {vote.category_id for vote in earlier}]
    sheet = VoteSheet(left) if left else None
    return Ballot(sheet, left, earlier, said.get(VOTED, ""), said.get(HELD, ""))


def earlier_votes(request: HttpRequest, season: Season | None, categories: list[Category]) -> list[Vote]:
    """The votes this browser has cast in these categories; without those whose link nobody followed."""
    keys = request.session.get(SESSION_KEY, {})
    ids = [keys[category.slug] for category in categories if category.slug in keys]
    if not ids:
        return []
    votes = Vote.objects.filter(pk__in=ids, season=season).select_related("category", "nominee").order_by("created_at")
    return list(votes.exclude(state=Vote.State.INVALID, reason=Vote.Reason.UNVERIFIED))


def take_vote(
    request: HttpRequest, found: Nominee, season: Season | None, categories: list[Category]
) -> HttpResponse | tuple[Ballot, int]:
    """Vote: the way back to the page, or what it shows with which status. Raises the service's `not_live`."""
    if season is None or not season.voting_open:
        return Ballot(), 403
    sheet = VoteSheet(categories, request.POST)
    if not sheet.is_valid():
        return Ballot(sheet, categories), 400
    chosen = next(category for category in categories if category.slug == sheet.ballot.cleaned_data["category"])
    try:
        vote = _cast(request, found, chosen, sheet)
    except ValidationError as error:
        return _refused(sheet, categories, chosen, error)
    request.session[SESSION_KEY] = {**request.session.get(SESSION_KEY, {}), chosen.slug: vote["id"]}
    messages.success(request, chosen.label, extra_tags=HELD if vote["state"] == Vote.State.HELD else VOTED)
    return redirect(f"{request.path}#vote")


def _cast(request: HttpRequest, found: Nominee, category: Category, sheet: VoteSheet) -> dict[str, str]:
    """Vote, once for this form: the vote's id, and whether it counts already. Raises the service's ValidationError."""
    voter, address = sheet.voter.cleaned_data, address_of(request)

    def effect() -> tuple[int, Any]:
        agent = request.headers.get("User-Agent", "")
        vote = services.cast_vote(category, found, voter=voter, address=address, user_agent=agent)
        return 201, {"id": str(vote.pk), "state": vote.state}

    sent = [category.slug, str(found.pk), voter]
    answer: dict[str, str] = do_once("POST /nominee", sheet.ballot.cleaned_data["key"], sent, effect)
    return answer


def _refused(
    sheet: VoteSheet, categories: list[Category], chosen: Category, error: ValidationError
) -> tuple[Ballot, int]:
    code = getattr(error, "code", "")
    if code == "not_live":
        raise error
    if code == "voting_closed":
        return Ballot(), 403
    if code == "already_voted":
        return Ballot(categories=[row for row in categories if row.pk != chosen.pk], already=chosen.label), 409
    sheet.refuse(error)
    return Ballot(sheet, categories), 400
