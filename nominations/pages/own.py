"""What a nominee's own link leads to: their page as the public sees it, and their say in it."""

from collections.abc import Callable
from functools import wraps

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from nominations import selectors, services
from nominations.forms import CorrectionPart, Sheet, TakeDownPart
from nominations.models import Nominee, NomineeReply
from nominations.pages.answers import error_page, turned_away

Page = Callable[[HttpRequest, str, Nominee], HttpResponse]
ERRORS = {
    "not_found": (404, "No such link", "Copy the whole link from the mail. A newer one may have taken its place."),
    "expired": (410, "This link has expired", "Write to the organisers for a new one."),
    "gone": (410, "This page is gone", "It was removed, or joined with another. Write to the organisers."),
}


def _of_owner(page: Page) -> Callable[[HttpRequest, str], HttpResponse]:
    """Only for whoever holds a link that is good; a GET changes nothing, so that mail scanners say nothing."""

    @wraps(page)
    def view(request: HttpRequest, token: str) -> HttpResponse:
        if request.method == "POST" and (refused := turned_away(request)):
            return refused
        try:
            return page(request, token, services.owner_of(token))
        except ValidationError as error:
            return error_page(request, *ERRORS[str(getattr(error, "code", ""))])

    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(view))


@_of_owner
def own(request: HttpRequest, token: str, nominee: Nominee) -> HttpResponse:
    """The story and the picture, the last word and what became of it; a POST says that all is right."""
    if request.method == "POST":
        services.confirm_page(nominee)
        return redirect("own", token=token)
    words = selectors.words_for(nominee)
    context = {**_known(token, nominee), "words": words, "is_draft": nominee.state == Nominee.State.DRAFT}
    return render(request, "nominations/own.html", context)


@_of_owner
def correct(request: HttpRequest, token: str, nominee: Nominee) -> HttpResponse:
    """The texts as they are, or as they were last asked for, to be changed."""
    waiting = nominee.replies.filter(state=NomineeReply.State.OPEN, kind=NomineeReply.Kind.CORRECT).first()
    story = waiting or nominee
    initial = {"bio": story.bio, "achievements": story.achievements}
    posted = request.method == "POST"
    part = CorrectionPart(request.POST if posted else None, request.FILES if posted else None, initial=initial)
    sheet = Sheet(part)
    if posted and sheet.is_valid():
        try:
            services.ask_for_correction(nominee, **part.cleaned_data)
        except ValidationError as error:
            if getattr(error, "code", "") in ERRORS:
                raise
            sheet.refuse(error)
        else:
            return redirect("own", token=token)
    context = {**_known(token, nominee), "sheet": sheet, "part": part, "waiting": waiting}
    return render(request, "nominations/own_correct.html", context, status=400 if posted else 200)


@_of_owner
def take_down(request: HttpRequest, token: str, nominee: Nominee) -> HttpResponse:
    """What it means; a POST asks for it."""
    posted = request.method == "POST"
    part = TakeDownPart(request.POST if posted else None)
    sheet = Sheet(part)
    if posted and sheet.is_valid():
        services.ask_to_take_down(nominee, note=part.cleaned_data["note"])
        return redirect("own", token=token)
    context = {**_known(token, nominee), "sheet": sheet, "part": part}
    return render(request, "nominations/own_take_down.html", context, status=400 if posted else 200)


def _known(token: str, nominee: Nominee) -> dict[str, object]:
    last = selectors.last_word(nominee)
    return {
        "token": token,
        "nominee": nominee,
        "is_live": nominee.state == Nominee.State.LIVE,
        "last": last,
    }
