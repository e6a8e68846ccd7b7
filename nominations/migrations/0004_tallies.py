"""Every vote so far is in a tally. Manual votes and rulings are append-only in the database."""

from django.db import migrations
from django.db.models import Count

TABLES = {
    "nominations_manualvote": "manual votes are append-only",
    "nominations_voteruling": "rulings on votes are append-only",
}


def count_votes(apps, schema_editor):
    vote, tally = (apps.get_model("nominations", name) for name in ("Vote", "Tally"))
    groups = vote.objects.filter(state="counted").order_by().values("season_id", "category_id", "nominee_id")
    rows = (tally(**group) for group in groups.annotate(votes=Count("id")))
    tally.objects.bulk_create(rows, batch_size=1000)


def add_triggers(apps, schema_editor):
    for table, message in TABLES.items():
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"""
                CREATE FUNCTION {table}_keep() RETURNS trigger AS $$
                BEGIN
                  RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';
                END $$ LANGUAGE plpgsql;
                """
            )
            schema_editor.execute(
                f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION {table}_keep();"
            )
            continue
        for change in ("UPDATE", "DELETE"):
            schema_editor.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END;"
            )


def drop_triggers(apps, schema_editor):
    for table in TABLES:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP TRIGGER {table}_keep ON {table};")
            schema_editor.execute(f"DROP FUNCTION {table}_keep();")
            continue
        for change in ("update", "delete"):
            schema_editor.execute(f"DROP TRIGGER {table}_no_{change};")


class Migration(migrations.Migration):
    dependencies = [("nominations", "0003_votes")]
    operations = [
        migrations.RunPython(count_votes, migrations.RunPython.noop),
        migrations.RunPython(add_triggers, drop_triggers),
    ]
