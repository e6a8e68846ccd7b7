"""Between the session and everything that looks at its user: staff without their second factor are nobody."""

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from config.middleware import GetResponse
from crm.models import User
from crm.services import needs_second_factor


class SecondFactorMiddleware:
    """Staff who have given their password and not their code are nobody, wherever they look.

    Only the page that asks for the code knows them: as `request.half_way`. Who comes with a token has given both.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        half_way = SimpleLazyObject(lambda: user if is_half_way(user) else None)
        request.half_way = half_way  # type: ignore[attr-defined]
        request.user = SimpleLazyObject(lambda: AnonymousUser() if is_half_way(user) else user)  # type: ignore[assignment]
        return self.get_response(request)


def is_half_way(user: User | AnonymousUser) -> bool:
    """Whether somebody still has to give a code. `is_verified` comes from django-otp's middleware."""
    return needs_second_factor(user) and not user.is_verified()  # type: ignore[union-attr]
