"""The OpenAPI description: every operation documents the errors that every operation can answer."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

CODED = {
    "type": "object",
    "properties": {"detail": {"type": "string"}, "code": {"type": "string"}},
    "required": ["detail", "code"],
}
INVALID = {"type": "object", "additionalProperties": True}
COMMON = {
    "400": ("Validation: a list of messages for each field; or `detail` and `code`.", INVALID),
    "401": ("Not logged in, or the secret is wrong.", CODED),
    "403": ("Not allowed, or closed: see `code`.", CODED),
    "404": ("Not there, or not yours.", CODED),
    "405": ("This method is not for this address.", CODED),
    "406": ("Only JSON is answered.", CODED),
    "409": ("The state does not allow it: see `code`.", CODED),
    "410": ("It was here and is gone.", CODED),
    "413": ("The body is larger than 1 MB.", CODED),
    "415": ("Send application/json.", CODED),
    "422": ("This idempotency key came with another body before.", CODED),
    "429": ("Too many requests; `Retry-After` tells the seconds.", CODED),
}


class LaurelSchema(AutoSchema):
    """Adds the shared error answers once, instead of on every view."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """The operation as drf-spectacular sees it, with the common errors added."""
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            for status, (description, schema) in COMMON.items():
                content = {"application/json": {"schema": schema}}
                operation["responses"].setdefault(status, {"description": description, "content": content})
        return operation


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tokens from the login; the clock's endpoints take CRON_SECRET in the same header."""

    target_class = "config.drf.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """As OpenAPI writes it."""
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The admin's login; writing needs the CSRF token too."""

    target_class = "config.drf.StrictSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """As OpenAPI writes it."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
