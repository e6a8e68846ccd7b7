"""The sockets of the sandbox: a thread per connection, keep-alive, and a clean stop."""

import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from config.sandbox.control import answer_local
from config.sandbox.loops import BASE_PATH, DEFAULT_TEMPLATES
from config.sandbox.nango_service import BASE_PATH as NANGO_PATH
from config.sandbox.nango_views import CONNECT_PATH
from config.sandbox.sandbox import Sandbox
from config.sandbox.wire import Hangup, Request, Response, WireError, encode_response, read_request

DRAIN_BYTES = 32_000_000
DRAIN_SECONDS = 1.0
POLL_SECONDS = 0.01  # how long a stop may wait for the accepting thread; a test suite starts hundreds of sandboxes
LINGER_ZERO = struct.pack("ii", 1, 0)


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True
    server: "Server"

    def handle(self) -> None:
        try:
            while self._serve_one():
                pass
        except OSError:  # the client left in the middle of a request or an answer: nobody to tell
            return

    def _serve_one(self) -> bool:
        try:
            request = read_request(self.rfile, self.wfile)
        except WireError as error:
            self._refuse(error.response)
            return False
        if request is None:
            return False
        answer = self._answer(request)
        if isinstance(answer, Hangup):
            if answer.reset:
                self._reset_connection()
            return False
        # One send: a second small packet would wait for the acknowledgement of the first.
        self.wfile.write(encode_response(answer, keep_alive=request.keep_alive, head_only=request.method == "HEAD"))
        return request.keep_alive

    def _answer(self, request: Request) -> Response | Hangup:
        sandbox = self.server.sandbox
        if request.path.startswith(f"{BASE_PATH}/"):
            return sandbox.answer_loops(request, self._client_left)
        if request.path.startswith(f"{NANGO_PATH}/"):
            return sandbox.nango.answer(request, self._client_left)
        return answer_local(sandbox, request)

    def _client_left(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _refuse(self, response: Response) -> None:
        """Say so, then read on for a moment: closing over unread bytes would reset the answer away."""
        self.wfile.write(encode_response(response, keep_alive=False))
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(DRAIN_SECONDS)
        left = DRAIN_BYTES
        while left > 0 and (chunk := self.rfile.read1(65_536)):
            left -= len(chunk)

    def _reset_connection(self) -> None:
        # Zero linger makes close() send RST; the descriptor is taken out of the socket because the server would say
        # goodbye with a FIN first.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        os.close(self.connection.detach())


class Server(socketserver.ThreadingTCPServer):
    """Not `http.server.ThreadingHTTPServer`: that one only adds a look-up of its own name, which may wait for DNS."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._connections: set[Any] = set()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        """Wake every thread that waits on its client; a pooled connection must not outlive the server."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it went by itself
                continue


class RunningSandbox(Sandbox):
    """A sandbox that listens, in a daemon thread, until `stop()` or the end of its `with` block."""

    def __init__(
        self,
        *,
        address: tuple[str, int],
        rate: int | None,
        bare: bool,
        api_key: str | None,
        templates: Iterable[str],
        nango_key: str | None,
    ) -> None:
        super().__init__(rate=rate, bare=bare, api_key=api_key, templates=templates, nango_key=nango_key)
        self._server = Server(address, self)
        self.url = f"http://{address[0]}:{self._server.server_address[1]}"
        self.loops_url = self.url + BASE_PATH
        self.nango_url = self.url + NANGO_PATH
        self.connect_url = self.nango.connect_url = self.url + CONNECT_PATH
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """No new connections, open ones cut, nothing that hangs is performed."""
        self._server.shutdown()
        self._server.cut_connections()
        self._stopping.set()
        self.clear_faults()
        self.nango.clear_faults()
        self._server.server_close()
        self._thread.join()


def start_sandbox(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    rate: int | None = 10,
    bare: bool = False,
    api_key: str | None = None,
    templates: Iterable[str] = DEFAULT_TEMPLATES,
    nango_key: str | None = None,
) -> RunningSandbox:
    """A sandbox that already listens; use it in a `with` block.

    `port` 0 picks a free one. `rate` is requests in any one second, None or 0 for no limit. `bare` leaves out the
    custom properties of Laurel. Without `api_key` any key will do, as for Nango without `nango_key`. `templates` are
    the transactional ids that exist. Raises OSError when the address cannot be had.
    """
    return RunningSandbox(
        address=(host, port), rate=rate, bare=bare, api_key=api_key, templates=templates, nango_key=nango_key
    )
