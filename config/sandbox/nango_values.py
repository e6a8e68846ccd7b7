"""What Nango takes: strict bodies and queries, tags, names. Whatever it does not know is a 400."""

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from config.sandbox.wire import Response, json_response

Json = dict[str, Any]
MOST_TAGS, LONGEST_VALUE = 10, 255
KEY = re.compile(r"[a-zA-Z0-9~:.@ _-]{1,255}")
CONNECTION_ID = re.compile(r"""[a-zA-Z0-9,.;:=+~\[\]|@${}"'\\/_ -]{1,255}""")
TAG = re.compile(r"[a-z][a-z0-9_./-]{0,63}")
EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+")
TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


class NangoRefusal(Exception):
    """Nango says no: a status, a code, and perhaps words, what was wrong with the input, and more (reference 1.5)."""

    def __init__(self, status: int, code: str, message: str = "", **more: object) -> None:
        """In the shape that all errors of Nango have."""
        super().__init__(code)
        error = {"code": code, **({"message": message} if message else {}), **more}
        self.response: Response = json_response(status, {"error": error})


def invalid(part: str, *errors: Json) -> NangoRefusal:
    """A 400 that lists what is wrong with the `body`, the `query_params`, the `headers` or the `uri_params`."""
    return NangoRefusal(400, f"invalid_{part}", errors=list(errors))


def issue(code: str, message: str, *path: str) -> Json:
    """One thing that is wrong, and where."""
    return {"code": code, "message": message, "path": list(path)}


def wrong_type(wanted: str, value: object, *path: str) -> Json:
    """The most frequent one."""
    found = "undefined" if value is None else TYPES.get(type(value), "null")
    return issue("invalid_type", f"Invalid input: expected {wanted}, received {found}", *path)


def check_known(given: Iterable[str], known: Collection[str], part: str) -> None:
    """Refuse keys that are not known."""
    unknown = [key for key in given if key not in known]
    if unknown:
        names = ", ".join(f'"{key}"' for key in unknown)
        word = "key" if len(unknown) == 1 else "keys"
        raise invalid(part, issue("unrecognized_keys", f"Unrecognized {word}: {names}"))


def read_tags(given: object) -> dict[str, str]:
    """Tags with their names in lower case (reference 1.2)."""
    if not isinstance(given, dict):
        raise invalid("body", wrong_type("record", given, "tags"))
    if len(given) > MOST_TAGS:
        raise invalid("body", issue("custom", f"Too many tags, at most {MOST_TAGS}", "tags"))
    wrong = [problem for key, value in given.items() if (problem := _tag_issue(key, value))]
    if wrong:
        raise invalid("body", *wrong)
    return {key.lower(): value for key, value in given.items()}


def _tag_issue(key: str, value: object) -> Json | None:
    """What is wrong with one tag."""
    if not TAG.fullmatch(key.lower()):
        return issue("invalid_key", "Invalid key in record", "tags", key)
    if not isinstance(value, str):
        return wrong_type("string", value, "tags", key)
    if not 1 <= len(value) <= LONGEST_VALUE:
        return issue("too_small" if not value else "too_big", "Too small or too big", "tags", key)
    if key.lower() == "end_user_email" and not EMAIL.fullmatch(value):
        return issue("invalid_format", "Invalid email address", "tags", key)
    return None


def read_end_user(given: object) -> dict[str, str]:
    """The deprecated `end_user` as the tags it becomes."""
    if not isinstance(given, dict):
        raise invalid("body", wrong_type("object", given, "end_user"))
    check_known(given, ("id", "email", "display_name", "tags"), "body")
    if not isinstance(given.get("id"), str) or not given["id"]:
        raise invalid("body", wrong_type("string", given.get("id"), "end_user", "id"))
    parts = {"end_user_id": given["id"], "end_user_email": given.get("email")}
    parts["end_user_display_name"] = given.get("display_name")
    return read_tags({key: value for key, value in parts.items() if value is not None})


def read_webhook_url(given: object) -> str | None:
    """An address that Nango could reach: none on this machine or in a private network."""
    if given is None:
        return None
    host = urlsplit(given).hostname if isinstance(given, str) and given.startswith(("https://", "http://")) else None
    if not host or _is_private(host):
        raise invalid("body", issue("custom", "URL is not allowed", "webhook_url_override"))
    return str(given)


def _is_private(host: str) -> bool:
    """Whether only this machine or its neighbours could answer there; Nango itself is refused as well."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", "nango.dev")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def read_key(query: Mapping[str, str]) -> str:
    """The id of an integration, in a query."""
    given = query.get("provider_config_key")
    if given is None or not KEY.fullmatch(given):
        raise invalid("query_params", wrong_type("string", given, "provider_config_key"))
    return given


def read_count(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within bounds, in a query."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not least <= int(text) <= most:
        raise invalid("query_params", issue("invalid_type", f"Invalid input: expected {least} to {most}", name))
    return int(text)
