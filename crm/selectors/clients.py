"""Clients as one looks for them, with how far the news of them is outside."""

from typing import Any

from django.db.models import CharField, DateTimeField, QuerySet, Value

from crm import signals
from crm.models import Business, Client, ClientDelivery, User
from crm.selectors.leads import matching

ORDERINGS = ("first_name", "last_name", "email", "company", "created_at", "updated_at")
SEARCHED = ("first_name", "last_name", "email", "company")
LOOPS_STATUSES = ("pending", "synced", "failed", "disabled")


def clients_of(
    business: Business, *, q: str = "", company: str = "", country: str = "", ordering: str = "", **equal: Any
) -> QuerySet[Client]:
    """The business's clients that match all that is given, by last name unless asked for a known order.

    `company` and `country` in whatever case; `equal`: further columns, `loops_status` among them.
    """
    clients = with_delivery(Client.objects.filter(business=business)).filter(**equal)
    if company:
        clients = clients.filter(company__iexact=company)
    if country:
        clients = clients.filter(country__iexact=country)
    if q:
        clients = search_clients(clients, q, business.default_region)
    column = ordering.removeprefix("-")
    order = (ordering,) if column in ORDERINGS else ("last_name", "first_name")
    return clients.order_by(*order, "id")


def search_clients(clients: QuerySet[Client], text: str, region: str) -> QuerySet[Client]:
    """By words of the names, the address and the company, and by a phone in any spelling."""
    return clients.filter(matching(text, region, SEARCHED))


def with_delivery(clients: QuerySet[Client]) -> QuerySet[Client]:
    """Each with `loops_status` and `loops_synced_at`, as whoever tells Loops says; nobody does: `disabled`."""
    told: dict[str, Any] = {
        "loops_status": Value("disabled", output_field=CharField()),
        "loops_synced_at": Value(None, output_field=DateTimeField(null=True)),
    }
    answers: Any = signals.clients_told.send(Client)
    for _receiver, expressions in answers:
        told |= expressions
    return clients.annotate(**told)


def delivery_of(client: Client, *, by: User) -> ClientDelivery | None:
    """What was told of the client, as far as this user may see it; None when nobody tells."""
    answers: Any = signals.client_told.send(Client, client=client, by=by)
    return next((answer for _receiver, answer in answers), None)
