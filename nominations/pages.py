"""The public pages."""

from django.http import HttpRequest, HttpResponse


def home(request: HttpRequest) -> HttpResponse:
    """The season and its categories."""
    return HttpResponse("home")


def nominate(request: HttpRequest) -> HttpResponse:
    """Submit a nomination."""
    return HttpResponse("nominate")


def thanks(request: HttpRequest) -> HttpResponse:
    """After a nomination."""
    return HttpResponse("thanks")


def nominee(request: HttpRequest, slug: str) -> HttpResponse:
    """One nominee."""
    return HttpResponse("nominee")
