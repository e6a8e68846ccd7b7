"""Whoever was a customer before there were codes gets the keys of theirs."""

import secrets

from django.db import migrations

BATCH = 1000


def add_keys(apps, schema_editor):
    customers = apps.get_model("loyalty", "Customer").objects.using(schema_editor.connection.alias)
    keys = apps.get_model("loyalty", "QrKey").objects.using(schema_editor.connection.alias)
    made = []
    for customer in customers.values_list("pk", flat=True).iterator():
        for kind in ("rotating", "printed"):
            key = keys.model(
                customer_id=customer, kind=kind, handle=secrets.token_hex(7), secret=secrets.token_hex(32)
            )
            made.append(key)
        if len(made) >= BATCH:
            keys.bulk_create(made, ignore_conflicts=True)
            made = []
    keys.bulk_create(made, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0003_codes")]
    operations = [migrations.RunPython(add_keys, migrations.RunPython.noop)]
