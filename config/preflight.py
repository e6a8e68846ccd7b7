"""What an operator has to know before the doors open, and after each deployment: one finding for each question."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.module_loading import module_has_submodule
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Schedule

from config.hosts import is_this_machine
from crm import client as nango
from crm.models import User
from loops_sync import client as loops
from loops_sync import selectors, services
from loyalty.models import LedgerProof

OK, WARN, FAIL = "ok", "warn", "fail"
DEMO_LOGINS = ("staff@laurel.test", "editor@laurel.test", "manager@laurel.test", "cashier@laurel.test")
SECRETS = ("CRON_SECRET", "METRICS_TOKEN", "LOOPS_WEBHOOK_SECRET", "NANGO_WEBHOOK_SECRET")
# As Django's own check has it.
SHORTEST_KEY, FEWEST_CHARACTERS, INSECURE = 50, 5, "django-insecure-"
PROVEN_WITHIN = timedelta(hours=26)


@dataclass(frozen=True)
class Finding:
    """An answer: `ok`, `warn` or `fail`, what was seen, and what to do about it."""

    name: str
    state: str
    detail: str
    todo: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


Answer = tuple[str, str, str]


def findings(only: str = "") -> Iterator[Finding]:
    """Every check, or the named one, in order. Raises KeyError for a name that is none."""
    chosen = {only: CHECKS[only]} if only else CHECKS
    for name, check in chosen.items():
        try:
            state, detail, todo = check()
        except Error as error:
            todo = "See the check of the database, and run `manage.py migrate`."
            state, detail = FAIL, f"It could not be looked at ({type(error).__name__})."
        yield Finding(name, state, detail, "" if state == OK else todo)


def _say(is_good: bool, good: str, bad: str, todo: str, *, otherwise: str = FAIL) -> Answer:
    return (OK, good, "") if is_good else (otherwise, bad, todo)


def _debug() -> Answer:
    return _say(not settings.DEBUG, "DEBUG is off.", "DEBUG is on.", "Set DEBUG=false.")


def _secret_key() -> Answer:
    key = settings.SECRET_KEY
    is_long = len(key) >= SHORTEST_KEY and len(set(key)) >= FEWEST_CHARACTERS
    is_strong = is_long and not key.startswith(INSECURE)
    todo = 'Set SECRET_KEY to what `python -c "import secrets; print(secrets.token_urlsafe(50))"` prints.'
    return _say(is_strong, "SECRET_KEY is long and random.", "SECRET_KEY is short or guessable.", todo)


def _public_address() -> Answer:
    url = urlsplit(settings.PUBLIC_BASE_URL)
    is_public = url.scheme == "https" and not is_this_machine(url.hostname or "")
    todo = "Set PUBLIC_BASE_URL to the https address that the public sees: live URLs and mails begin with it."
    return _say(is_public, f"{settings.PUBLIC_BASE_URL}", f"PUBLIC_BASE_URL is {settings.PUBLIC_BASE_URL}.", todo)


def _hosts() -> Answer:
    hosts, public = settings.ALLOWED_HOSTS, urlsplit(settings.PUBLIC_BASE_URL).hostname or ""
    if not hosts or "*" in hosts:
        return FAIL, f"ALLOWED_HOSTS is {hosts}.", "Name the hosts that are served."
    is_served = any(public == host or (host[0] == "." and f".{public}".endswith(host)) for host in hosts)
    return _say(is_served, ", ".join(hosts), f"{public} is not among ALLOWED_HOSTS.", "Add PUBLIC_BASE_URL's host.")


def _proxies() -> Answer:
    good = f"{settings.TRUSTED_PROXY_COUNT} in front are believed."
    todo = "Set TRUSTED_PROXY_COUNT to the number of proxies in front, or all callers share one throttle."
    return _say(settings.TRUSTED_PROXY_COUNT > 0, good, "No proxy in front is believed.", todo, otherwise=WARN)


def _database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    todo = "Set DATABASE_URL=postgres://user:password@host/name."
    return _say(connection.vendor == "postgresql", "PostgreSQL answers.", f"It is {connection.vendor}.", todo)


def _migrations() -> Answer:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return _say(not missing, "All are applied.", f"{missing} are not applied.", "Run `manage.py migrate`.")


def _mail() -> Answer:
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    todo = "Set EMAIL_URL, as smtp+tls://user:password@host:587: alarms go by mail."
    return _say(backend == "smtp", "By SMTP.", f"Mails go to {backend}: nobody gets them.", todo)


def _alarms() -> Answer:
    superusers = User.objects.filter(is_superuser=True, is_active=True).exists()
    todo = "Set ALERT_EMAILS, or make a superuser with `manage.py createsuperuser`."
    return _say(bool(settings.ALERT_EMAILS or superusers), "Somebody is told.", "Nobody is told of alarms.", todo)


def _loops() -> Answer:
    if not settings.LOOPS_SYNC_ENABLED:
        return WARN, "LOOPS_SYNC_ENABLED is off: entries wait, nothing is sent.", "Set it, and LOOPS_API_KEY."
    try:
        loops.check_key()
    except loops.LoopsError as error:
        return FAIL, f"Loops refuses, or is out of reach: {error}", "Set LOOPS_API_KEY to a key of Loops' settings."
    return OK, "Loops knows the key.", ""


def _loops_properties() -> Answer:
    if not settings.LOOPS_SYNC_ENABLED:
        return WARN, "Not looked at: LOOPS_SYNC_ENABLED is off.", "Set it."
    try:
        report = services.set_up_account(create=False)
    except (loops.LoopsError, services.Stop) as error:
        return FAIL, f"Loops did not tell: {error}", "See the check of Loops."
    wrong = [*report.missing, *report.mistyped, *report.missing_lists]
    todo = "Run `manage.py loops_setup`, and do what it says: Loops drops what it has no property for."
    return _say(not wrong, "Properties and lists are there.", f"Missing or wrong: {', '.join(wrong)}.", todo)


def _nango() -> Answer:
    if not settings.NANGO_SECRET_KEY:
        return WARN, "NANGO_SECRET_KEY is empty: no CRM can be connected.", "Set it, if CRMs are to be connected."
    try:
        known = {str(row.get("unique_key")) for row in nango.list_integrations()}
    except nango.NangoError as error:
        return FAIL, f"Nango refuses, or is out of reach: {error}", "Check NANGO_SECRET_KEY and NANGO_HOST."
    missing = [key for key in settings.NANGO_INTEGRATIONS.values() if key not in known]
    todo = "Add them in Nango, or correct NANGO_INTEGRATION_…: these CRMs cannot be connected."
    bad = f"Nango has no {', '.join(missing)}."
    return _say(not missing, "All integrations are there.", bad, todo, otherwise=WARN)


def _worker() -> Answer:
    todo = "Start, or restart, `manage.py qcluster`. A new one is heard of within a minute."
    good, bad = "A worker has been at work.", "No worker in the last two and a half minutes."
    return _say(selectors.worker_is_alive(), good, bad, todo)


def _schedules() -> Answer:
    bad = f"Missing: {', '.join(missing)}." if (missing := missing_schedules()) else ""
    return _say(not missing, "All are there.", bad, "Run `manage.py migrate`: it makes them.")


def missing_schedules() -> list[str]:
    """What the apps would make if they were asked, which is taken back."""
    packages = [app.module for app in apps.get_app_configs() if app.module is not None]
    with transaction.atomic():
        before = set(Schedule.objects.values_list("name", flat=True))
        for package in packages:
            if module_has_submodule(package, "tasks"):
                tasks = import_module(f"{package.__name__}.tasks")
                getattr(tasks, "ensure_schedules", lambda: None)()
        after = set(Schedule.objects.values_list("name", flat=True))
        transaction.set_rollback(True)
    return sorted(after - before)


def _second_factor() -> Answer:
    if not settings.STAFF_REQUIRE_2FA:
        return FAIL, "STAFF_REQUIRE_2FA is off: a password alone lets staff in.", "Unset it: it is on without DEBUG."
    staff = User.objects.filter(is_staff=True, is_active=True) | User.objects.filter(is_superuser=True, is_active=True)
    without = staff.exclude(pk__in=TOTPDevice.objects.filter(confirmed=True).values("user")).count()
    bad = f"{without} of the staff have not set it up."
    todo = "Let them log in: they are led to it. Whoever knows a password could be first, so do it soon."
    return _say(not without, "All staff have one.", bad, todo, otherwise=WARN)


def _demo_logins() -> Answer:
    known = User.objects.filter(email__in=DEMO_LOGINS, is_active=True).count()
    todo = "Delete them or switch them off: their password is public."
    return _say(not known, "There are none.", f"{known} of `manage.py demo` are here.", todo)


def _secrets() -> Answer:
    unset = [name for name in SECRETS if not getattr(settings, name)]
    todo = "Set them: while one is empty, its endpoint refuses everybody."
    return _say(not unset, "All are set.", f"Empty: {', '.join(unset)}.", todo, otherwise=WARN)


def _proof() -> Answer:
    proof = LedgerProof.objects.filter(finished_at__isnull=False).order_by("-created_at").first()
    if proof is None or proof.finished_at is None:
        return WARN, "The ledger has not been proven yet.", "Run `manage.py verify_ledger`, or wait for the night."
    if proof.state == LedgerProof.State.BROKEN:
        return FAIL, "A card differs from the ledger.", "See Proofs of the ledger in the admin."
    is_recent = timezone.now() - proof.finished_at < PROVEN_WITHIN
    bad = f"The last proof is of {proof.finished_at:%d %b %Y}."
    return _say(is_recent, "Proven within the last day.", bad, "See whether the worker runs.", otherwise=WARN)


CHECKS: dict[str, Callable[[], Answer]] = {
    "debug": _debug,
    "secret_key": _secret_key,
    "public_address": _public_address,
    "hosts": _hosts,
    "proxies": _proxies,
    "database": _database,
    "migrations": _migrations,
    "mail": _mail,
    "alarms": _alarms,
    "loops": _loops,
    "loops_properties": _loops_properties,
    "nango": _nango,
    "worker": _worker,
    "schedules": _schedules,
    "second_factor": _second_factor,
    "demo_logins": _demo_logins,
    "secrets": _secrets,
    "ledger": _proof,
}
