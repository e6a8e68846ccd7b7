"""Who logs in, and for which business."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q, QuerySet

from crm.models.fields import DEFAULT_REGION, EmailField, email_is_normal, normal_email


class UserManager(BaseUserManager["User"]):
    """Logins are addresses; there is no other user name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A login without rights."""
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A login with all rights."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        """The login of an address in any spelling."""
        return self.get(email=normal_email(username or ""))


class User(AbstractUser):
    """A person who logs in by address and password."""

    username = None  # type: ignore[assignment]
    # Null once the person is forgotten.
    email = EmailField("email address", unique=True, null=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [email_is_normal("user")]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def acts_for_all(self, permission: str = "") -> bool:
        """Whether this is staff who may do it in every business."""
        return self.is_staff and (not permission or self.has_perm(permission))


class BusinessQuerySet(QuerySet["Business"]):
    """Businesses, narrowed."""

    def visible_to(self, user: User, permission: str = "") -> "BusinessQuerySet":
        """All for staff with the permission, else those the user is a member of."""
        return self if user.acts_for_all(permission) else self.filter(memberships__user=user)


class Business(models.Model):
    """A tenant: everything that belongs to one business is seen by its members only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=100, unique=True)
    default_region = models.CharField(
        max_length=2, default=DEFAULT_REGION, help_text="Two letters: how a phone without a country code is read."
    )
    currency = models.CharField(max_length=3, default="GBP", help_text="Three letters, as GBP.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "businesses"
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(default_region__regex=r"^[A-Z]{2}$"), name="business_region_code"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="business_currency_code"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a user may do in a business."""

    class Role(models.TextChoices):
        """From least to most."""

        CASHIER = "cashier"
        MANAGER = "manager"
        OWNER = "owner"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["business__name", "user__email"]
        constraints = [
            models.UniqueConstraint(fields=["user", "business"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=["cashier", "manager", "owner"]), name="membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.business}"

    def reaches(self, role: str) -> bool:
        """Whether this role includes the other: an owner may do what a manager may."""
        return self.role in self.reaching(role)

    @classmethod
    def reaching(cls, role: str) -> list[str]:
        """The roles that include this one."""
        return cls.Role.values[cls.Role.values.index(role) :]
