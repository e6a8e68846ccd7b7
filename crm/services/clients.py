"""Clients: added, changed, deleted. Whoever tells others of them listens to the rows."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from crm.models import Business, Client, normal_phone

NOT_TYPED = {"id", "business", "phone_raw", "created_at", "updated_at"}


def add_client(business: Business, **fields: Any) -> Client:
    """A new client. Raises ValidationError naming a field, or `duplicate_email`."""
    return _save(Client(business=business), fields)


def change_client(client: Client, **fields: Any) -> Client:
    """The client with these fields changed; what is as it was is no change, and nobody is told of it.

    Raises ValidationError naming a field, or `duplicate_email`; Http404 when it was deleted meanwhile.
    """
    with transaction.atomic():
        return _save(_locked(client), fields)


def delete_client(client: Client) -> None:
    """The client is gone. Raises Http404 when it was deleted meanwhile."""
    with transaction.atomic():
        _locked(client).delete()


def _locked(client: Client) -> Client:
    """As it is now, and stays for this transaction. Raises Http404."""
    rows = Client.objects.select_related("business").select_for_update(no_key=True, of=("self",))
    row = rows.filter(pk=client.pk).first()
    if row is None:
        raise Http404("Not found.")
    return row


def _save(client: Client, fields: dict[str, Any]) -> Client:
    before = None if client._state.adding else _values(client)
    for name, value in fields.items():
        setattr(client, name, value)
    if "phone" in fields:
        _set_phone(client, fields["phone"], known=before["phone"] if before else "")
    client.clean_fields(exclude=NOT_TYPED)
    if _values(client) == before:
        return client
    client.updated_at = timezone.now()
    try:
        with transaction.atomic():
            client.save()
    except IntegrityError as error:
        if not Client.objects.filter(business=client.business, email=client.email).exclude(pk=client.pk).exists():
            raise
        raise ValidationError("This business has a client with this email already.", code="duplicate_email") from error
    return client


def _set_phone(client: Client, text: str, *, known: str) -> None:
    """Read as in the business's region; the text stays as it was typed first while it is the same phone."""
    try:
        client.phone = normal_phone(text, client.business.default_region)
    except ValidationError as error:
        raise ValidationError({"phone": error.messages}) from error
    if client.phone != known or not client.phone:
        client.phone_raw = text.strip()


def _values(client: Client) -> dict[str, Any]:
    return {
        field.name: getattr(client, field.attname)
        for field in Client._meta.concrete_fields
        if field.name != "updated_at"
    }
