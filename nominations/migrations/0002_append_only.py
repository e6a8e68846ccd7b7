"""The decision log is append-only in the database. The one update let through blanks a reason."""

from django.db import migrations

KEPT = (
    "id",
    "season_id",
    "seq",
    "nomination_id",
    "action",
    "from_state",
    "to_state",
    "reason_digest",
    "by_id",
    "at",
    "previous_hash",
    "row_hash",
)
TABLE = "nominations_decisionlog"
MESSAGE = "the decision log is append-only"


def add_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in KEPT)
        schema_editor.execute(
            f"""
            CREATE FUNCTION {TABLE}_keep() RETURNS trigger AS $$
            BEGIN
              IF TG_OP = 'UPDATE' AND NEW.reason = '' AND {same} THEN RETURN NEW; END IF;
              RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
            END $$ LANGUAGE plpgsql;
            """
        )
        schema_editor.execute(
            f"CREATE TRIGGER {TABLE}_keep BEFORE UPDATE OR DELETE ON {TABLE} "
            f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_keep();"
        )
        return
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in KEPT)
    schema_editor.execute(
        f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE ON {TABLE} "
        f"WHEN NOT (NEW.reason = '' AND {same}) BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END;"
    )
    schema_editor.execute(
        f"CREATE TRIGGER {TABLE}_no_delete BEFORE DELETE ON {TABLE} "
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END;"
    )


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER {TABLE}_keep ON {TABLE};")
        schema_editor.execute(f"DROP FUNCTION {TABLE}_keep();")
        return
    schema_editor.execute(f"DROP TRIGGER {TABLE}_no_update;")
    schema_editor.execute(f"DROP TRIGGER {TABLE}_no_delete;")


class Migration(migrations.Migration):
    dependencies = [("nominations", "0001_initial")]
    operations = [migrations.RunPython(add_triggers, drop_triggers)]
