"""The Loops API: its endpoints, as https://loops.so/docs/api-reference and loops_api.md describe them."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from config.sandbox.loops_contacts import Contact, ContactStore
from config.sandbox.loops_values import (
    NO_PROPERTIES,
    STANDARD_TYPES,
    Refusal,
    check_email,
    check_lengths,
    check_scalar,
    read_identity,
    read_mailing_lists,
    settable_properties,
)
from config.sandbox.loops_webhooks import ACTIONS, event_of
from config.sandbox.wire import Response, json_response

BASE_PATH = "/api/v1"
DEFAULT_TEMPLATES = ("sandbox_template",)
KEPT_MAILS = 10_000
IDEMPOTENCY_SECONDS = 24 * 3600
MAX_IDEMPOTENCY_KEY = 100
PROPERTY_TYPES = ("string", "number", "boolean", "date")
DEFAULT_PROPERTIES = {"email": "string", "userId": "string", "notes": "string", "createdAt": "date", **STANDARD_TYPES}
# Not creatable (loops_api.md 4), and the two keys of a contact that are no properties.
RESERVED = frozenset({"id", "listId", "softDeleteAt", "teamId", "updatedAt", "optInStatus"}) | NO_PROPERTIES
LAUREL_STRINGS = (
    "linkedin company jobTitle phone country nomineeName nomineeLiveUrl nomineeType category nominationId liveUrl "
    "companyName website industry companySize votedFor voteCategory"
).split()
LAUREL_PROPERTIES = {**dict.fromkeys(LAUREL_STRINGS, "string"), "approvalDate": "date", "lastVoteDate": "date"}
MAILING_LISTS = {
    "list_nominees": "Nominees",
    "list_nominators_live": "Nominators live",
    "list_nominators": "Nominators",
    "list_voters": "Voters",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request of the API, its path without the base. `body` is None when it was no JSON object."""

    method: str
    path: str
    query: Mapping[str, str]
    body: dict[str, Any] | None
    idempotency_key: str = ""

    @property
    def payload(self) -> dict[str, Any]:
        if self.body is None:
            raise Refusal(400, "The body must be a JSON object.")
        return self.body


class Loops:
    """One Loops account. Not thread safe: the sandbox holds its lock around `answer`."""

    def __init__(self, *, bare: bool, templates: Iterable[str]) -> None:
        self.contacts = ContactStore()
        self.custom_types: dict[str, str] = {} if bare else dict(LAUREL_PROPERTIES)
        self.counters: Counter[str] = Counter(events=0, transactional=0)
        self.mails: deque[dict[str, Any]] = deque(maxlen=KEPT_MAILS)
        self._templates = frozenset(templates)
        self._used_keys: dict[str, float] = {}

    def answer(self, call: Call) -> Response:
        methods = ROUTES.get(call.path)
        if methods is None:
            return _failure(404, "Not found.")
        endpoint = methods.get(call.method)
        if endpoint is None:  # "405 wrong method, no body schema" (loops_api.md 3)
            return Response(405, headers={"Allow": ", ".join(methods)})
        try:
            return json_response(200, endpoint(self, call))
        except Refusal as refusal:
            return _failure(refusal.status, refusal.message)

    def api_key(self, _: Call) -> object:
        return {"success": True, "teamName": "Laurel sandbox"}

    def create_contact(self, call: Call) -> object:
        """409 when the email or the userId exists: this is not the upsert."""
        body = call.payload
        identity = read_identity(body)
        email = check_email(body.get("email"))
        if self.contacts.by_email(email) or (identity.user_id and self.contacts.by_user_id(identity.user_id)):
            raise Refusal(409, "A contact with this email or userId already exists.")
        return {"success": True, "id": self._upsert(body)["id"]}

    def update_contact(self, call: Call) -> object:
        """The upsert; created and updated answer alike."""
        return {"success": True, "id": self._upsert(call.payload)["id"]}

    def find_contact(self, call: Call) -> object:
        """A missing contact is an empty list, not a 404."""
        contact = self._one_by(call.query)
        return [contact] if contact else []

    def delete_contact(self, call: Call) -> object:
        contact = self._one_by(call.payload)
        if contact is None:
            raise Refusal(404, "Contact not found.")
        self.contacts.delete(contact)
        return {"success": True, "message": "Contact deleted."}

    def list_properties(self, call: Call) -> object:
        wanted = call.query.get("list", "all")
        if wanted not in ("all", "custom"):
            raise Refusal(400, "list must be all or custom.")
        shown = self.custom_types if wanted == "custom" else {**DEFAULT_PROPERTIES, **self.custom_types}
        return [{"key": key, "label": _label(key), "type": kind} for key, kind in shown.items()]

    def create_property(self, call: Call) -> object:
        """Not idempotent: an existing name is a 400."""
        name, kind = call.payload.get("name"), call.payload.get("type")
        check_lengths(call.payload)
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][A-Za-z0-9]*", name):
            raise Refusal(400, "name must be in camelCase.")
        if kind not in PROPERTY_TYPES:
            raise Refusal(400, f"type must be one of {', '.join(PROPERTY_TYPES)}.")
        if name in DEFAULT_PROPERTIES or name in self.custom_types:
            raise Refusal(400, "Property already exists.")
        if name in RESERVED:
            raise Refusal(400, f"{name} is a reserved name.")
        self.custom_types[name] = kind
        return {"success": True}

    def list_lists(self, _: Call) -> object:
        return [{"id": i, "name": name, "description": None, "isPublic": True} for i, name in MAILING_LISTS.items()]

    def send_event(self, call: Call) -> object:
        """Creates or updates the contact, then counts the event."""
        body = call.payload
        self._check_unused(call.idempotency_key)
        name, values = body.get("eventName"), body.get("eventProperties", {})
        if not isinstance(name, str) or not name:
            raise Refusal(400, "eventName is required.")
        if not isinstance(values, dict):
            raise Refusal(400, "eventProperties must be an object.")
        check_lengths(values)
        for key, value in values.items():
            check_scalar(key, value)
        self._upsert(body)
        return self._sent("events", call.idempotency_key)

    def send_transactional(self, call: Call) -> object:
        body = call.payload
        self._check_unused(call.idempotency_key)
        email = check_email(body.get("email"))
        template = body.get("transactionalId")
        if not isinstance(template, str) or not template:
            raise Refusal(400, "transactionalId is required.")
        if template not in self._templates:
            raise Refusal(404, "Transactional email not found.")
        if not isinstance(body.get("dataVariables", {}), dict):
            raise Refusal(400, "dataVariables must be an object.")
        variables = body.get("dataVariables", {})
        check_lengths(variables)
        if body.get("addToAudience") is True:
            self._upsert({"email": email})
        sent = {"email": email, "transactionalId": template, "dataVariables": variables, "key": call.idempotency_key}
        self.mails.append(sent)
        return self._sent("transactional", call.idempotency_key)

    def act(self, email: str, action: str) -> list[dict[str, Any]]:
        """What a person does to a contact, in a mail or in the audience: the events to send. Raises KeyError."""
        names, contact = ACTIONS[action], self.contacts.by_email(email)
        if contact is None:
            raise KeyError(email)
        if action == "delete":
            self.contacts.delete(contact)
        else:
            contact["subscribed"] = action == "resubscribe"
        return [event_of(name, contact) for name in names]

    def _upsert(self, body: dict[str, Any]) -> Contact:
        # All checks before the first change: a refused call leaves nothing behind.
        check_lengths(body)
        identity = read_identity(body)
        properties = settable_properties(body, self.custom_types)
        return self.contacts.upsert(identity, properties, read_mailing_lists(body, MAILING_LISTS))

    def _one_by(self, given: Mapping[str, Any]) -> Contact | None:
        """Exactly one of email and userId; "both, or an empty second one, is invalid" (loops_api.md 3)."""
        identifiers = [(key, given[key]) for key in ("email", "userId") if key in given]
        if len(identifiers) != 1 or not isinstance(identifiers[0][1], str) or not identifiers[0][1]:
            raise Refusal(400, "Exactly one of email and userId is required.")
        key, value = identifiers[0]
        return self.contacts.by_email(value) if key == "email" else self.contacts.by_user_id(value)

    def _check_unused(self, key: str) -> None:
        """A reused key is a 409 that means success: the first answer is not replayed (loops_api.md 4)."""
        if len(key) > MAX_IDEMPOTENCY_KEY:
            raise Refusal(400, f"The idempotency key is longer than {MAX_IDEMPOTENCY_KEY} characters.")
        used_at = self._used_keys.get(key)
        if used_at is not None and time.monotonic() - used_at < IDEMPOTENCY_SECONDS:
            raise Refusal(409, f"Request with idempotency key {key} has already been processed.")

    def _sent(self, what: str, key: str) -> object:
        if key:
            self._used_keys[key] = time.monotonic()
        self.counters[what] += 1
        return {"success": True}


def _failure(status: int, message: str) -> Response:
    return json_response(status, {"success": False, "message": message})


def _label(key: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])([A-Z])", r" \1", key)
    return words[:1].upper() + words[1:]


ROUTES: dict[str, dict[str, Callable[[Loops, Call], object]]] = {
    "/api-key": {"GET": Loops.api_key},
    "/contacts/create": {"POST": Loops.create_contact},
    "/contacts/update": {"PUT": Loops.update_contact},
    "/contacts/find": {"GET": Loops.find_contact},
    "/contacts/delete": {"POST": Loops.delete_contact},
    "/contacts/properties": {"GET": Loops.list_properties, "POST": Loops.create_property},
    "/lists": {"GET": Loops.list_lists},
    "/events/send": {"POST": Loops.send_event},
    "/transactional": {"POST": Loops.send_transactional},
}
