"""What nominees say of their own pages."""

from django.db.models import Count, QuerySet

from nominations.models import LinkMail, Nomination, Nominee, NomineeReply


def last_word(nominee: Nominee) -> NomineeReply | None:
    """The newest reply."""
    return nominee.replies.order_by("-created_at", "id").first()


def last_link_mail(nominee: Nominee) -> LinkMail | None:
    """The newest mail with their link."""
    return nominee.link_mails.order_by("-created_at", "-id").first()


def standing_of(nominee: Nominee) -> QuerySet[Nomination]:
    """What would have to be withdrawn for their page to go and not come back."""
    states = [Nomination.State.SUBMITTED, Nomination.State.APPROVED]
    return nominee.nominations.complete().filter(state__in=states).order_by("created_at", "id")


def reply_counts() -> dict[str, int]:
    """How many replies are in each state."""
    counts = dict.fromkeys(NomineeReply.State.values, 0)
    counts.update(NomineeReply.objects.order_by().values_list("state").annotate(Count("id")))
    return counts
