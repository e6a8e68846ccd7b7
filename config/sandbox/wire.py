"""HTTP/1.1 as bytes: one request read, one response written in a single send.

`http.server` parses headers with the email package and writes them line by line; a benchmark of the outbox would then
measure the sandbox. Only what an HTTP client library sends is understood; everything else is refused, never guessed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any

MAX_BODY_BYTES = 1_000_000
MAX_LINE_BYTES = 65_536
MAX_HEADERS = 100
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request as it came: header names lower-case, path and query still percent-encoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hangup:
    """The connection ends without an answer: with a TCP reset, or by closing it."""

    reset: bool


class WireError(Exception):
    """What came is no request that can be answered; the connection is closed after saying so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = json_response(status, {"success": False, "message": message})


def json_response(status: int, payload: object, headers: Mapping[str, str] | None = None) -> Response:
    # ASCII escapes: a lone surrogate that a caller sent is valid JSON but cannot be encoded as UTF-8.
    return Response(status, json.dumps(payload).encode("ascii"), headers=dict(headers or {}))


def encode_response(response: Response, *, keep_alive: bool, head_only: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
    ]
    if not keep_alive:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head if head_only else head + response.body


def read_request(stream: BufferedIOBase, reply: BufferedIOBase) -> Request | None:
    """The next request of a connection, or None when the client has closed it. Raises WireError on a malformed one."""
    line = _read_line(stream)
    if line == b"\r\n":  # RFC 9112 2.2: one empty line before a request is ignored
        line = _read_line(stream)
    if not line:
        return None
    method, target, version = _split_request_line(line)
    headers = _read_headers(stream)
    length = _body_length(headers)
    if headers.get("expect", "").lower() == "100-continue":
        reply.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = stream.read(length) if length else b""
    if len(body) < length:
        return None
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body, _keeps_alive(version, headers))


def parse_json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, or None when it is anything else (too deep, not UTF-8, NaN, a list)."""
    try:
        payload = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise WireError(431, "Line too long")
    return line


def _split_request_line(line: bytes) -> tuple[str, str, str]:
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[0].isalpha() or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise WireError(400, "Not an HTTP/1.1 request")
    return words[0], words[1], words[2]


def _read_headers(stream: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS + 1):
        line = _read_line(stream)
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise WireError(400, "Malformed header")
        headers[name.strip().lower()] = value.strip()
    raise WireError(431, "Too many headers")


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise WireError(411, "Content-Length required")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise WireError(400, "Malformed Content-Length")
    if len(text) > 10 or int(text) > MAX_BODY_BYTES:
        raise WireError(413, "Body too large")
    return int(text)


def _keeps_alive(version: str, headers: Mapping[str, str]) -> bool:
    connection = headers.get("connection", "").lower()
    return connection == "keep-alive" if version == "HTTP/1.0" else connection != "close"
