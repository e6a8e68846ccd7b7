"""What the points programs know of a person, and how it is forgotten: the ledger stays, without them."""

from typing import Any

from django.db import transaction
from django.db.models import F, Func, JSONField, Q, QuerySet
from django.utils import timezone

from crm.models import User
from crm.services.erasing import FIRST, LAST, Holding, Subject, mentioning
from loyalty.models import (
    Customer,
    CustomerInteraction,
    Enrollment,
    LoyaltyCard,
    PointsHold,
    PointsTransaction,
    QrKey,
    SignInLink,
)
from notifications import services as notifications
from notifications.models import Notification


def people(subject: Subject) -> list[QuerySet[Any]]:
    """The rows here that are the person: by address, phone or login."""
    return [customer_rows(subject)]


def customer_rows(subject: Subject) -> QuerySet[Customer]:
    """Them as a customer."""
    return Customer.objects.filter(subject.known_by() | Q(user__in=subject.users))


def holdings(subject: Subject) -> list[Holding]:
    """The customer, their places in programs, what was written at their cards, their codes and notifications."""
    customers = customer_rows(subject)
    cards = LoyaltyCard.objects.filter(enrollment__customer__in=customers)
    told = notifications.told_of(set(customers.values_list("pk", flat=True)), subject.names)
    return [
        Holding(told, "Deleted; a question stays, without its words", _forget_notifications),
        Holding(_rows_with_texts(cards, subject), "Booked as it is, without reason and reference", _blank_texts),
        Holding(PointsHold.objects.filter(card__in=cards).exclude(reason=""), "Without the reason", _blank_reasons),
        Holding(CustomerInteraction.objects.filter(customer__in=customers), "Without details", _blank_details),
        Holding(QrKey.objects.filter(customer__in=customers), "Deleted: their codes are void", _delete),
        Holding(SignInLink.objects.filter(subject.known_by() | Q(email__in=subject.emails)), "Deleted", _delete),
        Holding(Enrollment.objects.filter(customer__in=customers), "Ended, points stay on the books", _end),
        Holding(cards, "Stays on the books", _keep),
        Holding(customers, "Stays as “Erased person”", _empty_customers),
    ]


def _rows_with_texts(cards: QuerySet[LoyaltyCard], subject: Subject) -> QuerySet[PointsTransaction]:
    """Rows of their cards at which somebody wrote something, and others whose texts name them."""
    texts = ["operation_details", "transaction_reference", "idempotency_key"]
    naming = mentioning(PointsTransaction.objects.all(), texts, subject.identifiers)
    written = Q(operation_details__reason__gt="") | Q(transaction_reference__gt="") | Q(idempotency_key__gt="")
    own = PointsTransaction.objects.filter(written, card__in=cards)
    return PointsTransaction.objects.filter(Q(pk__in=own.values("pk")) | Q(pk__in=naming.values("pk")))


class WithoutReason(Func):
    """The details as they are, the reason blank if there is one: in the database, which compares them so."""

    output_field = JSONField()
    template = "json_replace(%(expressions)s, '$.reason', '')"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL's word for it."""
        template = "jsonb_set(%(expressions)s, '{reason}', '\"\"', false)"
        return self.as_sql(compiler, connection, template=template, **context)


def _blank_texts(rows: QuerySet[Any], by: User) -> None:
    """The one update that the ledger lets through."""
    rows.update(
        operation_details=WithoutReason(F("operation_details")), transaction_reference=None, idempotency_key=None
    )


def _blank_reasons(rows: QuerySet[Any], by: User) -> None:
    rows.update(reason="")


def _blank_details(rows: QuerySet[Any], by: User) -> None:
    rows.update(data={})


def _delete(rows: QuerySet[Any], by: User) -> None:
    rows.delete()


def _end(rows: QuerySet[Any], by: User) -> None:
    rows.update(status=Enrollment.Status.LEFT, updated_at=timezone.now())


def _keep(rows: QuerySet[Any], by: User) -> None:
    """A number that says nothing of anybody."""


def _empty_customers(rows: QuerySet[Any], by: User) -> None:
    rows.update(
        phone=None, phone_raw="", email="", first_name=FIRST, last_name=LAST, user=None, updated_at=timezone.now()
    )


def _forget_notifications(rows: QuerySet[Notification], by: User) -> None:
    with transaction.atomic():
        notifications.forget(rows)
