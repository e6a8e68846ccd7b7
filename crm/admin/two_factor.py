"""The page between password and admin: staff enter a code of their phone, or set up the app that makes them."""

from base64 import b32encode
from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device

from crm import services
from crm.models import User
from notifications.admin import add_errors, posted

NAME = "second_factor"


class CodeForm(forms.Form):
    """Six digits of the app, or a code from paper."""

    code = forms.CharField(
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
        help_text="The six digits that your app shows now, or one of your recovery codes.",
    )


class EnrollForm(CodeForm):
    """The first code of a new app, with the secret that was offered to it."""

    offer = forms.CharField(max_length=500, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "The six digits that the app shows now."


def urls(site: AdminSite) -> list[URLPattern]:
    """Not behind the site's door: whoever comes here stands in front of it."""

    def opened(request: HttpRequest) -> HttpResponse:
        request.current_app = site.name
        return _page(site, request)

    return [path("second-factor/", never_cache(opened), name=NAME)]


def half_way(request: HttpRequest) -> User | None:
    """Who has given their password and not their code."""
    user = getattr(request, "half_way", None)
    return User.objects.get(pk=user.pk) if user else None


def second_factor_address(request: HttpRequest) -> str:
    """Where they give it, and then go on to where they wanted."""
    return f"{reverse(f'admin:{NAME}')}?{urlencode({'next': _then(request)})}"


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    waiting = half_way(request)
    if waiting is None:
        return _own_page(site, request)
    if "leave" in request.POST:
        request.session.flush()
        return HttpResponseRedirect(reverse("admin:login"))
    return _verify(site, request, waiting) if services.has_second_factor(waiting) else _enroll(site, request, waiting)


def _verify(site: AdminSite, request: HttpRequest, user: User) -> HttpResponse:
    form = CodeForm(posted(request))
    if form.is_valid():
        code = form.cleaned_data["code"]
        wait = services.code_wait(user, code)
        device = services.verify_code(user, code) if not wait else None
        if device is not None:
            _let_in(request, user, device)
            return HttpResponseRedirect(_then(request))
        late = f"Too many wrong codes: try again in {wait:.0f} s."
        form.add_error("code", late if wait else "That code is wrong, or was used before.")
    return _rendered(site, request, "Your code", form=form)


def _enroll(site: AdminSite, request: HttpRequest, user: User) -> HttpResponse:
    form = EnrollForm(posted(request))
    if form.is_valid():
        try:
            device, codes = services.enroll_app(user, **form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            _let_in(request, user, device)
            return _rendered(site, request, "Your recovery codes", codes=codes)
    offer = str(form["offer"].value() or "")
    try:
        device = services.offered_app(user, offer)
    except ValidationError:
        offer = services.offer_app(user)
        device = services.offered_app(user, offer)
    secret = b32encode(device.bin_key).decode()
    fresh = {"offer": offer, "qr": qr_of(device.config_url), "secret": secret}
    return _rendered(site, request, "Set up your second factor", form=form, **fresh)


def _own_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """For those who are in: how many codes on paper are left, and new ones."""
    user = request.user
    if not isinstance(user, User) or not services.needs_second_factor(user):
        return HttpResponseRedirect(reverse("admin:index"))
    if "new" in request.POST:
        codes = services.new_recovery_codes(user)
        return _rendered(site, request, "Your recovery codes", codes=codes)
    return _rendered(site, request, "Second factor", left=services.recovery_codes_left(user))


def _let_in(request: HttpRequest, user: User, device: Device) -> None:
    """The session is the user's from now on, under another name than the half-open one had."""
    request.session.cycle_key()
    request.session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    request.user = user
    if device.name == services.PAPER:
        left = services.recovery_codes_left(user)
        messages.warning(request, f"That recovery code is used up: {left} left. Without your phone, ask for a reset.")


def _then(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def qr_of(text: str) -> SafeString:
    """A drawing of shapes and attributes, without a style, which the content policy would refuse."""
    code = segno.make(text, error="m")
    return mark_safe(code.svg_inline(scale=5, dark="#000", light="#fff", omitsize=True))  # noqa: S308 - drawn here


def _rendered(site: AdminSite, request: HttpRequest, title: str, **context: Any) -> HttpResponse:
    values = {**site.each_context(request), "title": title, "next": _then(request), "issuer": settings.OTP_TOTP_ISSUER}
    return TemplateResponse(request, "admin/second_factor.html", {**values, **context})
