"""Leads by hand, and what is said to them."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from crm.models import Business, Lead, Message, User, normal_email, normal_phone

EDITABLE = ("name", "first_name", "last_name", "phone", "email", "company", "status", "lead_type", "opted_out")


def add_lead(business: Business, **fields: Any) -> Lead:
    """A lead by hand, which no CRM takes away. Raises ValidationError naming a field."""
    lead = Lead(business=business)
    return _save(lead, fields, by_hand=list(fields))


def edit_lead(lead: Lead, **fields: Any) -> Lead:
    """What staff know better: a sync leaves the edited fields alone now. Raises ValidationError naming a field."""
    with transaction.atomic():
        lead = _locked(lead)
        if "phone" in fields and _phone(fields["phone"], lead.business) == lead.phone:
            del fields["phone"]  # whatever the spelling
        edited = [name for name, value in fields.items() if getattr(lead, name) != value]
        return _save(lead, fields, by_hand=edited)


def follow_crm(lead: Lead, *fields: str) -> None:
    """What was edited by hand follows the CRM again, from the next time that it is read."""
    with transaction.atomic():
        lead = _locked(lead)
        lead.edited_fields = [name for name in lead.edited_fields if name not in fields]
        lead.save(update_fields=["edited_fields"])


def _locked(lead: Lead) -> Lead:
    """As it is now, and stays for this transaction. Raises Http404 when it was deleted meanwhile."""
    row = Lead.objects.select_for_update(no_key=True).filter(pk=lead.pk).first()
    if row is None:
        raise Http404("Not found.")
    return row


def _save(lead: Lead, fields: dict[str, Any], *, by_hand: list[str]) -> Lead:
    for name, value in fields.items():
        setattr(lead, name, value)
    if "phone" in fields:
        lead.phone_raw = fields["phone"]
        lead.phone = _phone(fields["phone"], lead.business)
    lead.email = normal_email(lead.email)
    lead.name = lead.name or f"{lead.first_name} {lead.last_name}".strip()
    if not lead.name:
        raise ValidationError({"name": ["Give a name."]})
    if not lead.phone and not lead.email:
        raise ValidationError({"phone": ["Give a phone or an email."]})
    lead.edited_fields = sorted({*lead.edited_fields, *by_hand})
    lead.updated_at = timezone.now()
    lead.full_clean(exclude={field.name for field in Lead._meta.fields} - set(EDITABLE))
    lead.save()
    return lead


def _phone(text: str, business: Business) -> str:
    try:
        return normal_phone(text, business.default_region)
    except ValidationError as error:
        raise ValidationError({"phone": error.messages}) from error


def delete_lead(lead: Lead) -> None:
    """The lead and its messages are gone; a CRM that still has the contact brings it again."""
    lead.delete()


def log_message(
    lead: Lead, *, direction: str, channel: str, body: str, by: User | None, sent_at: datetime | None = None
) -> Message:
    """A message that went to or came from the lead. An outbound one marks the lead as contacted."""
    with transaction.atomic():
        lead = _locked(lead)
        at = sent_at or timezone.now()
        message = Message.objects.create(lead=lead, direction=direction, channel=channel, body=body, sent_at=at, by=by)
        lead.contacted = lead.contacted or direction == Message.Direction.OUTBOUND
        if lead.last_message_at is None or at >= lead.last_message_at:
            lead.last_message, lead.last_message_at = body[:500], at
        lead.save(update_fields=["contacted", "last_message", "last_message_at"])
    return message
