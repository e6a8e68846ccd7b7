"""Leads as one looks for them, and as one speaks with them."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber

from crm.models import Business, Lead, normal_email, normal_phone

BY_HAND = "manual"
ORDERINGS = ("created_at", "updated_at", "name", "company", "last_message_at", "crm_last_activity_at")
SEARCHED = ("name", "first_name", "last_name", "company", "email")


def leads_of(
    business: Business,
    *,
    deleted: bool = False,
    q: str = "",
    source: str = "",
    owner: str = "",
    ordering: str = "",
    **equal: str,
) -> QuerySet[Lead]:
    """The business's leads that match all that is given, newest first unless asked for a known order.

    `deleted`: those that the CRM no longer has, and no others. `source`: a CRM, or `manual`. `owner`: a name or an
    address. `equal`: further columns.
    """
    leads: QuerySet[Lead] = Lead.objects.filter(business=business, crm_deleted_at__isnull=not deleted, **equal)
    if source:
        leads = leads.filter(crm_source="" if source == BY_HAND else source)
    if owner:
        leads = leads.filter(Q(crm_owner=owner) | Q(crm_owner_email=normal_email(owner)))
    if q:
        leads = search_leads(leads, q, business.default_region)
    column = ordering.removeprefix("-")
    if column not in ORDERINGS:
        return leads.order_by("-created_at", "id")
    by = F(column).desc(nulls_last=True) if ordering.startswith("-") else F(column).asc(nulls_last=True)
    return leads.order_by(by, "id")


def search_leads(leads: QuerySet[Lead], text: str, region: str) -> QuerySet[Lead]:
    """Leads of which each word of the text's first 200 characters tells a part: of a name, the company, the address
    or the phone. A phone is found in any spelling, with or without its spaces."""
    return leads.filter(matching(text, region, SEARCHED))


def matching(text: str, region: str, columns: Sequence[str]) -> Q:
    """What finds rows by words of these columns, and by the phone, as `search_leads` says."""
    text = text[:200]
    matches = Q()
    for word in text.split():
        found = Q(phone__contains=word.lstrip("0")) if word.strip("+0").isdecimal() else Q()
        for column in columns:
            found |= Q(**{f"{column}__icontains": word})
        matches &= found
    try:
        phone = normal_phone(text, region)
    except ValidationError:
        phone = ""
    return matches | Q(phone=phone) if phone else matches


def threads(business: Business) -> QuerySet[Lead]:
    """One lead a phone, newest first, by the last message or else the creation; leads without a phone each for
    themselves."""
    at = Coalesce("last_message_at", "created_at")
    live = Lead.objects.live().filter(business=business)
    ranked = live.exclude(phone="").annotate(
        place=Window(RowNumber(), partition_by=[F("phone")], order_by=[at.desc(), F("id").asc()])
    )
    first = ranked.filter(place=1).values("id")
    return live.filter(Q(phone="") | Q(pk__in=first)).annotate(at=at).order_by("-at", "id")
