"""Tables of the line to Loops."""

from loops_sync.models.drift import Drift, DriftQuerySet, RemoteCheck
from loops_sync.models.events import WebhookEvent
from loops_sync.models.incidents import Incident, IncidentQuerySet
from loops_sync.models.mails import MailQuerySet, TransactionalMail
from loops_sync.models.outbox import Contact, ContactQuerySet, OutboxEntry, OutboxQuerySet, SyncAttempt
from loops_sync.models.relay import Relay, SweepSeat
from loops_sync.models.setup import AccountSetup

__all__ = [
    "AccountSetup",
    "Contact",
    "ContactQuerySet",
    "Drift",
    "DriftQuerySet",
    "Incident",
    "IncidentQuerySet",
    "MailQuerySet",
    "OutboxEntry",
    "OutboxQuerySet",
    "Relay",
    "RemoteCheck",
    "SweepSeat",
    "SyncAttempt",
    "TransactionalMail",
    "WebhookEvent",
]
