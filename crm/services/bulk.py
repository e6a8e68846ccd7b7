"""Many rows at once: COPY where the database has it. No signals are sent, and values are stored as they are given."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import JSONField, Model

ENCODE = DjangoJSONEncoder().encode


def insert_rows(model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows, given as the values of the named fields. Raises IntegrityError when one is refused."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = ", ".join(field.column for field in fields)
    table = model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for values in _with_json(fields, rows):
                    copy.write_row(values)
        else:
            marks = ", ".join(["%s"] * len(fields))
            values = [
                [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]
                for row in rows
            ]
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608


def _with_json(fields: list[Any], rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """PostgreSQL's driver knows all types but this one; asking each field takes longer than the COPY."""
    places = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]
    for row in rows:
        values = list(row)
        for place in places:
            values[place] = ENCODE(values[place])
        yield values
