"""Lists cost the same for one row as for a hundred."""

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from nominations.models import Nomination
from tests import builders
from tests.bench.table import Row

LISTS = [
    "/api/nominations?page_size=100",
    "/admin/nominations/nomination/",
    "/admin/nominations/nominee/",
    "/admin/nominations/nominator/",
    "/admin/nominations/decisionlog/",
    "/admin/loops_sync/outboxentry/",
    "/admin/loops_sync/contact/",
]


def query_counts() -> list[Row]:
    """The queries of each list for a hundred rows ÷ those for one."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)
    client = Client(headers={"host": "localhost"})
    client.force_login(builders.superuser())
    builders.approved()
    for address in LISTS:  # content types and the like are looked up once a process
        client.get(address)
    one = [queries(client, address) for address in LISTS]
    while Nomination.objects.count() < 100:
        builders.approved()
    hundred = [queries(client, address) for address in LISTS]
    return [
        Row(f"queries for 100 rows ÷ for 1: {address}", many / few, 1.0, False, f"{many} and {few}")
        for address, many, few in zip(LISTS, hundred, one, strict=True)
    ]


def queries(client: Client, address: str) -> int:
    """How many one list makes."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return len(captured)
