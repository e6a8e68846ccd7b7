"""Somebody may be forgotten: their address goes, and the one update that manual votes and rulings let through."""

from importlib import import_module

import crm.models.fields
from django.db import migrations

ERASED = "[erased]"
# What stays as it is, and the texts that may become `ERASED`, once.
KEPT = {
    "nominations_manualvote": (
        ("id", "season_id", "category_id", "nominee_id", "count", "by_id", "counterpart_id", "created_at"),
        ("reason", "staff_name"),
    ),
    "nominations_voteruling": (
        ("id", "action", "reason", "size", "undoes_id", "by_id", "at"),
        ("note", "about"),
    ),
}
before = import_module("nominations.migrations.0004_tallies")


def loosen(apps, schema_editor):
    for table, (kept, texts) in KEPT.items():
        message = before.TABLES[table]
        gone = " AND ".join(f"NEW.{name} IN (OLD.{name}, '{ERASED}')" for name in texts)
        changed = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in texts)
        if schema_editor.connection.vendor == "postgresql":
            same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in kept)
            schema_editor.execute(
                f"""
                CREATE OR REPLACE FUNCTION {table}_keep() RETURNS trigger AS $$
                BEGIN
                  IF TG_OP = 'UPDATE' AND {same} AND {gone} AND ({changed}) THEN RETURN NEW; END IF;
                  RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';
                END $$ LANGUAGE plpgsql;
                """
            )
            continue
        same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in kept)
        schema_editor.execute(f"DROP TRIGGER {table}_no_update;")
        schema_editor.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"WHEN NOT ({same} AND {gone} AND ({changed})) BEGIN SELECT RAISE(ABORT, '{message}'); END;"
        )


def tighten(apps, schema_editor):
    before.drop_triggers(apps, schema_editor)
    before.add_triggers(apps, schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('nominations', '0004_tallies'),
    ]

    operations = [
        migrations.AlterField(
            model_name='nominator',
            name='email',
            field=crm.models.fields.EmailField(max_length=254, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name='voter',
            name='email',
            field=crm.models.fields.EmailField(max_length=254, null=True, unique=True),
        ),
        migrations.RunPython(loosen, tighten),
    ]
