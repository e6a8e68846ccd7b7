"""What the queue runs for the points programs."""

from typing import Any

from django_q.models import Schedule
from django_q.tasks import async_task

from loyalty import services
from loyalty.models import LedgerProof, SignInLink
from loyalty.services import signing_in


def settle_due() -> None:
    """Book what has lapsed or expired since the last minute."""
    services.settle_due()


def warn_of_expiry() -> None:
    """Tell who is about to lose points."""
    services.warn_of_expiry()


def queue_proof(proof_id: int) -> None:
    """Let a worker prove the ledger. Call it on commit."""
    async_task("loyalty.tasks.prove_ledger", proof_id)


def prove_ledger(proof_id: int) -> None:
    """Run one proof."""
    services.run_proof(LedgerProof.objects.get(pk=proof_id))


def prove_nightly() -> None:
    """A proof that nobody asked for."""
    prove_ledger(services.start_proof(by=None).pk)


def forget_old_uses() -> None:
    """Forget which codes were taken, once they have run out."""
    services.forget_old_uses()


def queue_link(link_id: Any) -> None:
    """Let a worker mail a link. Call it on commit."""
    async_task("loyalty.tasks.mail_link", link_id)


def mail_link(link_id: Any) -> None:
    """Mail one link, unless it is gone."""
    link = SignInLink.objects.filter(pk=link_id).first()
    if link is not None:
        signing_in.send_link(link)


def sweep_links() -> None:
    """Mail what a crash left behind, and forget what is old."""
    for link_id in signing_in.waiting_links():
        mail_link(link_id)
    signing_in.forget_old_links()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    Schedule.objects.update_or_create(
        name="Book expired points and lapsed holds",
        defaults={"func": "loyalty.tasks.settle_due", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
    Schedule.objects.update_or_create(
        name="Tell of points that expire soon",
        defaults={"func": "loyalty.tasks.warn_of_expiry", "schedule_type": Schedule.DAILY},
    )
    Schedule.objects.update_or_create(
        name="Prove the ledger", defaults={"func": "loyalty.tasks.prove_nightly", "schedule_type": Schedule.DAILY}
    )
    Schedule.objects.update_or_create(
        name="Forget the codes that were used",
        defaults={"func": "loyalty.tasks.forget_old_uses", "schedule_type": Schedule.HOURLY},
    )
    Schedule.objects.update_or_create(
        name="Mail waiting sign-in links",
        defaults={"func": "loyalty.tasks.sweep_links", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
