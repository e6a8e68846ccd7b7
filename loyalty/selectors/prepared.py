"""Queries whose text and conversions are worked out once: the ORM composes them longer than a database runs them."""

from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

Row = TypeVar("Row", bound=Model)


class Prepared(Generic[Row]):
    """A query that returns rows of a model, with further columns beside each. The ORM's own conversions apply.

    The SQL begins after the model's columns: `", x.name FROM table"`; `alias` is the table's name in it.
    """

    def __init__(self, model: type[Row], alias: str, rest: str) -> None:
        self.model = model
        self.fields = model._meta.concrete_fields
        self.names = [field.attname for field in self.fields]
        columns = ", ".join(f"{alias}.{field.column}" for field in self.fields)
        self.sql = f"SELECT {columns} {rest}"

    def fetch(self, *params: Any, lock: bool = False) -> list[tuple[Row, tuple[Any, ...]]]:
        """Each row, and what stands beside it. With `lock` the rows are locked, where the database has row locks."""
        sql = self.sql + " FOR NO KEY UPDATE" if lock and connection.features.has_select_for_update else self.sql
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows = cursor.fetchall()
        return [self._read(list(row)) for row in rows]

    def _read(self, values: list[Any]) -> tuple[Row, tuple[Any, ...]]:
        for position, convert, expression in self._converters:
            values[position] = convert(values[position], expression, connection)
        own = len(self.names)
        return self.model.from_db(connection.alias, self.names, values[:own]), tuple(values[own:])

    @cached_property
    def _converters(self) -> list[tuple[int, Any, Any]]:
        compiler = self.model._base_manager.all().query.get_compiler(connection=connection)
        found = compiler.get_converters([field.get_col(self.model._meta.db_table) for field in self.fields])
        return [(place, convert, column) for place, (converts, column) in found.items() for convert in converts]
