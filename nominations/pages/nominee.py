"""A nominee's own page."""

from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods

from nominations import selectors
from nominations.models import Category, Nominee, Season
from nominations.pages.answers import live_nominee, no_such_nominee, season_now, turned_away
from nominations.pages.ballot import Ballot, ballot_of, take_vote
from nominations.pages.phases import phases
from nominations.pages.pictures import card_of

OTHERS = 3
Standings = list[tuple[Category, selectors.Standing, selectors.Shown]]


@require_http_methods(["GET", "HEAD", "POST"])
def nominee(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of a live nominee; a POST votes for them."""
    found = live_nominee(request, slug)
    if isinstance(found, HttpResponse):
        return found
    posted = request.method == "POST"
    if posted and (refused := turned_away(request, voter=request.POST.get("voter-email", ""))):
        return refused
    season = season_now()
    standings = _standings(found, season) if season else []
    categories = [category for category, _place, _shown in standings]
    if not posted:
        return _page(request, found, season, standings, ballot_of(request, season, categories), 200)
    try:
        answer = take_vote(request, found, season, categories)
    except ValidationError:
        return no_such_nominee(request)
    return answer if isinstance(answer, HttpResponse) else _page(request, found, season, standings, *answer)


def _standings(found: Nominee, season: Season) -> Standings:
    return [(row, place, selectors.shown(season, place)) for row, place in selectors.standings(found, season)]


def _page(
    request: HttpRequest,
    found: Nominee,
    season: Season | None,
    standings: Standings,
    ballot: Ballot,
    status: int,
) -> HttpResponse:
    _nominating, voting, results = phases(season) if season else (None, None, None)
    words = list(selectors.words_for(found))
    card = card_of(found, season)
    card_path = f"{reverse('nominee-card', args=[found.slug])}?v={card.version}"
    others = selectors.others_in(season, standings[0][0], found, OTHERS) if season and standings else []
    context = {
        "nominee": found,
        "season": season,
        "standings": standings,
        "voting": voting,
        "results": results,
        "words": words,
        "links": _links(found),
        "shares": _shares(found),
        "description": _description(found, standings, words[0].why if words else ""),
        "card_path": card_path,
        "card_url": f"{settings.PUBLIC_BASE_URL}{card_path}",
        "card": card,
        "others": others,
        "ballot": ballot,
        "sheet": ballot.sheet,
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
    labels = ", ".join(category.label for category, _place, _shown in standings)
    return f"{found.name}, nominated for {labels}." if labels else f"{found.name}, nominee in the Laurel Awards."
