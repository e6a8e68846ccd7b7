"""The CRMs that leads come from, each one module that speaks its language and no other."""

from crm.providers import gohighlevel, hubspot, pipedrive, salesforce, zoho
from crm.providers.contract import Answer, Ask, Call, FetchedContact, Provider, ProviderError, Refused

PROVIDERS: dict[str, Provider] = {
    "hubspot": hubspot,
    "salesforce": salesforce,
    "pipedrive": pipedrive,
    "zoho": zoho,
    "gohighlevel": gohighlevel,
}


def get(source: str) -> Provider:
    """The adapter of a CRM by our name of it. Raises KeyError."""
    return PROVIDERS[source]


__all__ = ["PROVIDERS", "Answer", "Ask", "Call", "FetchedContact", "Provider", "ProviderError", "Refused", "get"]
