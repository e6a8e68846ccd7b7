"""Clients made, changed, moved and deleted at random while the line breaks, and what Loops has to hold at the end."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from config.sandbox import RunningSandbox
from crm import services as crm
from crm.models import Business, Client
from loops_sync import services
from loops_sync.contacts import roles_of
from loops_sync.models import Contact, OutboxEntry, Relay
from loops_sync.selectors import people
from nominations.models import Nomination
from tests import builders

LATER = timedelta(hours=1)


class Storm:
    """A year of a few businesses, in which most addresses are somebody else's, too."""

    def __init__(self, loops: RunningSandbox, *, seed: int, clients: int) -> None:
        self.loops, self.random, self.wanted = loops, random.Random(seed), clients
        self.now = timezone.now()
        self.businesses: list[Business] = [builders.business(f"shop-{number}") for number in range(3)]
        self.emails = [f"p{number}@x.example" for number in range(clients)]
        self.nomination: Nomination = builders.approved()
        self.made = 0
        self.unsubscribed: set[str] = set()

    def run(self) -> None:
        """Raises AssertionError where Loops and the database differ."""
        while self.made < self.wanted:
            for _ in range(self.random.randrange(1, 20)):
                self.step()
            self.break_line()
            self.sweep(self.random.choice([1, 20, None]))
        self.loops.clear_faults()
        for _ in range(60):
            self.sweep(None)
            if not OutboxEntry.objects.exclude(status="done").exists():
                break
        self.check()

    def step(self) -> None:
        rows = list(Client.objects.order_by("created_at", "id"))
        chosen = self.random.choice(rows) if rows else None
        deed = self.random.choices(["make", "move", "change", "switch", "delete", "vote"], [30, 30, 10, 6, 16, 2])[0]
        if deed == "vote":
            number = self.random.randrange(len(self.emails))
            self.tried(lambda: builders.vote(self.nomination, email=self.emails[number]))
        elif deed == "make" or chosen is None:
            self.make()
        elif deed == "move":
            self.tried(lambda: crm.change_client(chosen, email=self.random.choice(self.emails)))
        elif deed == "change":
            crm.change_client(chosen, company=self.random.choice(["", "Acme", "Else"]))
        elif deed == "switch":
            crm.change_client(chosen, is_active=not chosen.is_active)
        else:
            crm.delete_client(chosen)

    def make(self) -> None:
        self.made += 1
        fields = {"first_name": "Cleo", "last_name": str(self.made), "email": self.random.choice(self.emails)}
        self.tried(lambda: crm.add_client(self.random.choice(self.businesses), **fields))

    def tried(self, deed: Any) -> None:
        """An address that is taken, a vote that was cast: said, and nothing done."""
        try:
            deed()
        except ValidationError as error:
            assert error.code in ("duplicate_email", "already_voted")  # noqa: PT017

    def break_line(self) -> None:
        self.loops.clear_faults()
        chance = self.random.choice([0.0, 0.15, 0.25])
        self.loops.set_fault("rate_limited", probability=chance / 2, retry_after=0)
        self.loops.set_fault("server_error", probability=chance)
        self.loops.set_fault("reset", probability=chance)
        self.loops.set_fault("reset_before", probability=chance / 2)
        self.loops.set_fault("slow", probability=chance / 4, seconds=0.02)

    def sweep(self, limit: int | None) -> None:
        """A while later, when some backoffs are over."""
        self.now += self.random.choice([timedelta(seconds=20), timedelta(minutes=2), LATER])
        with time_machine.travel(self.now, tick=True):
            services.probe_if_due(now=True)
            Relay.objects.update(outage_signs=0)
            services.drain(limit=limit)
        self.notice()

    def notice(self) -> None:
        """Nobody is there twice, and nobody came back."""
        rows = self.loops.contacts
        for key in ("email", "userId", "id"):
            assert max(Counter(row[key] for row in rows if row[key]).values(), default=0) <= 1
        away = {row["id"] for row in rows if not row["subscribed"]}
        assert away >= self.unsubscribed
        self.unsubscribed = away

    def check(self) -> None:
        """What is told is told; each contact is what the database says, and no client is at two."""
        assert not OutboxEntry.objects.exclude(status="done").exists()
        checks = services.verify(remote=True)
        assert [check for check in checks if check.state != "ok"] == []
        rows = {row["email"]: row for row in self.loops.contacts}
        active = {client.email for client in Client.objects.filter(is_active=True)}
        assert active <= rows.keys()
        for email, person in people(rows).items():
            contact = Contact.objects.get(email=email)
            owner = person.client
            assert rows[email]["userId"] == str(owner.pk if owner else contact.pk)
            if owner or not roles_of(person):
                assert rows[email]["lastName"] == (owner.last_name if owner else None)
            assert contact.borrowed_id == (owner.pk if owner else None)
