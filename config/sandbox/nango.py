"""The Nango half of the sandbox, and all that a test or a person does to it: `sandbox.nango`."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from config.sandbox.crms import CRMS, Account
from config.sandbox.crms.dirt import chosen_dirt
from config.sandbox.crms.places import PLACES
from config.sandbox.nango_connections import Connection, Session
from config.sandbox.nango_service import NangoService
from config.sandbox.nango_values import Json, read_tags
from config.sandbox.nango_webhooks import (
    ATTEMPTS,
    Webhook,
    auth_payload,
    deliver,
    forward_payload,
    make_webhook,
    sync_payload,
)
from config.sandbox.traffic import RecordedRequest

MOST_PEOPLE = 1_000_000
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class NangoOverview:
    """What a page or a monitor shows, read in one moment."""

    connections: list[Json]
    requests: list[RecordedRequest]
    faults: list[dict[str, Any]]
    counters: dict[str, Any]
    webhook_url: str


class Nango(NangoService):
    """One environment of Nango with five CRMs behind it.

    Connections are named by their connection id, people by the id their CRM gave them. Unknown ids raise KeyError,
    impossible values ValueError. People are given and told in the neutral form of `Account.neutral`.
    """

    _webhook_url, _webhook_secret = "", ""

    @property
    def connect_url(self) -> str:
        """Where people connect a CRM; the start of every connect link."""
        return self._connect_url

    @connect_url.setter
    def connect_url(self, url: str) -> None:
        """Known once the sandbox listens."""
        with self._lock:
            self._connect_url = self._environment.connect_url = url

    def connect(
        self,
        provider: str,
        *,
        tags: dict[str, str] | None = None,
        contacts: int = 0,
        seed: int | None = None,
        dirty: bool | Iterable[str] = False,
        region: str = "GB",
        page_size: int | None = None,
        integration: str = "",
        config: Json | None = None,
        same_account_as: str = "",
    ) -> str:
        """Connect an account of a CRM, with so many invented people; returns the connection id.

        `seed` makes the account: another one each time unless said, the same people and ids for the same number.
        `dirty` is True or some kinds of DIRT. `region`: where the account is at home, whose numbers lack a country
        code. `page_size` shrinks all pages. `integration` is its id in Nango, the provider's name unless said.
        `config` replaces what Nango knows of the account. `same_account_as` connects that connection's account again.
        """
        with self._lock:
            environment = self._environment
            key = integration or provider
            if provider not in CRMS or environment.integrations.setdefault(key, provider) != provider:
                raise ValueError(f"provider must be one of {', '.join(CRMS)}, and the integration one of its own")
            if same_account_as:
                account = self._connection(same_account_as).account
            else:
                chosen = environment.opened + 1 if seed is None else seed
                account = _account(provider, chosen, contacts, dirty, region)
            account.page_size = _page_size(page_size)
            account.config = config or account.config
            return environment.open(key, read_tags(tags or {}), account).connection_id

    def connection(self, connection_id: str) -> Json:
        """As Nango shows it, with `contacts`, how many people its account holds."""
        with self._lock:
            return _told(self._connection(connection_id))

    @property
    def connections(self) -> list[Json]:
        """All of them, oldest first."""
        with self._lock:
            return [_told(connection) for connection in self._environment.connections.values()]

    def drop_connection(self, connection_id: str) -> None:
        """Delete it, as somebody would in Nango's dashboard."""
        with self._lock:
            del self._environment.connections[connection_id]

    def set_auth_error(self, connection_id: str, broken: bool = True) -> None:
        """Whether Nango shows the connection as one whose token cannot be refreshed."""
        with self._lock:
            self._connection(connection_id).has_auth_error = broken

    def set_page_size(self, connection_id: str, page_size: int | None) -> None:
        """Shrink all pages of the account, or with None no longer."""
        self._on(connection_id, lambda account: setattr(account, "page_size", _page_size(page_size)))

    def hide_fields(self, connection_id: str, names: Iterable[str]) -> None:
        """Fields that the connected user may not see: an INVALID_FIELD in Salesforce, left out in HubSpot."""
        self._on(connection_id, lambda account: setattr(account, "hidden_fields", frozenset(names)))

    def contacts(self, connection_id: str, *, deleted: bool = False) -> list[Json]:
        """Everybody in the account, contacts before leads, in order of id; or all who are gone."""

        def read(account: Account) -> list[Json]:
            """In the order of the modules."""
            modules = ("contact", "lead") if account.has_leads else ("contact",)
            if deleted:
                return [account.neutral(person) for module in modules for person in account.book.gone(module)]
            live = (at for module in modules for at in account.book.by_id(module))
            return [account.neutral(account.book.person(at)) for at in live]

        return self._on(connection_id, read)

    def newest(self, connection_id: str, count: int) -> tuple[Json, list[Json]]:
        """A connection, and the people in it that were changed last."""
        with self._lock:
            account = self._connection(connection_id).account
            modules = ("contact", "lead") if account.has_leads else ("contact",)
            latest = [at for module in modules for at in account.book.by_change(module)[-count:]]
            latest.sort(key=account.book.place, reverse=True)
            people = [account.neutral(account.book.person(at)) for at in latest[:count]]
            return self.connection(connection_id), people

    def contact(self, connection_id: str, id_: str) -> Json:
        """One person, also one who is gone."""
        return self._on(connection_id, lambda account: account.neutral(account.book.person(account.position_of(id_))))

    def upsert_contact(self, connection_id: str, id_: str | None = None, **facts: Any) -> Json:
        """Add a person, or change the one of this id. Facts as in the neutral form, the owner by `owner_email`."""
        return self._on(connection_id, lambda account: account.neutral(account.upsert(id_, facts)))

    def add_contacts(self, connection_id: str, count: int) -> list[str]:
        """Add so many invented people, as of now; their ids."""
        return self._on(connection_id, lambda account: account.add_people(_people(count)))

    def delete_contact(self, connection_id: str, id_: str) -> None:
        """Delete it in the CRM."""
        self._on(connection_id, lambda account: account.delete(id_))

    def restore_contact(self, connection_id: str, id_: str) -> None:
        """Take it back out of the bin."""
        self._on(connection_id, lambda account: account.restore(id_))

    def merge_contacts(self, connection_id: str, winner: str, loser: str) -> str:
        """Merge two; the id that is left, in HubSpot a new one."""
        return self._on(connection_id, lambda account: account.merge(winner, loser))

    def convert_lead(self, connection_id: str, id_: str) -> str:
        """Make a contact of a lead (Salesforce, Zoho); the id of the contact."""
        return self._on(connection_id, lambda account: account.convert(id_))

    def set_webhook(self, url: str, secret: str) -> None:
        """Where the Connect page tells of new connections; an empty address is nowhere."""
        with self._lock:
            self._webhook_url, self._webhook_secret = url, secret

    def webhook(
        self, connection_id: str, *, secret: str, type: str = "auth", operation: str = "creation", **fields: Any
    ) -> Webhook:
        """A signed webhook, to be posted by the caller: `auth` with `creation`, `override` or `refresh` (which
        failed), `sync` or `forward`. `fields` replace those of the body."""
        with self._lock:
            connection = self._connection(connection_id)
            makers: dict[str, Callable[[], Json]] = {
                "auth": lambda: auth_payload(connection, operation),
                "sync": lambda: sync_payload(connection),
                "forward": lambda: forward_payload(connection),
            }
            if type not in makers or operation not in ("creation", "override", "refresh"):
                raise ValueError("type must be auth, sync or forward; operation creation, override or refresh")
            return make_webhook({**makers[type](), **fields}, secret)

    def send_webhook(self, connection_id: str, *, url: str, secret: str, **options: Any) -> int | None:
        """The same, posted once: the status that came back, None when nobody answered."""
        return deliver(url, self.webhook(connection_id, secret=secret, **options))

    def start_session(self, tags: dict[str, str]) -> str:
        """A connect session for a person at the sandbox's own page: its connect link."""
        with self._lock:
            self._environment.start_session(read_tags(tags), [])
            return f"{self._connect_url}?session_token={next(reversed(self._environment.sessions))}"

    @property
    def integrations(self) -> dict[str, str]:
        """The provider of each integration."""
        with self._lock:
            return dict(self._environment.integrations)

    def offered(self, token: str) -> list[str] | None:
        """The integrations that a session lets a person choose from; None when it is over."""
        with self._lock:
            session = self._environment.session(token)
            return (session.allowed or list(self._environment.integrations)) if session else None

    def complete_session(self, token: str, integration: str, *, contacts: int, dirty: bool) -> str | None:
        """What the Connect page does: a new connection, or a renewed one. None when the session is over.

        A session serves once. The webhook goes out in a thread of its own, as Nango's does.
        """
        with self._lock:
            if integration not in (self.offered(token) or ()):
                return None
            session = self._environment.sessions.pop(token)
            connection, operation = self._completed(session, integration, contacts, dirty)
            url = session.webhook_url or self._webhook_url
            webhook = make_webhook(auth_payload(connection, operation), self._webhook_secret)
        if url:
            threading.Thread(target=deliver, args=(url, webhook), kwargs={"attempts": ATTEMPTS}, daemon=True).start()
        return connection.connection_id

    def overview(self, requests: int = 0) -> NangoOverview:
        """All connections and the newest requests, newest first."""
        with self._lock:
            return NangoOverview(
                connections=self.connections,
                requests=self._log.latest(requests),
                faults=self._faults.active(),
                counters={"requests": self._log.total, "by_status": dict(self._log.by_status)},
                webhook_url=self._webhook_url,
            )

    def _completed(self, session: Session, integration: str, contacts: int, dirty: bool) -> tuple[Connection, str]:
        """The connection, and what became of it."""
        if session.reconnects in self._environment.connections:
            connection = self._environment.connections[session.reconnects]
            connection.tags, connection.has_auth_error = session.tags or connection.tags, False
            return connection, "override"
        provider = self._environment.integrations[integration]
        account = _account(provider, self._environment.opened + 1, contacts, dirty, "GB")
        connection = self._environment.open(integration, session.tags, account)
        connection.webhook_url = session.webhook_url
        return connection, "creation"

    def _connection(self, connection_id: str) -> Connection:
        """Raises KeyError."""
        return self._environment.connections[connection_id]

    def _on(self, connection_id: str, act: Callable[[Account], Result]) -> Result:
        """Do it to the account of a connection, under the lock."""
        with self._lock:
            return act(self._connection(connection_id).account)


def _account(provider: str, seed: int, contacts: int, dirty: object, region: str) -> Account:
    """An account of a CRM with its people."""
    if region not in PLACES:
        raise ValueError(f"region must be one of {', '.join(PLACES)}")
    if type(seed) is not int or not 0 <= seed < 10**9:
        raise ValueError("seed must be a whole number")
    kinds = chosen_dirt(list(dirty) if isinstance(dirty, Iterable) and not isinstance(dirty, str) else dirty)
    return CRMS[provider](seed=seed, people=_people(contacts), dirt=kinds, region=region)


def _people(count: int) -> int:
    """A number of people that fits."""
    if type(count) is not int or not 0 <= count <= MOST_PEOPLE:
        raise ValueError(f"the number of contacts must be 0 to {MOST_PEOPLE}")
    return count


def _page_size(size: int | None) -> int | None:
    """At least one on a page, or no limit of its own."""
    if size is not None and (type(size) is not int or size < 1):
        raise ValueError("page_size must be a whole number from 1")
    return size


def _told(connection: Connection) -> Json:
    """What the control tells of a connection."""
    return {**connection.full(), "contacts": connection.account.book.count()}
