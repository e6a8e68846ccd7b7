"""How a business's line to its CRM stands, and what its runs did."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from crm.models import Business, Connection, SyncOutcome, SyncRun

Bucket = SyncOutcome.Bucket
# What one wants to see before it happens: first what goes, last what comes.
CHANGING = [Bucket.REMOVED, Bucket.UPDATED, Bucket.CREATED]


@dataclass(frozen=True)
class Status:
    """A business's line to its CRM."""

    connection: Connection | None
    run: SyncRun | None

    @property
    def is_connected(self) -> bool:
        """Whether a connection is active."""
        return self.connection is not None


def status_of(business: Business) -> Status:
    """The active connection and its newest run."""
    connection = Connection.objects.active().filter(business=business).first()
    return Status(connection, connection.runs.first() if connection else None)


def active_connection(business: Business) -> Connection:
    """The one that syncs. Raises ValidationError `not_connected`."""
    connection = Connection.objects.active().filter(business=business).first()
    if connection is None:
        raise ValidationError("No CRM is connected.", code="not_connected")
    return connection


def outcomes_of(run: SyncRun, bucket: str = "") -> QuerySet[SyncOutcome]:
    """What became of each contact, in the order in which they came; of one bucket, if it is named."""
    outcomes = run.outcomes.order_by("id")
    return outcomes.filter(bucket=bucket) if bucket else outcomes


def examples_of(run: SyncRun, limit: int = 50) -> list[SyncOutcome]:
    """Contacts that the run changes, or as a preview would change: as many of each kind as there is room for."""
    ranked = run.outcomes.filter(bucket__in=CHANGING).annotate(
        place=Window(RowNumber(), partition_by=[F("bucket")], order_by=[F("id").asc()])
    )
    chosen = ranked.filter(place__lte=limit).order_by("place", "id")[:limit]
    return sorted(chosen, key=lambda outcome: (CHANGING.index(Bucket(outcome.bucket)), outcome.pk))
