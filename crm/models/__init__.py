"""Tables of the crm app."""

from crm.models.clients import Client, ClientDelivery, ClientNews
from crm.models.connections import Connection, SyncOutcome, SyncRun
from crm.models.erasures import Erasure
from crm.models.fields import EmailField, PhoneField, email_is_normal, normal_email, normal_phone, phone_is_e164
from crm.models.leads import Lead, LeadAlias, Message
from crm.models.requests import IdempotencyKey, RateGate
from crm.models.tenancy import Business, Membership, User

__all__ = [
    "Business",
    "Client",
    "ClientDelivery",
    "ClientNews",
    "Connection",
    "EmailField",
    "Erasure",
    "IdempotencyKey",
    "Lead",
    "LeadAlias",
    "Membership",
    "Message",
    "PhoneField",
    "RateGate",
    "SyncOutcome",
    "SyncRun",
    "User",
    "email_is_normal",
    "normal_email",
    "normal_phone",
    "phone_is_e164",
]
