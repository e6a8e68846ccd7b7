"""What a nominee says of their own page, by the link that was mailed to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from nominations.models.people import Nominee


class NomineeReply(models.Model):
    """A word from the nominee: all is right, this should read otherwise, or take it down.

    A confirmation is settled at once. The others are open until staff accept or dismiss them; only the last one of a
    nominee is. The texts are how they should read, also where unchanged; an `image` only a new one. `answer` is what
    staff say to it, which the nominee reads.
    """

    class Kind(models.TextChoices):
        """What is asked for."""

        CONFIRM = "confirm", "All is right"
        CORRECT = "correct", "Correction"
        TAKE_DOWN = "take_down", "Take it down"

    class State(models.TextChoices):
        """What became of it."""

        OPEN = "open"
        ACCEPTED = "accepted"
        DISMISSED = "dismissed"
        REPLACED = "replaced"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="replies")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    bio = models.TextField(max_length=2000, blank=True)
    achievements = models.TextField(max_length=2000, blank=True)
    image = models.ImageField(upload_to="nominees/", blank=True)
    note = models.TextField(max_length=1000, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "nominee's word"
        verbose_name_plural = "nominees' words"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["nominee"], condition=Q(state="open"), name="reply_one_open"),
            models.CheckConstraint(condition=Q(kind__in=["confirm", "correct", "take_down"]), name="reply_kind"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "accepted", "dismissed", "replaced"]), name="reply_state"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.nominee}"


class LinkMail(models.Model):
    """A nominee's own link on its way to the address they have when it is sent.

    `error` says why it is late, or failed.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="link_mails")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["nominee"], condition=Q(state="waiting"), name="link_mail_one_waiting"),
            models.CheckConstraint(condition=Q(state__in=["waiting", "sent", "failed"]), name="link_mail_state"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.nominee_id}"
