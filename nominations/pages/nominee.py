"""A nominee's own page, and the vote on it."""

from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods

from crm.api.views import address_of
from nominations import selectors, services
from nominations.forms import VoteSheet
from nominations.models import Category, Nominee, Season, Vote
from nominations.pages.answers import do_once, error_page, season_now, turned_away
from nominations.pages.home import phases

Standings = list[tuple[Category, selectors.Standing]]
VOTED, HELD = "voted", "held"


@require_http_methods(["GET", "HEAD", "POST"])
def nominee(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of a live nominee; a POST votes for them. 410 for one who is suspended, 404 for one who is not live."""
    found = Nominee.objects.filter(slug=slug).first()
    if found is not None and found.state == Nominee.State.SUSPENDED:
        detail = "This nominee no longer takes part in the awards, so their page has been taken down."
        return error_page(request, 410, "This page has been retired", detail)
    if found is None or found.state != Nominee.State.LIVE:
        return _not_live(request)
    if request.method != "POST":
        return _page(request, found)
    return turned_away(request, voter=request.POST.get("voter-email", "")) or _vote(request, found)


def _not_live(request: HttpRequest) -> HttpResponse:
    return error_page(request, 404, "No such nominee", "Nobody has this page, or it has not been published yet.")


def _page(request: HttpRequest, found: Nominee) -> HttpResponse:
    season = season_now()
    standings = selectors.standings(found, season) if season else []
    said = {message.extra_tags: str(message) for message in messages.get_messages(request)}
    sheet = VoteSheet([category for category, _place in standings])
    return _render(request, found, season, standings, sheet=sheet, voted=said.get(VOTED, ""), held=said.get(HELD, ""))


def _vote(request: HttpRequest, found: Nominee) -> HttpResponse:
    season = season_now()
    standings = selectors.standings(found, season) if season else []
    if season is None or not season.voting_open:
        return _render(request, found, season, standings, status=403)
    sheet = VoteSheet([category for category, _place in standings], request.POST)
    if not sheet.is_valid():
        return _render(request, found, season, standings, sheet=sheet, status=400)
    chosen = next(category for category, _ in standings if category.slug == sheet.ballot.cleaned_data["category"])
    try:
        state = _cast(request, found, chosen, sheet)
    except ValidationError as error:
        return _refused(request, found, season, standings, sheet, chosen, error)
    messages.success(request, chosen.label, extra_tags=HELD if state == Vote.State.HELD else VOTED)
    return redirect(f"{request.path}#vote")


def _cast(request: HttpRequest, found: Nominee, category: Category, sheet: VoteSheet) -> str:
    """Vote, once for this form: whether it counts already. Raises the service's ValidationError."""
    voter, address = sheet.voter.cleaned_data, address_of(request)

    def effect() -> tuple[int, Any]:
        agent = request.headers.get("User-Agent", "")
        vote = services.cast_vote(category, found, voter=voter, address=address, user_agent=agent)
        return 201, {"id": str(vote.pk), "state": vote.state}

    sent = [category.slug, str(found.pk), voter]
    return str(do_once("POST /nominee", sheet.ballot.cleaned_data["key"], sent, effect)["state"])


def _refused(
    request: HttpRequest,
    found: Nominee,
    season: Season,
    standings: Standings,
    sheet: VoteSheet,
    chosen: Category,
    error: ValidationError,
) -> HttpResponse:
    code = getattr(error, "code", "")
    if code == "not_live":
        return _not_live(request)
    if code == "voting_closed":
        return _render(request, found, season, standings, status=403)
    if code == "already_voted":
        return _render(request, found, season, standings, already=chosen.label, status=409)
    sheet.refuse(error)
    return _render(request, found, season, standings, sheet=sheet, status=400)


def _render(
    request: HttpRequest,
    found: Nominee,
    season: Season | None,
    standings: Standings,
    *,
    sheet: VoteSheet | None = None,
    voted: str = "",
    held: str = "",
    already: str = "",
    status: int = 200,
) -> HttpResponse:
    words = list(selectors.words_for(found))
    context = {
        "nominee": found,
        "season": season,
        "standings": standings,
        "totals_shown": season is not None and season.shows_totals,
        "voting": phases(season)[1] if season else None,
        "words": words,
        "links": _links(found),
        "shares": _shares(found),
        "description": _description(found, standings, words[0].why if words else ""),
        "image_url": f"{settings.PUBLIC_BASE_URL}{found.image.url}" if found.image else "",
        "sheet": sheet,
        "voted": voted,
        "held": held,
        "already": already,
    }
    return render(request, "nominations/nominee.html", context, status=status)


def _links(found: Nominee) -> list[tuple[str, str]]:
    """Only what a browser opens as a page, whatever came in by import."""
    both = [("LinkedIn", found.linkedin_url), ("Website", found.website)]
    return [(name, url) for name, url in both if url.lower().startswith(("http://", "https://"))]


def _shares(found: Nominee) -> list[tuple[str, str, str]]:
    """`(name, icon, address)` of the places where one can tell others."""
    url, text = found.live_url, f"{found.name} is a nominee in the Laurel Awards"
    mail = urlencode({"subject": text, "body": f"{text}:\n{url}"}, quote_via=quote)
    return [
        ("LinkedIn", "linkedin", f"https://www.linkedin.com/sharing/share-offsite/?{urlencode({'url': url})}"),
        ("X", "x", f"https://x.com/intent/post?{urlencode({'text': text, 'url': url})}"),
        ("WhatsApp", "whatsapp", f"https://wa.me/?{urlencode({'text': f'{text}: {url}'})}"),
        ("Email", "mail", f"mailto:?{mail}"),
    ]


def _description(found: Nominee, standings: Standings, why: str) -> str:
    """One or two lines for whoever sees the link elsewhere."""
    if why:
        return Truncator(" ".join(why.split())).chars(200)
    labels = ", ".join(category.label for category, _place in standings)
    return f"{found.name}, nominated for {labels}." if labels else f"{found.name}, nominee in the Laurel Awards."
