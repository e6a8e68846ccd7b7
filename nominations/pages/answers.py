"""What the pages share: being turned away, and doing once what was sent twice."""

import math
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from crm.api.views import address_of, fingerprint
from crm.services import Answer, remember_answer, take_turn
from nominations import selectors, services
from nominations.models import Nominee, Season


def season_now() -> Season | None:
    """The current season, if there is one."""
    try:
        return selectors.current_season()
    except ValidationError:
        return None


def published_seasons() -> QuerySet[Season]:
    """Those whose results stand, the latest first."""
    return Season.objects.filter(results__isnull=False).distinct().order_by("-results_published_at")


def error_page(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    """An error in plain words."""
    return render(request, "error.html", {"title": title, "detail": detail}, status=status)


def live_nominee(request: HttpRequest, slug: str, route: str = "nominee", *more: object) -> Nominee | HttpResponse:
    """Who has this page. Else the answer: 404, 410 for one who is suspended, 301 to whom a merged one became."""
    found = Nominee.objects.filter(slug=slug).first()
    if found is not None and found.state == Nominee.State.MERGED:
        survivor = selectors.survivor_of(found)
        if survivor is not None:
            return redirect(route, survivor.slug, *more, permanent=True)
        found = selectors.end_of(found)
    if found is not None and found.state == Nominee.State.SUSPENDED:
        detail = "This nominee no longer takes part in the awards, so their page has been taken down."
        return error_page(request, 410, "This page has been retired", detail)
    return found if found is not None and found.state == Nominee.State.LIVE else no_such_nominee(request)


def no_such_nominee(request: HttpRequest) -> HttpResponse:
    """404."""
    return error_page(request, 404, "No such nominee", "Nobody has this page, or it has not been published yet.")


def turned_away(request: HttpRequest, *, voter: str = "") -> HttpResponse | None:
    """A 429 page for a machine, or a voter, that sends too much; they share their turns with the API."""
    address = address_of(request)
    seconds = take_turn(f"public:{address}", settings.THROTTLE_RATES["public"])
    if voter and seconds:
        seconds = services.office_wait(address, voter, seconds)
    if voter and not seconds:
        seconds = services.voter_wait(voter)
    wait = math.ceil(seconds)
    if not wait:
        return None
    detail = f"Please wait {wait} second{'s' if wait > 1 else ''}, then go back and send the form again."
    response = error_page(request, 429, "A little too fast", detail)
    response["Retry-After"] = str(wait)
    return response


def do_once(scope: str, key: str, sent: Any, effect: Callable[[], Answer]) -> Any:
    """The effect's answer. The same form with the same words gives the first answer again, without a second effect.

    Somebody who goes back and changes the words sends something new.
    """
    if not key:
        return effect()[1]
    print_of = fingerprint(sent)
    (_status, body), _replayed = remember_answer(scope, f"{key}:{print_of}", print_of, effect)
    return body
