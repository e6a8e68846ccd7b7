"""The ledger is append-only in the database, and two views show what customer and business see of each other."""

from django.db import migrations

TABLE = "loyalty_pointstransaction"
MESSAGE = "the ledger is append-only"

CARDS = """
CREATE VIEW customer_loyalty_cards AS
SELECT card.id AS card_id, card.card_number, enrollment.customer_id, program.business_id,
       business.name AS business_name, program.id AS program_id, program.name AS program_name,
       card.points_balance, card.tier_level, card.last_activity_at
FROM loyalty_loyaltycard card
JOIN loyalty_enrollment enrollment ON enrollment.id = card.enrollment_id
JOIN loyalty_program program ON program.id = enrollment.program_id
JOIN crm_business business ON business.id = program.business_id
WHERE enrollment.status = 'active'
"""
CUSTOMERS = """
CREATE VIEW customer_business_view AS
SELECT program.business_id, enrollment.customer_id,
       TRIM(MIN(customer.first_name) || ' ' || MIN(customer.last_name)) AS name, MIN(customer.phone) AS phone,
       COUNT(*) AS programs, CAST(SUM(card.points_balance) AS bigint) AS points_balance,
       MAX(card.last_activity_at) AS last_activity_at
FROM loyalty_loyaltycard card
JOIN loyalty_enrollment enrollment ON enrollment.id = card.enrollment_id
JOIN loyalty_program program ON program.id = enrollment.program_id
JOIN loyalty_customer customer ON customer.id = enrollment.customer_id
WHERE enrollment.status = 'active'
GROUP BY program.business_id, enrollment.customer_id
"""


def add_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"""
            CREATE FUNCTION {TABLE}_keep() RETURNS trigger AS $$
            BEGIN
              RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
            END $$ LANGUAGE plpgsql;
            """
        )
        schema_editor.execute(
            f"CREATE TRIGGER {TABLE}_keep BEFORE UPDATE OR DELETE ON {TABLE} "
            f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_keep();"
        )
        return
    for change in ("update", "delete"):
        schema_editor.execute(
            f"CREATE TRIGGER {TABLE}_no_{change} BEFORE {change.upper()} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END;"
        )


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER {TABLE}_keep ON {TABLE};")
        schema_editor.execute(f"DROP FUNCTION {TABLE}_keep();")
        return
    for change in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER {TABLE}_no_{change};")


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]
    operations = [
        migrations.RunPython(add_triggers, drop_triggers),
        migrations.RunSQL(CARDS, "DROP VIEW customer_loyalty_cards"),
        migrations.RunSQL(CUSTOMERS, "DROP VIEW customer_business_view"),
    ]
