"""Pictures of nominees as they are shown: small portraits, and the card for other sites."""

import io

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from nominations import selectors
from nominations.forms.pictures import BROKEN
from nominations.models import Category, Nomination, Nominee, Season
from nominations.pages.answers import live_nominee, season_now
from nominations.pages.share_card import ShareCard, portrait

SMALL, LARGE = 144, 400
KEPT_SECONDS = 3600
HOUR, YEAR = "public, max-age=3600", "public, max-age=31536000, immutable"


@require_safe
def card(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The OpenGraph image of a live nominee; drawn only when what is drawn has changed.

    Asked for by its version, it may be kept for ever.
    """
    found = live_nominee(request, slug, "nominee-card")
    if isinstance(found, HttpResponse):
        return found
    drawing = card_of(found, season_now())
    etag = f'"{drawing.digest}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        content = cache.get_or_set(f"card-{drawing.digest}", lambda: _drawn(drawing, found), KEPT_SECONDS)
        response = HttpResponse(content, content_type="image/png")
    is_this_one = request.GET.get("v") == drawing.version
    response["ETag"], response["Cache-Control"] = etag, YEAR if is_this_one else HOUR
    return response


@require_safe
def small_portrait(request: HttpRequest, slug: str, side: int) -> HttpResponseBase:
    """A live nominee's picture as a small square. Its address changes with the picture, so it may be kept."""
    found = live_nominee(request, slug, "nominee-portrait", side)
    if isinstance(found, HttpResponse):
        return found
    if side not in (SMALL, LARGE) or not found.image:
        raise Http404("There is no such picture.")
    out = io.BytesIO()
    try:
        with found.image.open() as picture:
            portrait(picture, side, found.kind).save(out, "WEBP", quality=80)
    except BROKEN as error:
        raise Http404("The picture is missing or damaged.") from error
    return HttpResponse(out.getvalue(), content_type="image/webp", headers={"Cache-Control": YEAR})


def card_of(found: Nominee, season: Season | None) -> ShareCard:
    """What the card of a nominee says: where they stand this season, and at the end what they have won."""
    labels = _labels(found, season) if season else []
    won = _won(found, season) if season and season.results_published else []
    role = "Winner" if won else "Nominee"
    return ShareCard(
        title=f"{role} · {season.name}" if season and labels else f"{role} · Laurel Awards",
        name=found.name,
        initials=found.initials,
        categories=" · ".join(won or labels),
        kind=found.kind,
        picture=str(found.image.name or ""),
    )


def _labels(found: Nominee, season: Season) -> list[str]:
    approved = Nomination.objects.approved().filter(season=season, nominee=found)
    return [category.label for category in Category.objects.filter(pk__in=approved.order_by().values("category"))]


def _won(found: Nominee, season: Season) -> list[str]:
    places = [(category, row) for category, row in selectors.standings(found, season) if row.is_final]
    return [row.label for row, place in places if place.is_on_podium and selectors.shown(season, place).rank == 1]


def _drawn(drawing: ShareCard, found: Nominee) -> bytes:
    """With the initials where the file is missing or damaged."""
    try:
        with found.image.open() as picture:
            return drawing.drawn(picture)
    except BROKEN:
        return drawing.drawn(None)
