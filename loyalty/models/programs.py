"""A business's points programs and their rules."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import Business
from loyalty.models import rules

MOST_TIERS = 20
MOST_MULTIPLIER = Decimal(100)


def default_tiers() -> list[dict[str, Any]]:
    """Five levels by lifetime points."""
    levels = {"bronze": 0, "silver": 500, "gold": 1500, "platinum": 3000, "diamond": 5000}
    return [{"level": level, "from_points": points, "multiplier": "1"} for level, points in levels.items()]


def check_tiers(tiers: Any) -> None:
    """Raises ValidationError unless the tiers begin at 0, rise, and are named once each."""
    if not isinstance(tiers, list) or not 1 <= len(tiers) <= MOST_TIERS:
        raise ValidationError(f"Give 1 to {MOST_TIERS} tiers.")
    for tier in tiers:
        _check_tier(tier)
    if tiers[0]["from_points"] != 0:
        raise ValidationError("The first tier begins at 0 points.")
    starts = [tier["from_points"] for tier in tiers]
    if sorted(set(starts)) != starts:
        raise ValidationError("Each tier begins at more points than the one before.")
    if len({tier["level"].lower() for tier in tiers}) != len(tiers):
        raise ValidationError("Two tiers have the same name.")


def _check_tier(tier: Any) -> None:
    if not isinstance(tier, Mapping) or set(tier) != {"level", "from_points", "multiplier"}:
        raise ValidationError("A tier has a level, from_points and a multiplier.")
    if not isinstance(tier["level"], str) or not 1 <= len(tier["level"].strip()) <= len(tier["level"]) <= 30:
        raise ValidationError("A level is a name of at most 30 characters.")
    points = tier["from_points"]
    if type(points) is not int or not 0 <= points <= rules.MOST_POINTS:
        raise ValidationError("from_points is a whole number, 0 or more.")
    try:
        multiplier = Decimal(str(tier["multiplier"]))
        fits = 0 <= multiplier <= MOST_MULTIPLIER and multiplier == round(multiplier, 4)
    except ArithmeticError as error:
        raise ValidationError("A multiplier is a number.") from error
    if not fits:
        raise ValidationError(f"A multiplier is 0 to {MOST_MULTIPLIER}, with at most four decimals.")


class ProgramQuerySet(QuerySet["Program"]):
    """Programs, narrowed."""

    def active(self) -> "ProgramQuerySet":
        """Those that are switched on."""
        return self.filter(is_active=True)


def _whole(default: int, help_text: str, **kwargs: Any) -> Any:
    return models.PositiveIntegerField(
        default=default, help_text=help_text, validators=[MaxValueValidator(rules.MOST_POINTS)], **kwargs
    )


class Program(models.Model):
    """How points of a business are earned and spent. Every setting takes zero as zero; an empty limit is none."""

    class EarnRule(models.TextChoices):
        """What earns points."""

        PER_AMOUNT = "per_amount", "For each unit of money spent"
        PER_VISIT = "per_visit", "For each visit, whatever is spent"
        FIXED = "fixed", "For each order, the same"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="programs")
    name = models.CharField(max_length=100)
    is_active = models.BooleanField("active", default=True, help_text="Off: nothing is earned or redeemed.")
    is_default = models.BooleanField(
        "default", default=False, help_text="The program meant where a till gives only a phone. One for each business."
    )
    earn_rule = models.CharField(max_length=10, choices=EarnRule.choices, default=EarnRule.PER_AMOUNT)
    points_per_unit = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        default=Decimal(1),
        validators=[MinValueValidator(0)],
        help_text="Points for each unit of money, for each visit or for each order.",
    )
    min_order = models.DecimalField(
        "minimum order",
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text="An order below this earns nothing.",
    )
    welcome_points = _whole(0, "Given once, when somebody joins.")
    expiry_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(36_500)],
        help_text="Points expire so many days after they were earned. Empty: never.",
    )
    redemption_minimum = _whole(1, "The fewest points to redeem at once.")
    redemption_increment = _whole(1, "Redeemed points are a multiple of this.")
    point_value = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        default=Decimal("0.01"),
        validators=[MinValueValidator(0)],
        help_text="What one point is worth in money.",
    )
    max_redeem_percent = models.PositiveSmallIntegerField(
        "largest share of an order", default=100, validators=[MaxValueValidator(100)], help_text="In percent."
    )
    scan_points = _whole(10, "Given for a scan of the customer's code.")
    scan_cooldown_minutes = _whole(60, "A scan earns again after so many minutes.")
    deduction_needs_approval = models.BooleanField(
        "ask before deducting",
        default=True,
        help_text="The business only holds what it wants to take away, and the customer is asked.",
    )
    max_points_per_transaction = _whole(10_000, "More at once is refused. Empty: no limit.", null=True, blank=True)
    max_points_per_day = _whole(
        50_000, "More for one card in a day (UTC) is refused. Empty: no limit.", null=True, blank=True
    )
    tiers = models.JSONField(default=default_tiers, validators=[check_tiers])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProgramQuerySet.as_manager()

    class Meta:
        ordering = ["business__name", "-is_default", "name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["business", "name"],
                name="program_name_once",
                violation_error_message="The business has a program of this name.",
            ),
            models.UniqueConstraint(
                fields=["business"], condition=Q(is_default=True), name="program_one_default_per_business"
            ),
            models.CheckConstraint(
                condition=Q(earn_rule__in=["per_amount", "per_visit", "fixed"]), name="program_earn_rule"
            ),
            models.CheckConstraint(
                condition=Q(points_per_unit__gte=0, min_order__gte=0, point_value__gte=0), name="program_not_negative"
            ),
            models.CheckConstraint(condition=Q(max_redeem_percent__lte=100), name="program_redeem_percent"),
            models.CheckConstraint(
                condition=Q(expiry_days__isnull=True) | Q(expiry_days__gte=1), name="program_expiry_days"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ladder(self) -> list[rules.Tier]:
        """The tiers, lowest first."""
        return rules.read_tiers(self.tiers)


class RewardTier(models.Model):
    """A round sum that a program suggests: so many points for this."""

    program = models.ForeignKey(Program, on_delete=models.CASCADE, related_name="rewards")
    points_required = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(rules.MOST_POINTS)]
    )
    reward = models.CharField(max_length=200)

    class Meta:
        ordering = ["points_required", "id"]
        constraints = [
            models.UniqueConstraint(fields=["program", "points_required", "reward"], name="reward_once"),
            models.CheckConstraint(condition=Q(points_required__gte=1), name="reward_costs_points"),
        ]

    def __str__(self) -> str:
        return f"{self.points_required:,}: {self.reward}"
