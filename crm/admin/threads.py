"""Recent threads: with whom a business speaks, a row for each phone, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from crm.admin.lead_pages import require
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import ago, phone_in_words, short, softly
from crm.models import Business, Lead
from crm.selectors import threads

FOLDER = "admin/crm/lead"
PAGE = 25
NOTES, LAST = 80, 120


@dataclass(frozen=True)
class Thread:
    """A lead as a row: its notes and the last message short."""

    lead: Lead
    phone: str
    notes: str
    last: str
    at: datetime
    ago: str
    status: str


def page(admin: TenantAdmin, request: HttpRequest) -> HttpResponse:
    """Of one business, which staff choose. Raises Http404, PermissionDenied."""
    require(admin.has_view_permission(request))
    businesses = list(admin.businesses(request).order_by("name", "id"))
    business = _chosen(businesses, request.GET.get("business"))
    number = _number(request.GET.get("p", ""))
    start = (number - 1) * PAGE
    # One more than is shown tells whether there is a next page: counting all takes as long as finding them.
    found = list(threads(business)[start : start + PAGE + 1]) if business else []
    context = {
        **admin.page_context(request, "Recent threads"),
        "business": business,
        "businesses": businesses if len(businesses) > 1 else [],
        "threads": [_thread(lead) for lead in found[:PAGE]],
        "newer": number - 1,
        "older": number + 1 if len(found) > PAGE else 0,
        "media": admin.media,
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, f"{FOLDER}/threads.html", context)


def _chosen(businesses: list[Business], wanted: str | None) -> Business | None:
    if not wanted:
        return businesses[0] if businesses else None
    try:
        found = next((business for business in businesses if business.pk == UUID(wanted)), None)
    except ValueError:
        found = None
    if found is None:
        raise Http404("Not found.")
    return found


def _number(text: str) -> int:
    """Of a page, from 1."""
    return max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1


def _thread(lead: Any) -> Thread:
    return Thread(
        lead=cast(Lead, lead),
        phone=phone_in_words(lead.phone),
        notes=short(lead.crm_description, NOTES),
        last=short(lead.last_message, LAST),
        at=lead.at,
        ago=ago(lead.at),
        status=softly(lead.crm_status),
    )
