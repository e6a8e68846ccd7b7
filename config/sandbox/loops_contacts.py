"""The contacts of the account: one per email, at most one per userId."""

import secrets
from itertools import islice
from typing import Any

from config.sandbox.loops_values import Identity, Refusal

Contact = dict[str, Any]
# What an emptied standard field reads as in `find`: these two are never null there (loops_api.md 3).
EMPTY_VALUES = {"userGroup": "", "source": ""}


class ContactStore:
    """Contacts as `find` answers them: standard fields, then custom keys inline. Emails are kept lower-cased."""

    def __init__(self) -> None:
        self._by_email: dict[str, Contact] = {}
        self._by_user_id: dict[str, Contact] = {}

    def __len__(self) -> int:
        return len(self._by_email)

    def by_email(self, email: str) -> Contact | None:
        return self._by_email.get(email.lower())

    def by_user_id(self, user_id: str) -> Contact | None:
        return self._by_user_id.get(user_id)

    def snapshots(self) -> list[Contact]:
        """Copies of all, the one written last at the end."""
        return [snapshot(contact) for contact in self._by_email.values()]

    def latest(self, count: int) -> list[Contact]:
        """Copies of the `count` written last, newest first."""
        return [snapshot(contact) for contact in islice(reversed(self._by_email.values()), count)]

    def upsert(self, identity: Identity, properties: Contact, lists: dict[str, bool]) -> Contact:
        """Write the one contact that either identifier names, or a new one.

        The identifier that did not match is overwritten. Refuses with 400 when the two name different contacts, and
        when a `userId` alone is unknown (loops_api.md 3, the traps).
        """
        contact = self._match(identity)
        if contact is None:
            if identity.email is None:
                raise Refusal(400, "An email is required to create a contact.")
            contact = _new_contact(identity.email)
        self._identify(contact, identity)
        contact.update({key: EMPTY_VALUES.get(key) if value is None else value for key, value in properties.items()})
        _change_lists(contact, lists)
        return contact

    def delete(self, contact: Contact) -> None:
        del self._by_email[contact["email"]]
        self._by_user_id.pop(contact["userId"], None)

    def _match(self, identity: Identity) -> Contact | None:
        by_email = self._by_email.get(identity.email) if identity.email else None
        by_user_id = self._by_user_id.get(identity.user_id) if identity.user_id else None
        if by_email and by_user_id and by_email is not by_user_id:
            raise Refusal(400, "Multiple contacts found for the given criteria")
        return by_email or by_user_id

    def _identify(self, contact: Contact, identity: Identity) -> None:
        self._by_email.pop(contact["email"], None)
        contact["email"] = identity.email or contact["email"]
        self._by_email[contact["email"]] = contact
        if identity.sets_user_id:
            self._by_user_id.pop(contact["userId"], None)
            contact["userId"] = identity.user_id
            if identity.user_id:
                self._by_user_id[identity.user_id] = contact


def snapshot(contact: Contact) -> Contact:
    """A copy that later writes do not reach; the lists are its only nested value."""
    return {**contact, "mailingLists": dict(contact["mailingLists"])}


def _new_contact(email: str) -> Contact:
    """Subscribed by default (loops_api.md 3)."""
    return {
        "id": "cl" + secrets.token_hex(12)[:23],
        "email": email,
        "firstName": None,
        "lastName": None,
        "source": "API",
        "subscribed": True,
        "userGroup": "",
        "userId": None,
        "mailingLists": {},
        "optInStatus": None,
    }


def _change_lists(contact: Contact, lists: dict[str, bool]) -> None:
    """Who left the audience cannot be added to a list (loops_api.md 4); the sandbox drops such a wish silently."""
    for list_id, wanted in lists.items():
        if not wanted:
            contact["mailingLists"].pop(list_id, None)
        elif contact["subscribed"]:
            contact["mailingLists"][list_id] = True
