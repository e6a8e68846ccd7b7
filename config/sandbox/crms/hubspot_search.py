"""The filters and the order of a HubSpot search."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from config.sandbox.crms import times
from config.sandbox.crms.call import CrmError, whole

if TYPE_CHECKING:
    from config.sandbox.crms.hubspot import HubSpot

MODIFIED = "lastmodifieddate"
MOMENTS = (MODIFIED, "createdate", "notes_last_updated")
Test = Callable[[Any, Any], bool]
OPERATORS: dict[str, Test] = {
    "EQ": lambda value, wanted: value == wanted,
    "NEQ": lambda value, wanted: value != wanted,
    "LT": lambda value, wanted: value is not None and value < wanted,
    "LTE": lambda value, wanted: value is not None and value <= wanted,
    "GT": lambda value, wanted: value is not None and value > wanted,
    "GTE": lambda value, wanted: value is not None and value >= wanted,
    "BETWEEN": lambda value, wanted: value is not None and wanted[0] <= value <= wanted[1],
    "IN": lambda value, wanted: value in wanted,
    "NOT_IN": lambda value, wanted: value not in wanted,
    "HAS_PROPERTY": lambda value, _: value is not None,
    "NOT_HAS_PROPERTY": lambda value, _: value is None,
    "CONTAINS_TOKEN": lambda value, wanted: value is not None and wanted.strip("*") in value,
}
Filter = tuple[str, str, Any]


def matching(portal: "HubSpot", body: dict[str, Any]) -> list[int]:
    """The positions a search finds, in its order. Raises CrmError on what HubSpot would not understand."""
    groups = [_filters(group) for group in _list_of(body, "filterGroups")]
    order = portal.book.by_change("contact", since=_since(groups))
    if groups and not all(_is_lower_bound(group) for group in groups):
        order = [at for at in order if any(all(_passes(portal, at, test) for test in group) for group in groups)]
    sorts = _list_of(body, "sorts")
    name, descending = _sort(sorts[0]) if sorts else ("hs_object_id", False)
    if name == MODIFIED:
        return order[::-1] if descending else order
    return sorted(order, key=lambda at: _sortable(_value(portal, at, name)), reverse=descending)


def refusal(message: str) -> CrmError:
    """A 400 of HubSpot, which names no field."""
    about = {"correlationId": "0" * 8, "category": "VALIDATION_ERROR"}
    return CrmError(400, {"status": "error", "message": message, **about})


def _list_of(body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, empty when it was left out."""
    given = body.get(key) or []
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise refusal(f"Invalid input JSON: {key} must be a list of objects")
    return given


def _filters(group: dict[str, Any]) -> list[Filter]:
    """One group: all of its filters must hold."""
    return [_filter(entry) for entry in _list_of(group, "filters")]


def _filter(entry: dict[str, Any]) -> Filter:
    """Property, operator and what to compare with."""
    name, operator = entry.get("propertyName"), entry.get("operator")
    if not isinstance(name, str) or not name or operator not in OPERATORS:
        raise refusal("Invalid input JSON: a filter needs a propertyName and a known operator")
    if operator in ("IN", "NOT_IN"):
        wanted: Any = [_comparable(name, value) for value in entry.get("values") or []]
    elif operator == "BETWEEN":
        wanted = (_comparable(name, entry.get("value")), _comparable(name, entry.get("highValue")))
    else:
        wanted = None if "HAS_PROPERTY" in operator else _comparable(name, entry.get("value"))
    if operator == "CONTAINS_TOKEN" and not isinstance(wanted, str):
        raise refusal(f"{name} holds no words")
    return name, operator, wanted


def _comparable(name: str, value: object) -> Any:
    """A moment as milliseconds, an id as a number, a text without its case."""
    if name in MOMENTS:
        moment = times.parse_moment(value)
        if moment is None:
            raise refusal(f"{value!r} is no time for {name}")
        return moment
    if name != "hs_object_id":
        return str(value).lower()
    number = whole(str(value))
    if number is None:
        raise refusal(f"{value!r} is no id")
    return number


def _value(portal: "HubSpot", at: int, name: str) -> Any:
    """The value of a property in comparable form, without making the person where that is not needed."""
    if name == MODIFIED:
        return portal.book.updated(at)
    if name == "hs_object_id":
        return int(portal.person_id(at))
    value = portal.properties(portal.book.person(at)).get(name)
    return None if value is None else _comparable(name, value)


def _sortable(value: Any) -> tuple[bool, Any]:
    """Nothing comes last."""
    return value is None, value


def _passes(portal: "HubSpot", at: int, test: Filter) -> bool:
    """Whether one filter holds."""
    name, operator, wanted = test
    return OPERATORS[operator](_value(portal, at, name), wanted)


def _sort(entry: dict[str, Any]) -> tuple[str, bool]:
    """Property and whether it descends."""
    name, direction = entry.get("propertyName"), entry.get("direction", "ASCENDING")
    if not isinstance(name, str) or direction not in ("ASCENDING", "DESCENDING"):
        raise refusal("Invalid input JSON: a sort needs a propertyName and ASCENDING or DESCENDING")
    return name, direction == "DESCENDING"


def _is_lower_bound(group: list[Filter]) -> bool:
    """Only changes since: what the order of change answers by itself."""
    return len(group) == 1 and group[0][:2] == (MODIFIED, "GTE")


def _since(groups: list[list[Filter]]) -> int | None:
    """The earliest change that any group could want, when all of them say one."""
    bounds = [[test[2] for test in group if test[:2] == (MODIFIED, "GTE")] for group in groups]
    return min(max(bound) for bound in bounds) if bounds and all(bounds) else None
