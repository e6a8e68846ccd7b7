"""`manage.py dev`: the whole product on one machine. What `make run` calls."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.journey import Journey, JourneyError

READY_SECONDS = 60
STOP_SECONDS = 20
LOOPS_SIGNS_WITH = "whsec_c2FuZGJveA=="
LOGINS = "staff@, editor@, manager@ and cashier@laurel.test, password laurel-demo"


class Command(BaseCommand):
    """Starts the sandbox, the worker and the web server, and stops them together."""

    help = "Run everything: database, demo data, sandbox, worker, web. --check drives one journey and ends."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--check`."""
        parser.add_argument("--check", action="store_true", help="nominate, approve, look at Loops, and exit 0")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when something does not start, ends by itself, or the journey fails."""
        if not settings.DEBUG:
            raise CommandError("This is for one machine with DEBUG=true. README tells how to run it in production.")
        if options["check"]:
            self.check_journey()
        else:
            self.serve(settings.PORT)

    def serve(self, port: int) -> None:
        """Run until Ctrl-C."""
        with running(port, dict(os.environ)) as children:
            stopping = told_to_stop()
            self.stdout.write(f"\nLaurel   http://127.0.0.1:{port}/")
            self.stdout.write(f"Admin    http://127.0.0.1:{port}/admin/   {LOGINS}")
            self.stdout.write(f"API      http://127.0.0.1:{port}/api/docs")
            self.stdout.write(f"Sandbox  http://127.0.0.1:{port + 10}/   (Loops, and the CRMs behind Nango: /crms)")
            self.stdout.write("\nCtrl-C stops everything.")
            while not stopping.wait(0.5):
                raise_if_ended(children)

    def check_journey(self) -> None:
        """On free ports, and on a database of its own unless DATABASE_URL names one."""
        with tempfile.TemporaryDirectory(prefix="laurel-check-") as folder:
            port = free_port()
            environment = {"DATABASE_URL": f"sqlite:///{folder}/check.sqlite3", **os.environ, "MEDIA_ROOT": folder}
            with running(port, environment | {"PUBLIC_BASE_URL": f"http://127.0.0.1:{port}"}):
                try:
                    Journey(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 10}", self.stdout.write).run()
                except JourneyError as error:
                    raise CommandError(str(error)) from error


@contextmanager
def running(port: int, environment: dict[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The children, ready to serve; stopped on leaving. Raises CommandError."""
    for needed in (port, port + 10):
        if not is_free(needed):
            raise CommandError(f"Port {needed} is in use. Choose another: PORT=9000 make run")
    # The sandbox takes any key. Whatever .env says of Loops and Nango is not used here: nothing real is ever touched.
    environment |= {
        "PORT": str(port),
        "NANGO_SECRET_KEY": "sandbox",
        "NANGO_HOST": f"http://127.0.0.1:{port + 10}/nango",
        "NANGO_CONNECT_URL": f"http://127.0.0.1:{port + 10}/connect",
        "NANGO_WEBHOOK_SECRET": "sandbox",
        "LOOPS_SYNC_ENABLED": "true",
        "LOOPS_API_KEY": "sandbox",
        "LOOPS_WEBHOOK_SECRET": LOOPS_SIGNS_WITH,
        **{f"LOOPS_TRANSACTIONAL_{kind.upper()}": f"sandbox_{kind}" for kind in settings.LOOPS_TRANSACTIONAL},
        "LOOPS_BASE_URL": f"http://127.0.0.1:{port + 10}/api/v1",
    }
    manage = [sys.executable, "manage.py"]
    for step in (["migrate", "--verbosity", "0"], ["demo", "--verbosity", "0"]):
        subprocess.run([*manage, *step], check=True, cwd=settings.BASE_DIR, env=environment)
    commands = [
        [*sandbox(f"http://127.0.0.1:{port}/api/webhooks"), "--port", str(port + 10)],
        [*manage, "qcluster"],
        [*gunicorn(), "--bind", f"127.0.0.1:{port}", "config.wsgi"],
    ]
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            # A session of its own each: Ctrl-C must reach this process alone, which then stops them in order.
            children.append(subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, start_new_session=True))
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", children)
        subprocess.run([*manage, "demo", "--crm"], check=True, cwd=settings.BASE_DIR, env=environment)
        yield children
    finally:
        stop(children)


def sandbox(webhooks: str) -> list[str]:
    """Loops and Nango, which tell us by webhook what people do at their pages, and the templates of all our mails."""
    nango = ["--webhook-url", f"{webhooks}/nango", "--webhook-secret", "sandbox"]
    loops = ["--loops-webhook-url", f"{webhooks}/loops", "--loops-webhook-secret", LOOPS_SIGNS_WITH]
    templates = [word for kind in settings.LOOPS_TRANSACTIONAL for word in ("--template", f"sandbox_{kind}")]
    return [sys.executable, "-m", "config.sandbox", *nango, *loops, *templates]


def gunicorn() -> list[str]:
    """Two processes with four threads; the access log stays off, because addresses may carry personal data."""
    program = str(Path(sys.executable).parent / "gunicorn")
    shared = ["--config", "python:config.gunicorn", "--log-level", "warning"]
    return [program, *shared, "--workers", "2", "--threads", "4", "--no-control-socket"]


def wait_until_ready(url: str, children: list[subprocess.Popen[bytes]]) -> None:
    """Raises CommandError when a child ends or a minute is over."""
    for _attempt in range(READY_SECONDS * 5):
        raise_if_ended(children)
        try:
            if requests.get(url, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise CommandError(f"{url} did not become ready within {READY_SECONDS} s")


def told_to_stop() -> threading.Event:
    """Set by Ctrl-C and by SIGTERM. An exception instead would rise wherever it likes, also where it is lost."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def raise_if_ended(children: list[subprocess.Popen[bytes]]) -> None:
    """Raises CommandError naming the child that ended."""
    for child in children:
        if child.poll() is not None:
            raise CommandError(f"{' '.join(map(str, child.args))} ended with code {child.returncode}")  # type: ignore[arg-type]


def stop(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask each to end, last started first; whoever does not listen is killed with its own children."""
    for child in reversed(children):
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free together with the one ten above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 65000 and is_free(port + 10):
            return port
