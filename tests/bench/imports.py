"""A CRM's contacts into leads, against the least that could be done with them."""

import gc
import resource
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4

import psycopg
from django.db import connection

from crm import providers, services
from crm.models import Business, Connection, SyncRun, normal_phone
from crm.providers import Ask, FetchedContact
from crm.providers.contract import Json
from tests.bench.table import Row

CONTACTS, PAGE = 100_000, 200
ROUNDS = 3
COLUMNS = "id business_id crm_source crm_account_id crm_id name first_name last_name phone phone_raw email company"
COLUMNS += " crm_owner crm_owner_email crm_status crm_stage crm_description opted_out lead_type status edited_fields"
COLUMNS += " last_message contacted created_at updated_at"
NAMES = COLUMNS.split()
COMPARED = NAMES[5:18]


def contacts() -> Iterator[FetchedContact]:
    """Made as they are read, so that they take no memory."""
    for number in range(CONTACTS):
        yield FetchedContact(
            crm_id=str(number),
            first_name="Siobhán",
            last_name=f"O'Neill {number}",
            name=f"Siobhán O'Neill {number}",
            phone=f"07{400_000_000 + number}",
            email=f"siobhan.{number}@example.org",
            company=f"Company {number % 500}",
            owner=f"Owner {number % 20}",
            owner_email=f"owner{number % 20}@example.com",
            status="OPEN",
            stage="lead",
            description="Met at the fair, wants to hear from us in spring.",
        )


class Pages:
    """A CRM without a network."""

    source = "hubspot"

    def account_id(self, config: Json) -> str:
        """One account."""
        return "1"

    def pages(self, ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
        """All of them, each time."""
        page: list[FetchedContact] = []
        for contact in contacts():
            page.append(contact)
            if len(page) == PAGE:
                yield page
                page = []

    def deleted(self, ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
        """Nothing."""
        return iter(())

    def ids(self, ask: Ask, config: Json) -> Iterator[list[str]]:
        """Not asked for."""
        return iter(())


def against_copy() -> list[Row]:
    """Phone normalisation, then COPY and INSERT … ON CONFLICT ÷ the import, first and unchanged, in turns."""
    known, providers.PROVIDERS["hubspot"] = providers.PROVIDERS["hubspot"], Pages()
    try:
        first, again = [], []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        line = new_connection()
        ours = imported(line)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        for _ in range(ROUNDS):
            tenant = new_connection().business
            first.append(copied(tenant) / ours)
            again.append(copied(tenant) / imported(line))
            line = new_connection()
            ours = imported(line)
        note = f"{CONTACTS:,} contacts, medians of {ROUNDS}"
        return [
            Row("CRM import, first: COPY and upsert ÷ ours", statistics.median(first), 0.5, True, note),
            Row("CRM import, unchanged: COPY and upsert ÷ ours", statistics.median(again), 0.5, True, note),
            Row("CRM import: MiB above start", grown, 200, False),
        ]
    finally:
        providers.PROVIDERS["hubspot"] = known


def new_connection() -> Connection:
    """Of a business of its own. The first run that it would start by itself is taken back."""
    tenant = Business.objects.create(name="Bench", slug=f"bench-{uuid4().hex[:12]}")
    return Connection.objects.create(
        business=tenant,
        provider="hubspot",
        nango_connection_id=uuid4().hex,
        provider_config_key="hubspot",
        crm_account_id=uuid4().hex,
    )


def imported(line: Connection) -> float:
    """Seconds of one run over all contacts."""
    SyncRun.objects.filter(connection=line, status="queued").delete()
    line.refresh_from_db()
    run = services.start_run(line)
    gc.collect()
    started = time.perf_counter()
    run = services.execute_run(run)
    took = time.perf_counter() - started
    assert (run.status, run.fetched, run.skipped) == ("done", CONTACTS, 0), run.results
    return took


def copied(tenant: Business) -> float:
    """Seconds of the least: normalise, COPY into a table of its own, insert or update what differs."""
    options = {**connection.get_connection_params()}
    with (
        psycopg.connect(
            host=options["host"], user=options["user"], dbname=options["dbname"], autocommit=False
        ) as line,
        line.cursor() as cursor,
    ):
        started = time.perf_counter()
        cursor.execute("CREATE TEMP TABLE incoming (LIKE leads INCLUDING DEFAULTS) ON COMMIT DROP")
        now = datetime.now().astimezone()
        with cursor.copy(f"COPY incoming ({', '.join(NAMES)}) FROM STDIN") as copy:
            for contact in contacts():
                phone = normal_phone(contact.phone, "GB", must_be_valid=True)
                copy.write_row(
                    (
                        uuid4(), tenant.pk, "hubspot", "1", contact.crm_id, contact.name, contact.first_name,
                        contact.last_name, phone, contact.phone, contact.email, contact.company, contact.owner,
                        contact.owner_email, contact.status, contact.stage, contact.description, False, "new",
                        "pending", "[]", "", False, now, now,
                    )
                )  # fmt: skip
        sets = ", ".join(f"{name} = excluded.{name}" for name in COMPARED)
        old, new = (", ".join(f"{table}.{name}" for name in COMPARED) for table in ("leads", "excluded"))
        cursor.execute(
            f"INSERT INTO leads ({', '.join(NAMES)}) SELECT {', '.join(NAMES)} FROM incoming "
            "ON CONFLICT (business_id, crm_source, crm_account_id, crm_id) "
            f"DO UPDATE SET {sets} WHERE ({old}) IS DISTINCT FROM ({new})"
        )
        line.commit()
        return time.perf_counter() - started
