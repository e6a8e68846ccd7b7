"""Clients: the people a business works for."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.utils import timezone

from crm.models.fields import EmailField, PhoneField, email_is_normal, phone_is_e164
from crm.models.tenancy import Business


class Client(models.Model):
    """Somebody a business works for, by address. A deleted one is gone: others hear of it by `post_delete`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is `client_named`.
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="clients", db_index=False)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    email = EmailField()
    phone = PhoneField(blank=True)
    phone_raw = models.CharField(max_length=100, blank=True)
    company = models.CharField(max_length=255, blank=True)
    address_line1 = models.CharField("address, line 1", max_length=255, blank=True)
    address_line2 = models.CharField("address, line 2", max_length=255, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField("state or county", max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["last_name", "first_name", "id"]
        constraints = [
            # The address first: people are looked up by it over all businesses.
            models.UniqueConstraint(fields=["email", "business"], name="client_email_once"),
            models.CheckConstraint(
                condition=~models.Q(first_name="") & ~models.Q(last_name="") & ~models.Q(email=""),
                name="client_has_a_name_and_an_email",
            ),
            email_is_normal("client"),
            phone_is_e164("client"),
        ]
        indexes = [models.Index(fields=["business", "last_name", "first_name"], name="client_named")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """First and last."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True)
class ClientNews:
    """A fact that was to be told, and how far it is."""

    event: str
    status: str
    outcome: str
    error: str
    at: datetime


@dataclass(frozen=True)
class ClientDelivery:
    """What was told of a client, newest first, where to see more, and what a deletion would do there."""

    url: str
    news: list[ClientNews]
    if_deleted: str
