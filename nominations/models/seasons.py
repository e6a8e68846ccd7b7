"""When nominating and voting are open, and in which categories."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


def is_within(opens_at: datetime | None, closes_at: datetime | None, now: datetime | None = None) -> bool:
    """Open from the first moment until just before the second; without a first moment it is closed."""
    now = now or timezone.now()
    return opens_at is not None and opens_at <= now and (closes_at is None or now < closes_at)


class Season(models.Model):
    """One year of the programme. Exactly one is current."""

    class Totals(models.TextChoices):
        """What the public sees of the votes."""

        SHOWN = "shown"
        RANK_ONLY = "rank_only"
        HIDDEN = "hidden"

    class Verification(models.TextChoices):
        """What a vote waits for before it counts."""

        NONE = "none", "Nothing: a vote counts at once"
        EMAIL = "email", "The voter follows a link sent by email"

    name = models.CharField(max_length=100, unique=True)
    is_current = models.BooleanField(default=False)
    nominations_open_at = models.DateTimeField(null=True, blank=True)
    nominations_close_at = models.DateTimeField(null=True, blank=True)
    voting_open_at = models.DateTimeField(null=True, blank=True)
    voting_close_at = models.DateTimeField(null=True, blank=True)
    results_published_at = models.DateTimeField(null=True, blank=True)
    nominations_closed_message = models.CharField(max_length=300, default="Nominations are closed.")
    voting_closed_message = models.CharField(max_length=300, default="Voting is closed.")
    totals_visibility = models.CharField(max_length=10, choices=Totals.choices, default=Totals.SHOWN)
    vote_verification = models.CharField(max_length=10, choices=Verification.choices, default=Verification.NONE)

    class Meta:
        ordering = ["-is_current", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["is_current"], condition=Q(is_current=True), name="season_one_current"),
            models.CheckConstraint(
                condition=Q(nominations_close_at__isnull=True) | Q(nominations_close_at__gt=F("nominations_open_at")),
                name="season_nominations_in_order",
                violation_error_message="Nominations must close after they open.",
            ),
            models.CheckConstraint(
                condition=Q(voting_close_at__isnull=True) | Q(voting_close_at__gt=F("voting_open_at")),
                name="season_voting_in_order",
                violation_error_message="Voting must close after it opens.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises ValidationError, at their fields, for windows that make no sense together."""
        errors = {}
        for window in ("nominations", "voting"):
            opens_at, closes_at = getattr(self, f"{window}_open_at"), getattr(self, f"{window}_close_at")
            word = "nominations open" if window == "nominations" else "voting opens"
            if closes_at is not None and opens_at is None:
                errors[f"{window}_open_at"] = f"Say when {word}: without that it never does."
            elif closes_at is not None and closes_at <= opens_at:
                errors[f"{window}_close_at"] = f"This must be after {word}."
        if self.results_published_at is not None and self.voting_open_at is not None:
            if self.voting_close_at is None:
                errors["voting_close_at"] = "Say when voting closes: results are published after that."
            elif self.results_published_at < self.voting_close_at:
                errors["results_published_at"] = "Results can be published only once voting has closed."
        if errors:
            raise ValidationError(errors)

    @property
    def nominations_open(self) -> bool:
        """Whether a nomination may be submitted now."""
        return is_within(self.nominations_open_at, self.nominations_close_at)

    @property
    def voting_open(self) -> bool:
        """Whether a vote may be cast now."""
        return is_within(self.voting_open_at, self.voting_close_at)

    @property
    def results_published(self) -> bool:
        """Whether the results stand."""
        return is_within(self.results_published_at, None)

    @property
    def shows_totals(self) -> bool:
        """Whether the public sees how many votes somebody has."""
        return self.totals_visibility == self.Totals.SHOWN

    @property
    def shows_ranks(self) -> bool:
        """Whether the public sees who is ahead."""
        return self.totals_visibility != self.Totals.HIDDEN


class CategoryGroup(models.Model):
    """A heading that categories stand under."""

    name = models.CharField(max_length=100, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    """What one can be nominated and voted for."""

    class Kind(models.TextChoices):
        """Who can be nominated."""

        PERSON = "person"
        COMPANY = "company"

    slug = models.SlugField(max_length=100, unique=True)
    label = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    group = models.ForeignKey(CategoryGroup, on_delete=models.PROTECT, related_name="categories")
    region = models.CharField(max_length=100, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["group__position", "position", "label"]
        constraints = [models.CheckConstraint(condition=Q(kind__in=["person", "company"]), name="category_kind")]

    def __str__(self) -> str:
        return self.label
