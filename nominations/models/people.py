"""Who nominates, who is nominated, who votes."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from crm.models import EmailField, PhoneField, email_is_normal, phone_is_e164


class Person(models.Model):
    """What is known of somebody who nominates or votes. The address is who they are; null once they are forgotten."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = EmailField(unique=True, null=True)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    linkedin_url = models.URLField(max_length=300, blank=True)
    company = models.CharField(max_length=255, blank=True)
    job_title = models.CharField(max_length=150, blank=True)
    phone = PhoneField(blank=True)
    phone_raw = models.CharField(max_length=50, blank=True, editable=False)
    country = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        ordering = ["last_name", "first_name", "email"]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email or ""


class Nominator(Person):
    """Somebody who has nominated. One row, without an address, stands for the organisers themselves."""

    is_organisers = models.BooleanField(default=False, editable=False)

    class Meta(Person.Meta):
        constraints = [
            email_is_normal("nominator"),
            phone_is_e164("nominator"),
            models.UniqueConstraint(
                fields=["is_organisers"], condition=Q(is_organisers=True), name="nominator_one_organisers"
            ),
        ]


class Voter(Person):
    """Somebody who has voted. `verified_at`: when they last followed a link sent to their address."""

    verified_at = models.DateTimeField(null=True, editable=False)

    class Meta(Person.Meta):
        constraints = [email_is_normal("voter"), phone_is_e164("voter")]


class NomineeQuerySet(QuerySet["Nominee"]):
    """Nominees, narrowed."""

    def live(self) -> "NomineeQuerySet":
        """Those the public sees."""
        return self.filter(state=Nominee.State.LIVE)

    def known(self) -> "NomineeQuerySet":
        """Those that somebody's nomination still stands for."""
        return self.exclude(state=Nominee.State.MERGED).filter(nominations__isnull=False).distinct()


class Nominee(models.Model):
    """A person or company that was nominated. Its slug, once given, is its address for ever.

    `picture_url` is where an import says that a picture is; nothing is fetched from there by itself.
    """

    class Kind(models.TextChoices):
        """What is nominated."""

        PERSON = "person"
        COMPANY = "company"

    class State(models.TextChoices):
        """Whether the public sees it."""

        DRAFT = "draft"
        LIVE = "live"
        SUSPENDED = "suspended"
        MERGED = "merged"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, editable=False)
    slug = models.SlugField(max_length=200, unique=True, null=True, blank=True, editable=False)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    job_title = models.CharField(max_length=150, blank=True)
    company = models.CharField(max_length=255, blank=True)
    company_name = models.CharField(max_length=255, blank=True)
    website = models.URLField(max_length=300, blank=True)
    industry = models.CharField(max_length=150, blank=True)
    company_size = models.CharField(max_length=50, blank=True)
    email = EmailField(blank=True)
    phone = PhoneField(blank=True)
    phone_raw = models.CharField(max_length=50, blank=True, editable=False)
    linkedin_url = models.URLField(max_length=300, blank=True)
    country = models.CharField(max_length=100, blank=True)
    bio = models.TextField(max_length=2000, blank=True)
    achievements = models.TextField(max_length=2000, blank=True)
    image = models.ImageField(upload_to="nominees/", blank=True)
    picture_url = models.URLField(max_length=500, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, editable=False, related_name="merged_here"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = NomineeQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            email_is_normal("nominee"),
            phone_is_e164("nominee"),
            models.UniqueConstraint(
                fields=["kind", "email"], condition=~Q(email="") & ~Q(state="merged"), name="nominee_email_once"
            ),
            models.UniqueConstraint(
                fields=["kind", "linkedin_url"],
                condition=~Q(linkedin_url="") & ~Q(state="merged"),
                name="nominee_linkedin_once",
            ),
            models.CheckConstraint(
                condition=(Q(kind="person") & ~Q(first_name="") & ~Q(last_name=""))
                | (Q(kind="company") & ~Q(company_name="")),
                name="nominee_has_name",
                violation_error_message="A person needs a first and last name, a company its name.",
            ),
            models.CheckConstraint(condition=~Q(state="live") | Q(slug__isnull=False), name="nominee_live_has_slug"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "live", "suspended", "merged"]), name="nominee_state"
            ),
            models.CheckConstraint(
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
                name="nominee_merged_has_survivor",
            ),
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="nominee_not_merged_into_itself"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """As the public reads it."""
        if self.kind == self.Kind.COMPANY:
            return self.company_name
        return f"{self.first_name} {self.last_name}"

    @property
    def live_url(self) -> str:
        """The public address, or "" before the first approval. The one place that builds it."""
        return live_url_of(self.slug) if self.slug else ""

    def blanks_filled_by(self, draft: "Nominee") -> dict[str, str]:
        """What another nomination says of the same nominee, where nothing is known yet."""
        names = ("job_title", "company", "website", "industry", "company_size", "country", "bio", "achievements")
        return {name: getattr(draft, name) for name in names if getattr(draft, name) and not getattr(self, name)}

    @property
    def initials(self) -> str:
        """Up to two letters, for the place of a missing picture."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()


def live_url_of(slug: str) -> str:
    """The public address of a slug, also of one that is only proposed."""
    return f"{settings.PUBLIC_BASE_URL}{reverse('nominee', args=[slug])}"
