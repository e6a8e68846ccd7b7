"""The one place that speaks HTTP with Loops."""

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import requests
from django.conf import settings
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

Json = dict[str, Any]
LONGEST_PAUSE_SECONDS = 3600.0
_adapters: dict[int, HTTPAdapter] = {}


class LoopsError(Exception):
    """A request that Loops did not accept, or whose answer never came.

    `permanent`: repeating it cannot help. `retry_after`: the seconds Loops asked for. `status`: what it answered, None
    when nothing came, in which case it may or may not have been applied.
    """

    def __init__(
        self, message: str, *, permanent: bool, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message[:500])
        self.permanent = permanent
        self.retry_after = retry_after
        self.status = status

    @property
    def is_unauthorized(self) -> bool:
        """The key was refused: nobody's message will pass."""
        return self.status in (401, 403)

    @property
    def is_throttled(self) -> bool:
        """Too many requests of the whole team."""
        return self.status == 429

    @property
    def leaves_unknown(self) -> bool:
        """Whether the write may have been applied all the same."""
        return self.status is None or self.status >= 500


def upsert_contact(properties: Json) -> None:
    """Create or update the contact that matches `email` or `userId`; omitted keys stay, null empties one.

    `POST /contacts/create` is not used, because it answers 409 for whoever exists.
    https://loops.so/docs/api-reference/update-contact
    Loops answers 400, for good, when two contacts match, when `userId` is no string, or when a value is over 500
    characters with its quotes. Raises LoopsError.
    """
    _call("PUT", "contacts/update", body=properties)


def find_contact(email: str = "", *, user_id: str = "") -> Json | None:
    """The contact of an address, or else of a `userId`, custom properties inline, or None.

    Loops answers a missing one with an empty list.

    https://loops.so/docs/api-reference/find-contact Raises LoopsError.
    """
    found = _json(_call("GET", "contacts/find", query={"email": email} if email else {"userId": user_id}))
    return found[0] if isinstance(found, list) and found else None


def check_key() -> None:
    """Ask Loops whether it knows the key; touches no contact. https://loops.so/docs/api-reference/api-key

    Raises LoopsError.
    """
    _call("GET", "api-key")


def list_properties() -> dict[str, str]:
    """The account's custom properties, each with its type (`string`, `number`, `boolean` or `date`).

    https://loops.so/docs/api-reference/list-contact-properties Raises LoopsError.
    """
    rows = _rows(_call("GET", "contacts/properties", query={"list": "custom"}))
    return {str(row.get("key")): str(row.get("type")) for row in rows}


def create_property(name: str, kind: str) -> None:
    """Make a custom property, whose type is then for good. Not idempotent: 400 when there is one of that name.

    https://loops.so/docs/api-reference/create-contact-property
    Without it Loops takes a value of that name with a 200, and drops it. Raises LoopsError.
    """
    _call("POST", "contacts/properties", body={"name": name, "type": kind})


def list_lists() -> dict[str, str]:
    """The account's mailing lists: names by id. The API cannot make one.

    https://loops.so/docs/api-reference/list-mailing-lists Raises LoopsError.
    """
    return {str(row.get("id")): str(row.get("name")) for row in _rows(_call("GET", "lists"))}


def delete_contact(email: str) -> None:
    """Have Loops forget the contact; one that it does not know is done.

    https://loops.so/docs/api-reference/delete-contact Raises LoopsError.
    """
    try:
        _call("POST", "contacts/delete", body={"email": email})
    except LoopsError as error:
        if error.status != 404:
            raise


def send_transactional(email: str, template_id: str, variables: Json, *, idempotency_key: str) -> None:
    """Have Loops send a mail from a template; the person becomes no contact by it.

    https://loops.so/docs/api-reference/send-transactional-email
    The key is one mail's for ever: Loops remembers it for 24 hours, and its 409 says that the mail was sent, so that a
    lost answer may be asked for again. 404 when there is no such template, 400 when a variable that it uses is
    missing. Raises LoopsError.
    """
    body = {"email": email, "transactionalId": template_id, "dataVariables": variables}
    try:
        _call("POST", "transactional", body=body, headers={"Idempotency-Key": idempotency_key})
    except LoopsError as error:
        if error.status != 409:
            raise


def _adapter() -> HTTPAdapter:
    """One keep-alive connection pool for each process, also after a fork.

    The adapter is what a requests.Session sends with. Alone it neither follows redirects nor reads proxies, cookies or
    .netrc of the environment, none of which this client wants, and it takes little more than half the time.
    """
    pid = os.getpid()
    if pid not in _adapters:
        _adapters.clear()
        _adapters[pid] = HTTPAdapter()
    return _adapters[pid]


@lru_cache(maxsize=16)
def _blank(method: str, url: str, key: str) -> PreparedRequest:
    """A request without a body, made once: parsing the address takes as long as sending the rest."""
    request = PreparedRequest()
    request.prepare(method, url, headers={"Authorization": f"Bearer {key}", "Accept": "application/json"})
    return request


def _prepared(
    method: str, path: str, body: Json | None, query: dict[str, str] | None, headers: dict[str, str] | None
) -> PreparedRequest:
    url = f"{settings.LOOPS_BASE_URL.rstrip('/')}/{path}"
    request = _blank(method, url, settings.LOOPS_API_KEY).copy()
    if query is not None:
        request.prepare_url(url, query)
    request.prepare_body(None, None, json=body)
    request.headers.update(headers or {})
    return request


def _call(
    method: str,
    path: str,
    *,
    body: Json | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """One request, bounded in time, never redirected. The key stands in the header only and never in an error."""
    timeout = settings.LOOPS_TIMEOUT_SECONDS
    try:
        request = _prepared(method, path, body, query, headers)
        response = _adapter().send(request, timeout=(min(timeout, 5), timeout), verify=True)
        _ = response.content  # read to the end, or the connection is not kept
    except requests.Timeout as error:
        raise LoopsError("Loops did not answer in time.", permanent=False) from error
    except (requests.RequestException, ValueError) as error:
        raise LoopsError(f"Loops could not be reached ({type(error).__name__}).", permanent=False) from error
    if not 200 <= response.status_code < 300:
        raise _refusal(response)
    return response


def _refusal(response: Response) -> LoopsError:
    """The one error table, by status only: Loops has no error codes and rewords its messages."""
    status = response.status_code
    message = f"{status} {_message(response)}".strip()
    if status in (401, 403):
        return LoopsError(message, permanent=False, status=status)
    if status == 429:
        return LoopsError(message, permanent=False, retry_after=_retry_after(response), status=status)
    return LoopsError(message, permanent=400 <= status < 500, status=status)


def _json(response: Response) -> Any:
    """The body, or None: a load balancer in front of Loops answers in HTML."""
    try:
        return response.json()
    except ValueError:
        return None


def _rows(response: Response) -> list[Json]:
    """A list of objects. Raises LoopsError for any other body: an empty account and a broken answer are not one."""
    body = _json(response)
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise LoopsError("Loops did not answer with a list.", permanent=False, status=response.status_code)
    return body


def _message(response: Response) -> str:
    body = _json(response)
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error") or "")
    return ""


def _seconds_until(date: str) -> float:
    """HTTP allows a date as well."""
    return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()


def _retry_after(response: Response) -> float | None:
    """Seconds; Loops documents no Retry-After, so it is honoured when it is there and makes sense."""
    header = response.headers.get("Retry-After", "")
    try:
        seconds = float(header) if header[:1].isdigit() else _seconds_until(header)
    except (ValueError, TypeError):
        return None
    return min(seconds, LONGEST_PAUSE_SECONDS) if seconds >= 0 else None
