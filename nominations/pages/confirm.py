"""The page that a voter's link leads to."""

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from nominations import selectors, services
from nominations.models import Nominee, Vote
from nominations.pages.answers import error_page

ERRORS = {
    "not_found": (404, "No such link", "Copy the whole link from the mail, or vote again for a new one."),
    "expired": (410, "This link has expired", "The vote did not count. While voting is open, you can vote again."),
    "already_voted": (409, "You have already voted", "Another vote of yours counts in this category."),
    "voting_closed": (403, "Too late", "The results are published: no vote counts any more."),
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """A GET shows what is confirmed, with a button, so that mail scanners confirm nothing; a POST does it."""
    try:
        vote = services.confirm_vote(token) if request.method == "POST" else services.held_vote(token)
    except ValidationError as error:
        return error_page(request, *ERRORS[str(getattr(error, "code", ""))])
    if request.method == "POST":
        return redirect("vote-confirm", token=token)
    context = {"vote": vote, "is_counted": vote.state == Vote.State.COUNTED, "is_live": _is_live(vote)}
    if not context["is_counted"] and (vote.season.results_published or selectors.frozen_at(vote.season)):
        return error_page(request, *ERRORS["voting_closed"])
    if vote.state == Vote.State.INVALID:
        return error_page(request, *ERRORS["expired"])
    return render(request, "nominations/confirm.html", context)


def _is_live(vote: Vote) -> bool:
    return vote.nominee.state == Nominee.State.LIVE
