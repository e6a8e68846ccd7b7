"""What the queue runs for the points programs."""

from django_q.models import Schedule
from django_q.tasks import async_task

from loyalty import services
from loyalty.models import LedgerProof


def settle_due() -> None:
    """Book what has lapsed or expired since the last minute."""
    services.settle_due()


def queue_proof(proof_id: int) -> None:
    """Let a worker prove the ledger. Call it on commit."""
    async_task("loyalty.tasks.prove_ledger", proof_id)


def prove_ledger(proof_id: int) -> None:
    """Run one proof."""
    services.run_proof(LedgerProof.objects.get(pk=proof_id))


def prove_nightly() -> None:
    """A proof that nobody asked for."""
    prove_ledger(services.start_proof(by=None).pk)


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    Schedule.objects.update_or_create(
        name="Book expired points and lapsed holds",
        defaults={"func": "loyalty.tasks.settle_due", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
    Schedule.objects.update_or_create(
        name="Prove the ledger", defaults={"func": "loyalty.tasks.prove_nightly", "schedule_type": Schedule.DAILY}
    )
