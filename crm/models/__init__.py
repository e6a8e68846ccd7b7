"""Tables of the crm app."""

from crm.models.fields import EmailField, PhoneField, email_is_normal, normal_email, normal_phone, phone_is_e164
from crm.models.requests import IdempotencyKey, RateGate
from crm.models.tenancy import Business, Membership, User

__all__ = [
    "Business",
    "EmailField",
    "IdempotencyKey",
    "Membership",
    "PhoneField",
    "RateGate",
    "User",
    "email_is_normal",
    "normal_email",
    "normal_phone",
    "phone_is_e164",
]
