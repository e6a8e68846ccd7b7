"""Somebody may be forgotten: their phone goes, and the one update that the ledger lets through takes texts away.

With it the reason is blank, and reference and key are none; nothing else of a row can change, and no row can go.
"""

from importlib import import_module

import crm.models.fields
from django.db import migrations

KEPT = (
    "id",
    "business_id",
    "card_id",
    "seq",
    "operation_type",
    "points_delta",
    "points_amount",
    "balance_after",
    "owed_after",
    "staff_member_id",
    "reverses_id",
    "fingerprint",
    "created_at",
)
FORGOTTEN = ("transaction_reference", "idempotency_key")
before = import_module("loyalty.migrations.0002_append_only")
TABLE, MESSAGE = before.TABLE, before.MESSAGE


def loosen(apps, schema_editor):
    gone = " AND ".join(f"NEW.{name} IS NULL" for name in FORGOTTEN)
    had = " OR ".join(f"OLD.{name} IS NOT NULL" for name in FORGOTTEN)
    if schema_editor.connection.vendor == "postgresql":
        same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in KEPT)
        blank = "jsonb_set(OLD.operation_details, '{reason}', '\"\"', false)"
        schema_editor.execute(
            f"""
            CREATE OR REPLACE FUNCTION {TABLE}_keep() RETURNS trigger AS $$
            BEGIN
              IF TG_OP = 'UPDATE' AND {same} AND {gone} AND NEW.operation_details = {blank}
                 AND ({had} OR NEW.operation_details <> OLD.operation_details) THEN RETURN NEW; END IF;
              RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
            END $$ LANGUAGE plpgsql;
            """
        )
        return
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)
    new, old = "json(NEW.operation_details)", "json(OLD.operation_details)"
    blank = f"{new} = json_replace(OLD.operation_details, '$.reason', '')"
    schema_editor.execute(f"DROP TRIGGER {TABLE}_no_update;")
    schema_editor.execute(
        f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} "
        f"WHEN NOT coalesce({same} AND {gone} AND {blank} AND ({had} OR {new} <> {old}), 0) "
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END;"
    )


def tighten(apps, schema_editor):
    before.drop_triggers(apps, schema_editor)
    before.add_triggers(apps, schema_editor)


DROP_VIEWS = ["DROP VIEW customer_business_view", "DROP VIEW customer_loyalty_cards"]
MAKE_VIEWS = [before.CARDS, before.CUSTOMERS]


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_keys_of_customers")]
    operations = [
        # SQLite makes a table anew to change a column, which a view upon it forbids.
        migrations.RunSQL(DROP_VIEWS, MAKE_VIEWS),
        migrations.AlterField(
            model_name="customer",
            name="phone",
            field=crm.models.fields.PhoneField(max_length=16, null=True, unique=True),
        ),
        migrations.RunSQL(MAKE_VIEWS, DROP_VIEWS),
        migrations.RunPython(loosen, tighten),
    ]
