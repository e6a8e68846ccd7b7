"""How a CRM is connected: chosen here, signed in to in another tab, noticed here. And how it is parted from."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from crm import services, tasks
from crm.admin.deciding import SYNC, deciding_page, require_active, require_role
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import KEY_OWNER
from crm.client import NangoError
from crm.models import Business, Connection, Membership, User
from notifications.admin import posted

FOLDER = "admin/crm/connection"
# A link is good for half an hour: looked after often at first, and at last not at all.
QUICK_POLLS, LAST_POLL = 40, 200
SOON_MS, LATER_MS = 3_000, 10_000
# Each look asks our own database; every so many of them a worker asks Nango.
POLLS_A_SEARCH = 2
Provider = Connection.Provider


class ChoiceForm(forms.Form):
    """Which CRM."""

    provider = forms.ChoiceField(label="CRM", widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [provider for provider, key in settings.NANGO_INTEGRATIONS.items() if key]
        names = [(provider, Provider(provider).label) for provider in offered]
        cast(forms.ChoiceField, self.fields["provider"]).choices = names


def choice_context(business: Business, form: ChoiceForm | None = None) -> dict[str, Any]:
    """What the choice of a CRM needs."""
    form = form or ChoiceForm()
    return {
        "business": business,
        "choice": form,
        "choices": cast(forms.ChoiceField, form.fields["provider"]).choices,
        "chosen": form["provider"].value(),
        "action_url": reverse("admin:crm_connection_connect", args=[business.slug]),
    }


def start(admin: TenantAdmin, request: HttpRequest, slug: str) -> HttpResponse:
    """Choose the CRM; a POST makes the link at which to sign in to it, and waits. Calls Nango."""
    business = _business(request, slug)
    active = Connection.objects.active().filter(business=business).first()
    form = ChoiceForm(posted(request))
    context = {**choice_context(business, form), "active": active}
    if request.method == "POST" and form.is_valid():
        provider = form.cleaned_data["provider"]
        try:
            session = services.create_session(business, by=cast(User, request.user), provider=provider)
        except NangoError as error:
            form.add_error(None, refusal_in_words(error))
        else:
            context |= _link_context(session, Provider(provider).label, active)
    title = f"Change the CRM of {business}" if active else f"Connect the CRM of {business}"
    return _page(admin, request, title, context)


def reconnect(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """Sign in to the same CRM again. Calls Nango. Raises PermissionDenied, Http404."""
    require_role(request, connection.business_id, Membership.Role.MANAGER)
    require_active(connection)
    crm = connection.get_provider_display()
    form = forms.Form(posted(request))
    action_url = reverse("admin:crm_connection_reconnect", args=[connection.pk])
    context: dict[str, Any] = {"business": connection.business, "choice": form, "action_url": action_url, "again": crm}
    if request.method == "POST" and form.is_valid():
        try:
            session = services.create_reconnect_session(connection, by=cast(User, request.user))
        except NangoError as error:
            form.add_error(None, refusal_in_words(error))
        else:
            context |= _link_context(session, crm, connection)
    return _page(admin, request, f"Sign in to {crm} again", context, connection)


def waiting(admin: TenantAdmin, request: HttpRequest, slug: str) -> HttpResponse:
    """Whether the person has signed in by now; meanwhile a worker asks Nango. A POST, because that is queued."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    business = _business(request, slug)
    active = Connection.objects.active().filter(business=business).first()
    known, is_again = request.POST.get("known", ""), "again" in request.POST
    if active and (str(active.pk) != known or (is_again and not active.reconnect_required)):
        return _arrived(request, active)
    count = request.POST.get("polls", "")
    polls = int(count) + 1 if count.isdecimal() and len(count) < 6 else 0
    if polls % POLLS_A_SEARCH == 0:
        tasks.queue_search(business.pk)
        if active and is_again:
            tasks.queue_take_over(active.nango_connection_id, active.provider_config_key)
    context = {"business": business, "known": known, "again": is_again, **_polls(polls)}
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, f"{FOLDER}/_waiting.html", context)
    return _page(admin, request, "Not connected yet", context)


def _polls(polls: int) -> dict[str, Any]:
    delay = SOON_MS if polls < QUICK_POLLS else LATER_MS
    return {"is_waiting": True, "polls": polls, "delay": delay, "is_over": polls >= LAST_POLL}


def _link_context(session: dict[str, Any], crm: str, known: Connection | None) -> dict[str, Any]:
    return {"link": session["connect_link"], "crm": crm, "known": known.pk if known else "", **_polls(0)}


def _arrived(request: HttpRequest, connection: Connection) -> HttpResponse:
    messages.success(request, f"{connection.get_provider_display()} is connected.")
    url = reverse("admin:crm_connection_change", args=[connection.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def disconnect(admin: TenantAdmin, request: HttpRequest, connection: Connection) -> HttpResponse:
    """The CRM is read no more; the leads stay. Raises PermissionDenied, Http404."""
    require_role(request, connection.business_id, Membership.Role.MANAGER)
    require_active(connection)
    crm = connection.get_provider_display()

    def act() -> str:
        services.disconnect(connection.business)
        return f"{crm} is disconnected. The leads stay."

    consequences = [
        f"{crm} is not read any more, from this moment on.",
        "The leads stay, with their messages and all that the CRM said of them.",
        f"Nango is told to forget the access to {crm}; it asks again by itself until that is done.",
        "Connect the same account again, and its contacts find their leads again.",
    ]
    return deciding_page(
        admin,
        request,
        connection,
        title=f"Disconnect {crm}",
        act=act,
        then=reverse("admin:crm_connection_change", args=[connection.pk]),
        context={"button": f"Disconnect {crm}", "is_danger": True, "consequences": consequences},
    )


def refusal_in_words(error: NangoError) -> str:
    """Why there is no link, and what to do."""
    if error.is_unauthorized:
        return f"Nango refuses our key. {KEY_OWNER} has to set NANGO_SECRET_KEY right."
    if error.is_throttled:
        return "Nango has too many requests at the moment. Try again in a minute."
    if not error.permanent:
        return f"{error} Nothing has changed: try again in a moment."
    return str(error)


def _business(request: HttpRequest, slug: str) -> Business:
    """One of the user's. Raises Http404 for another's, PermissionDenied where the role is too low."""
    business = get_object_or_404(Business.objects.visible_to(cast(User, request.user), SYNC), slug=slug)
    require_role(request, business.pk, Membership.Role.MANAGER)
    return business


def _page(
    admin: TenantAdmin, request: HttpRequest, title: str, context: dict[str, Any], about: Connection | None = None
) -> HttpResponse:
    request.current_app = admin.admin_site.name
    values = {**admin.page_context(request, title, about), "media": admin.media, **context}
    return TemplateResponse(request, f"{FOLDER}/connect.html", values)
