"""One person naming one nominee in one category."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from nominations.models.imports import ImportBatch
from nominations.models.people import Nominator, Nominee
from nominations.models.seasons import Category, Season


@dataclass(frozen=True)
class ContactChange:
    """What an approval would change of one contact outside: `(property, before, after)`."""

    role: str
    email: str
    is_new: bool
    changes: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Delivery:
    """How far the news of a nomination's last change has come to one contact, or a mail about it to one person.

    `last_error` is the reason when it `is_discarded`; `place` is where staff can retry it.
    """

    role: str
    email: str
    status: str
    attempts: int
    last_error: str
    synced_at: datetime | None
    is_discarded: bool = False
    place: str = "the outbox"


class NominationQuerySet(QuerySet["Nomination"]):
    """Nominations, narrowed."""

    def approved(self) -> "NominationQuerySet":
        """Those that make a nominee live."""
        return self.filter(state=Nomination.State.APPROVED)

    def waiting(self) -> "NominationQuerySet":
        """Those staff have to decide."""
        return self.filter(state=Nomination.State.SUBMITTED)

    def complete(self) -> "NominationQuerySet":
        """With everything a list shows, in one query."""
        return self.select_related("category", "nominator", "nominee", "season")


class Nomination(models.Model):
    """Somebody's word for somebody, until staff decide and after.

    `original_nominee` is whom it named before a merge; `import_key` is what a line of a file is known again by.
    """

    class State(models.TextChoices):
        """What staff have decided."""

        SUBMITTED = "submitted"
        APPROVED = "approved"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"
        DUPLICATE = "duplicate"

    class Source(models.TextChoices):
        """Where it came from."""

        PAGE = "page"
        API = "api"
        STAFF = "staff"
        IMPORT = "import"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="nominations")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="nominations")
    nominator = models.ForeignKey(Nominator, on_delete=models.PROTECT, related_name="nominations")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="nominations")
    original_nominee = models.ForeignKey(
        Nominee, on_delete=models.PROTECT, null=True, editable=False, related_name="nominations_before_merge"
    )
    why = models.TextField("why", max_length=1000, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SUBMITTED, editable=False)
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="duplicates", editable=False
    )
    admin_notes = models.TextField(blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, editable=False)
    batch = models.ForeignKey(
        ImportBatch, on_delete=models.SET_NULL, null=True, editable=False, related_name="nominations"
    )
    import_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = NominationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        permissions = [("decide_nomination", "Can approve, reject and reopen nominations")]
        indexes = [models.Index(fields=["season", "state", "-created_at"], name="nomination_by_state")]
        constraints = [
            # What a merge moved may stand beside what was there.
            models.UniqueConstraint(
                fields=["season", "category", "nominator", "nominee"],
                condition=Q(original_nominee__isnull=True),
                name="nomination_once_per_nominator",
            ),
            models.CheckConstraint(condition=~Q(original_nominee=F("nominee")), name="nomination_moved_elsewhere"),
            models.CheckConstraint(
                condition=Q(state__in=["submitted", "approved", "rejected", "withdrawn", "duplicate"]),
                name="nomination_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | Q(approved_at__isnull=False), name="nomination_approved_has_time"
            ),
            models.CheckConstraint(
                condition=Q(state="duplicate", duplicate_of__isnull=False)
                | (~Q(state="duplicate") & Q(duplicate_of__isnull=True)),
                name="nomination_duplicate_has_original",
            ),
            models.CheckConstraint(condition=~Q(duplicate_of=F("id")), name="nomination_not_its_own_duplicate"),
        ]

    def __str__(self) -> str:
        return f"{self.nominee} for {self.category}"

    @property
    def may_approve(self) -> bool:
        """Whether the state table allows an approval."""
        return self.state in (self.State.SUBMITTED, self.State.REJECTED)

    @property
    def may_reject(self) -> bool:
        """Whether the state table allows a rejection, a withdrawal or a mark as duplicate."""
        return self.state in (self.State.SUBMITTED, self.State.APPROVED)

    @property
    def may_reopen(self) -> bool:
        """Whether the decision can be taken back."""
        return self.state != self.State.SUBMITTED
