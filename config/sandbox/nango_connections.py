"""What Nango keeps: sessions in which somebody may connect, and the connections that came of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.sandbox.crms import Account, times
from config.sandbox.nango_values import Json


@dataclass(slots=True)
class Session:
    """Somebody may connect until it expires; with `reconnects` only to sign in again to that connection."""

    token: str
    tags: dict[str, str]
    allowed: list[str]
    expires: int
    webhook_url: str | None = None
    reconnects: str | None = None


@dataclass(slots=True)
class Connection:
    """An account of a CRM that somebody connected. `mark` and `page` tell which page of a list was read last."""

    number: int
    connection_id: str
    integration: str
    tags: dict[str, str]
    account: Account
    created: int
    updated: int
    webhook_url: str | None = None
    has_auth_error: bool = False
    mark: str = ""
    page: int = 0

    def simple(self) -> Json:
        """As a list shows it, never with credentials."""
        return {
            "id": self.number,
            "connection_id": self.connection_id,
            "provider": self.account.provider,
            "provider_config_key": self.integration,
            "created": times.iso(self.created).replace("Z", "+00:00"),
            "metadata": None,
            "tags": self.tags,
            "errors": [{"type": "auth", "log_id": f"log_{self.number}"}] if self.has_auth_error else [],
            "end_user": None,
        }

    def full(self) -> Json:
        """As it shows itself. The key may not read credentials, so there are none (reference 0)."""
        shown = self.simple()
        return {
            **{key: value for key, value in shown.items() if key != "created"},
            "connection_config": self.account.config,
            "webhook_url_override": self.webhook_url,
            "created_at": shown["created"],
            "updated_at": times.iso(self.updated).replace("Z", "+00:00"),
            "last_fetched_at": None,
            "credentials": {},
        }

    def matches(self, query: Mapping[str, str], tags: Mapping[str, str]) -> bool:
        """The filters of a list."""
        own = self.tags.get("end_user_id"), self.tags.get("organization_id")
        integrations = [key.strip() for key in query.get("integrationId", self.integration).split(",")]
        return (
            query.get("connectionId", self.connection_id) == self.connection_id
            and self.integration in integrations
            and (query.get("endUserId", own[0]), query.get("endUserOrganizationId", own[1])) == own
            and query.get("search", "") in " ".join((self.connection_id, *self.tags.values()))
            and tags.items() <= self.tags.items()
        )

    def page_of(self, mark: str) -> int:
        """Which page of a list this is: a cursor not seen before comes after the last one, "" begins anew."""
        if not mark:
            self.page = 1
        elif mark != self.mark:
            self.page += 1
        self.mark = mark
        return self.page
