"""The HTTP front door, as a caller from outside uses it."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.test.client import ClientHandler
from knox.models import get_token_model

from crm.models import User

# Building the middleware takes longer than most requests.
_handler = ClientHandler(enforce_csrf_checks=False)


def caller() -> Client:
    """Somebody new, who gets a bug told as a 500 as the public would."""
    client = Client(raise_request_exception=False)
    client.handler = _handler
    return client


def bearer(user: User) -> dict[str, str]:
    """The header of a fresh token."""
    return {"Authorization": f"Bearer {get_token_model().objects.create(user=user)[1]}"}


def send(
    method: str,
    path: str,
    body: Any = None,
    *,
    by: User | None = None,
    client: Client | None = None,
    content_type: str = "application/json",
    address: str = "127.0.0.1",
    **headers: str,
) -> HttpResponse:
    """One request: `body` is JSON unless it is bytes; `idempotency_key="a"` is the header Idempotency-Key."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | (bearer(by) if by else {})
    caller_or_new: Any = client or caller()
    response: HttpResponse = caller_or_new.generic(method, path, data, content_type, headers=sent, REMOTE_ADDR=address)
    return response


def get(path: str, **kwargs: Any) -> HttpResponse:
    """GET."""
    return send("GET", path, **kwargs)


def post(path: str, body: Any = None, **kwargs: Any) -> HttpResponse:
    """POST of JSON."""
    return send("POST", path, body, **kwargs)


def said(response: HttpResponse) -> tuple[int, Any]:
    """Status and body."""
    return response.status_code, json.loads(response.content) if response.content else None


def refusal(response: HttpResponse) -> tuple[int, str]:
    """Status and code of an answer in the API's error shape, and of no other."""
    assert response["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert sorted(body) == ["code", "detail"]
    assert isinstance(body["detail"], str)
    assert body["detail"]
    return response.status_code, body["code"]
