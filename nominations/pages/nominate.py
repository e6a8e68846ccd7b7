"""Nominating: choose a category, fill in one page, be thanked."""

import hashlib
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from nominations import selectors, services
from nominations.forms import NOBODY, NominationSheet
from nominations.models import Category, Nomination, Nominee, Season
from nominations.pages.answers import do_once, season_now, turned_away
from nominations.pages.phases import phases

SESSION_KEY = "nominated"


@require_http_methods(["GET", "HEAD", "POST"])
def nominate(request: HttpRequest) -> HttpResponse:
    """Without a category, the choice of one; with `?category=`, its form, which is sent to the same address."""
    season = season_now()
    if season is None:
        return render(request, "nominations/no_season.html", status=404)
    posted = request.method == "POST"
    if posted and (refused := turned_away(request)):
        return refused
    if not season.nominations_open:
        return _closed(request, season, status=403 if posted else 200)
    slug = request.POST.get("category") or request.GET.get("category")
    if not slug:
        return _choice(request, season, status=400 if posted else 200)
    category = selectors.active_categories().filter(slug=slug).first()
    if category is None:
        return _choice(request, season, is_unknown=True, status=404)
    return (
        _submit(request, season, category) if posted else _form(request, season, category, NominationSheet(category))
    )


@require_safe
def thanks(request: HttpRequest) -> HttpResponse:
    """Who was nominated and what happens next; for whoever has nominated nobody, the form."""
    nominated = request.session.get(SESSION_KEY)
    if nominated is None:
        return redirect("nominate")
    season = season_now()
    voting = phases(season)[1] if season else None
    return render(request, "nominations/thanks.html", {**nominated, "season": season, "voting": voting})


def _submit(request: HttpRequest, season: Season, category: Category) -> HttpResponse:
    sheet = NominationSheet(category, request.POST, request.FILES)
    if not sheet.is_valid():
        return _form(request, season, category, sheet, status=400)
    try:
        known = _known(category, sheet)
        if sheet.meant:
            return _form(request, season, category, sheet)
        request.session[SESSION_KEY] = _nominated(category, sheet, known)
    except ValidationError as error:
        if getattr(error, "code", "") == "nominations_closed":
            return _closed(request, season, status=403)
        sheet.refuse(error)
        return _form(
            request, season, category, sheet, status=409 if getattr(error, "code", "") == "already_nominated" else 400
        )
    return redirect("nominate-thanks")


def _known(category: Category, sheet: NominationSheet) -> Nominee | None:
    """Whom the nominator says they mean. Where they have not said and names are alike, the sheet then asks."""
    answer = sheet.why.cleaned_data["known"]
    if answer == NOBODY:
        return None
    alike = services.nominees_meant(category, sheet.nominee_fields())
    known = next((nominee for nominee in alike if nominee.slug == answer), None)
    if alike and known is None:
        sheet.ask(alike)
    return known


def _nominated(category: Category, sheet: NominationSheet, known: Nominee | None) -> Any:
    """Submit, once for this form. Raises the service's ValidationError."""
    why, nominator, nominee = sheet.why.cleaned_data, sheet.nominator.cleaned_data, sheet.nominee_fields()

    def effect() -> tuple[int, Any]:
        nomination = services.submit_nomination(
            category, nominator=nominator, nominee=nominee, why=why["why"], source=Nomination.Source.PAGE, known=known
        )
        return 201, {"name": nomination.nominee.name, "category": category.label}

    sent = [category.slug, why["why"], nominator, _comparable(nominee), *([known.slug] if known else [])]
    return do_once("POST /nominate", why["key"], sent, effect)


def _comparable(nominee: dict[str, Any]) -> dict[str, Any]:
    """The picture's name is random; its content is not."""
    if "image" not in nominee:
        return nominee
    return {**nominee, "image": hashlib.sha256(nominee["image"].read()).hexdigest()}


def _form(
    request: HttpRequest, season: Season, category: Category, sheet: NominationSheet, *, status: int = 200
) -> HttpResponse:
    context = {"season": season, "category": category, "sheet": sheet}
    return render(request, "nominations/nominate.html", context, status=status)


def _choice(request: HttpRequest, season: Season, *, status: int, is_unknown: bool = False) -> HttpResponse:
    context = {"season": season, "is_unknown": is_unknown, "categories": selectors.active_categories()}
    return render(request, "nominations/choose.html", context, status=status)


def _closed(request: HttpRequest, season: Season, *, status: int) -> HttpResponse:
    nominating, voting, results = phases(season)
    context = {"season": season, "nominating": nominating, "voting": voting, "results": results}
    return render(request, "nominations/nominations_closed.html", context, status=status)
