"""The staff page on which a person's data are shown, handed out and forgotten."""

import json
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from config import erasing
from crm.models import Erasure, User
from crm.services.erasing import Subject
from notifications.admin import add_errors, require

FORGET = "crm.forget_person"
MAIL = {"inputmode": "email", "autocomplete": "off", "spellcheck": "false"}


class PersonForm(forms.Form):
    """Who it is."""

    email = forms.CharField(max_length=254, required=False, label="Email", widget=forms.TextInput(attrs=MAIL))
    phone = forms.CharField(max_length=50, required=False, label="Phone", help_text="In any spelling.")


def urls(site: AdminSite) -> list[URLPattern]:
    """Below the admin's."""

    def opened(request: HttpRequest) -> HttpResponse:
        require(request, FORGET)
        request.current_app = site.name
        return _page(site, request)

    return [path("crm/erasure/person/", site.admin_view(opened), name="crm_person")]


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """A POST always: an address in an address bar would stand in histories and logs. `act` says what is wanted."""
    form = PersonForm(request.POST or None)
    act = request.POST.get("act", "show")
    if not form.is_valid():
        return _rendered(site, request, form)
    try:
        subject = erasing.identify(**form.cleaned_data)
        if act == "export":
            return _download(erasing.export(subject))
        if act == "forget":
            record = erasing.forget(subject, by=cast(User, request.user))
            messages.success(request, f"Forgotten: {record.total} rows. Loops is told in the background.")
            return HttpResponseRedirect(reverse("admin:crm_erasure_changelist"))
    except ValidationError as error:
        add_errors(form, error)
        return _rendered(site, request, form)
    return _rendered(site, request, form, **_preview(subject))


def _preview(subject: Subject) -> dict[str, Any]:
    found = [(len(each.ids), each.what, each.holding.then) for each in erasing.findings(subject) if each.ids]
    return {
        "is_shown": True,
        "found": found,
        "others": erasing.also_known_by(subject),
        "is_kept": erasing.is_address_kept_for_loops(),
    }


def _download(found: dict[str, Any]) -> HttpResponse:
    text = json.dumps(found, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"}
    return HttpResponse(text, content_type="application/json", headers=headers)


def _rendered(site: AdminSite, request: HttpRequest, form: PersonForm, **context: Any) -> HttpResponse:
    values = {
        **site.each_context(request),
        "title": "A person’s data",
        "opts": Erasure._meta,
        "has_view_permission": request.user.has_perm("crm.view_erasure"),
        "form": form,
        **context,
    }
    response = TemplateResponse(request, "admin/person.html", values)
    response["Cache-Control"] = "no-store"
    return response
