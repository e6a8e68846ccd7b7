"""Shapes of the login and of the CRM's API, and the fields that every app's API reads."""

from crm.api.serializers.access import EmailText, LoginSerializer, PhoneText, TokenSerializer, WebURL, check_text

__all__ = ["EmailText", "LoginSerializer", "PhoneText", "TokenSerializer", "WebURL", "check_text"]
