"""What production is made of agrees with settings and README, and an operator is told what is wrong."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import connection
from django_q.models import Schedule
from pytest_django import Settings

from config.alive import is_alive
from config.preflight import CHECKS, Finding, findings, missing_schedules
from config.sandbox import RunningSandbox
from loops_sync.services import note_alive, set_up_account
from loyalty.services import start_proof, verify_ledger
from tests import builders

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = (ROOT / "config" / "settings.py").read_text()
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k7Tq-2mVb9xLw4Rn8sYc3Hd6Jf1Gz5Pp0AeUuIoXqZtBvNyMhKr",
    "ALLOWED_HOSTS": "laurel.example",
    "PUBLIC_BASE_URL": "https://laurel.example",
    "DATABASE_URL": "postgres://laurel:password@database/laurel",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
    "LOOPS_SYNC_ENABLED": "true",
    "LOOPS_API_KEY": "key",
    "LOOPS_BASE_URL": "",
    "NANGO_HOST": "",
    "NANGO_CONNECT_URL": "",
    "PATH": "/usr/bin",
}


def compose() -> dict[str, Any]:
    """compose.yaml, with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def printed(*lines: str, **environment: str) -> str:
    """What a new process prints that loads the settings of production, with these variables besides."""
    command = [sys.executable, "-c", "; ".join(lines)]
    done = subprocess.run(
        command, cwd=ROOT, env=PRODUCTION | environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_compose_has_all_services_and_each_tells_of_its_health() -> None:
    services = compose()["services"]
    assert sorted(services) == ["database", "migrate", "redis", "web", "worker"]
    assert services["web"]["depends_on"] == services["worker"]["depends_on"]
    assert services["web"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert (services["migrate"]["restart"], services["redis"]["profiles"]) == ("no", ["redis"])
    told = {name for name, service in services.items() if "test" in service.get("healthcheck", {})}
    assert told == {"worker", "database", "redis"}
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    assert "stop_grace_period" in services["web"]
    timeout = re.search(r'"timeout": (\d+)', SETTINGS)
    assert timeout
    assert int(services["worker"]["stop_grace_period"].rstrip("s")) > int(timeout[1])


def test_variables_of_compose_exist() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_0-9]+)"', SETTINGS))
    services = compose()["services"]
    for name in ("web", "worker", "migrate"):
        assert set(services[name]["environment"]) <= read
        assert services[name]["env_file"] == ".env"
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    assert wanted - read == {"POSTGRES_PASSWORD"}


def test_image_runs_as_nobody_in_particular_with_locked_libraries() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim"] * 2
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["laurel"]
    assert "--require-hashes" in text
    copied = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)
    apps = {"config", "crm", "loops_sync", "loyalty", "nominations", "notifications"}
    assert copied == apps | {"manage.py", "requirements.txt", "templates"}
    assert "COPY requirements.txt" in text


@pytest.mark.parametrize(
    ("url", "broker"), [("", "default {}"), ("redis://redis:6379/0", "None redis://redis:6379/0")]
)
def test_queue_lies_in_redis_when_there_is_one(url: str, broker: str) -> None:
    lines = (
        "import os",
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'",
        "from django_q.conf import Conf",
        "print(Conf.ORM, Conf.REDIS)",
    )
    assert printed(*lines, REDIS_URL=url) == broker


def test_deployment_checks_are_clean_and_name_what_is_not() -> None:
    def checked(**environment: str) -> str:
        command = [sys.executable, "manage.py", "check", "--deploy"]
        done = subprocess.run(
            command, cwd=ROOT, env=PRODUCTION | environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout + done.stderr

    assert "no issues" in checked()
    wrong = {"PUBLIC_BASE_URL": "http://laurel.example", "STAFF_REQUIRE_2FA": "false", "EMAIL_URL": "consolemail://"}
    ids = re.findall(r"config\.W\d+", checked(**wrong, DATABASE_URL="sqlite://:memory:"))
    assert sorted(ids) == ["config.W001", "config.W002", "config.W003", "config.W004"]


def test_container_without_a_server_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "laurel.example")
    assert not is_alive(9)


@pytest.mark.django_db
def test_container_asks_as_a_host_that_is_served(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = [".laurel.example"]
    port = int(live_server.url.rpartition(":")[2])
    monkeypatch.setenv("ALLOWED_HOSTS", "*,.laurel.example")
    assert is_alive(port)
    monkeypatch.setenv("ALLOWED_HOSTS", "other.example")
    assert not is_alive(port)


def states() -> dict[str, str]:
    """What each check answers."""
    return {finding.name: finding.state for finding in findings()}


@pytest.fixture
def ready(settings: Settings, loops: RunningSandbox) -> None:
    """Everything as it should be, but for the database on SQLite."""
    settings.SECRET_KEY = PRODUCTION["SECRET_KEY"]
    settings.ALLOWED_HOSTS = ["laurel.example"]
    settings.PUBLIC_BASE_URL = "https://laurel.example"
    settings.TRUSTED_PROXY_COUNT = 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.ALERT_EMAILS = ["staff@laurel.example"]
    settings.STAFF_REQUIRE_2FA = True
    settings.CRON_SECRET = settings.METRICS_TOKEN = settings.NANGO_WEBHOOK_SECRET = "s"
    settings.LOOPS_WEBHOOK_SECRET = "whsec_c2FuZGJveA=="
    settings.NANGO_HOST = loops.nango_url
    set_up_account()
    note_alive()
    start_proof(by=None)
    verify_ledger()


@pytest.mark.django_db
def test_preflight_finds_nothing_where_nothing_is_wrong(ready: None) -> None:
    expected = dict.fromkeys(CHECKS, "ok")
    if connection.vendor != "postgresql":
        expected["database"] = "fail"
    assert states() == expected | {"ledger": states()["ledger"]}


@pytest.mark.django_db
def test_preflight_says_what_is_wrong_and_what_to_do(ready: None, settings: Settings, loops: RunningSandbox) -> None:
    settings.DEBUG = True
    settings.SECRET_KEY = "short"
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    settings.ALLOWED_HOSTS = ["*"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    settings.LOOPS_API_KEY = "wrong"
    settings.NANGO_HOST = "http://127.0.0.1:9"
    settings.CRON_SECRET = ""
    settings.TRUSTED_PROXY_COUNT = 0
    builders.superuser()
    found = {finding.name: finding for finding in findings()}
    failing = {"debug", "secret_key", "public_address", "hosts", "mail", "nango"}
    assert failing <= {name for name, finding in found.items() if finding.state == "fail"}
    assert {found[name].state for name in ("secrets", "second_factor", "proxies")} == {"warn"}
    assert all(finding.todo for finding in found.values() if finding.state != "ok")
    assert found["secrets"] == Finding(
        "secrets", "warn", "Empty: CRON_SECRET.", "Set them: while one is empty, its endpoint refuses everybody."
    )


@pytest.mark.django_db
def test_preflight_exits_1_on_a_failure_and_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("preflight", "--json", "--only", "worker", stdout=out)
    assert ended.value.code == 1
    assert [(row["name"], row["state"]) for row in json.loads(out.getvalue())] == [("worker", "fail")]
    note_alive()
    out = io.StringIO()
    call_command("preflight", "--only", "worker", stdout=out)
    assert out.getvalue() == "ok    worker: A worker has been at work.\n"


@pytest.mark.django_db
def test_preflight_misses_a_schedule_that_somebody_deleted() -> None:
    assert missing_schedules() == []
    Schedule.objects.filter(name="Prove the ledger").delete()
    assert missing_schedules() == ["Prove the ledger"]
    assert not Schedule.objects.filter(name="Prove the ledger").exists()
