"""Lists cost the same for one row as for a hundred."""

from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from crm.models import Client
from loyalty import services
from loyalty.models import LedgerProof, LoyaltyCard
from nominations.models import Nomination
from tests import builders
from tests.bench.table import Row

LISTS = [
    "/api/nominations?page_size=100",
    "/admin/nominations/nomination/",
    "/admin/nominations/nominee/",
    "/admin/nominations/nominator/",
    "/admin/nominations/decisionlog/",
    "/admin/nominations/vote/",
    "/admin/nominations/season/",
    "/admin/nominations/result/",
    "/admin/nominations/analytics/",
    "/api/nominees?page_size=100",
    "/admin/loops_sync/outboxentry/",
    "/admin/loops_sync/contact/",
    "/api/loyalty/cards?business=corner-cafe&page_size=100",
    "/api/loyalty/programs?business=corner-cafe&page_size=100",
    "/api/admin/customers?business=corner-cafe&page_size=100",
    "/business/customers?business=corner-cafe",
    "/admin/loyalty/customers/live/?business=corner-cafe",
    "/api/clients?business=corner-cafe&page_size=100",
    "/admin/crm/client/",
    "/admin/loyalty/loyaltycard/",
    "/admin/loyalty/pointstransaction/",
    "/admin/loyalty/pointshold/",
    "/admin/loyalty/customer/",
    "/admin/loyalty/enrollment/",
    "/admin/loyalty/program/",
    "/admin/loyalty/ledgerproof/",
]


def query_counts() -> list[Row]:
    """The queries of each list for a hundred rows ÷ those for one."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)
    client = Browser(headers={"host": "localhost"})
    client.force_login(builders.superuser())
    builders.approved()
    card()
    builders.client()
    for address in LISTS:  # content types and the like are looked up once a process
        client.get(address)
    one = [queries(client, address) for address in LISTS]
    while Nomination.objects.count() < 100:
        builders.approved()
    while LoyaltyCard.objects.count() < 100:
        card()
    while Client.objects.count() < 100:
        builders.client()
    hundred = [queries(client, address) for address in LISTS]
    return [
        Row(f"queries for 100 rows ÷ for 1: {address}", many / few, 1.0, False, f"{many} and {few}")
        for address, many, few in zip(LISTS, hundred, one, strict=True)
    ]


def card() -> None:
    """A card in a program of its own, with a row of everything that hangs on it."""
    made = builders.card(10, of=builders.program(min_order=0))
    services.hold_points(made, points=5, by=builders.superuser())
    LedgerProof.objects.create(card=made, by=builders.superuser(), state=LedgerProof.State.BROKEN)


def queries(client: Browser, address: str) -> int:
    """How many one list makes."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return len(captured)
