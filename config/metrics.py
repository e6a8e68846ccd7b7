"""How the product does, in Prometheus' words: read from the database when asked, so all processes say the same."""

import hmac
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import Error
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.drf import BearerAuthentication
from crm.models import Connection, SyncRun, User
from loops_sync import selectors as loops
from loops_sync.models import Incident, TransactionalMail
from loyalty.models import LedgerProof

QUANTILES = (0.5, 0.95, 0.99)
LINE_STATES = ("ok", "unauthorized", "unreachable", "disabled")
PROOF_STATES = ("proven", "broken", "none")


class DatabaseCollector(Collector):
    """Every figure, in a constant number of queries that an index answers."""

    def collect(self) -> Iterator[Metric]:
        """Without a database there is one figure, which says so."""
        try:
            found = [*_outbox(), *_line(), *_requests(), *_mails(), *_crm(), *_incidents(), *_ledger()]
        except Error:
            found = []
        yield gauge("laurel_database_up", "Whether the database answers.", 1 if found else 0)
        yield from found


REGISTRY = CollectorRegistry()
REGISTRY.register(DatabaseCollector())


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """One figure."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """One figure for each value of a label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family


def one_of(state: str, states: Iterable[str]) -> dict[str, float]:
    """1 for the state that is, 0 for the others."""
    return {name: float(name == state) for name in states}


def _outbox() -> Iterator[Metric]:
    text = f"Entries of the outbox; of the done ones, at most {loops.MOST_COUNTED} are counted."
    yield gauges("laurel_outbox_entries", text, "status", loops.outbox_depth())
    oldest = loops.oldest_pending_seconds() or 0
    yield gauge(
        "laurel_outbox_oldest_pending_seconds", "Age of the oldest entry that waits; 0 when none does.", oldest
    )


def _line() -> Iterator[Metric]:
    line = loops.relay()
    states = one_of(loops.connection_state(), LINE_STATES)
    yield gauges("laurel_loops_line", "How the line to Loops is: 1 for its state.", "state", states)
    yield gauge("laurel_loops_consecutive_failures", "Failures since the last success.", line.consecutive_failures)
    age = math.nan if line.swept_at is None else (timezone.now() - line.swept_at).total_seconds()
    yield gauge("laurel_worker_heartbeat_age_seconds", "Since a worker was last seen; NaN before the first time.", age)


def _requests() -> Iterator[Metric]:
    times = loops.request_times()
    counts = {"ok": 0.0, "failed": 0.0}
    for (ok, _ms), count in times.items():
        counts["ok" if ok else "failed"] += count
    yield gauges("laurel_loops_requests_last_hour", "Requests to Loops in the last hour.", "result", counts)
    text = "Time that Loops took to answer, over the last hour; absent without a request."
    yield gauges("laurel_loops_latency_seconds", text, "quantile", quantiles(times))


def quantiles(times: Counter[tuple[bool, int]]) -> dict[str, float]:
    """Seconds below which that share of the requests stayed, by nearest rank."""
    taken: Counter[int] = Counter()
    for (_ok, ms), count in times.items():
        taken[ms] += count
    found: dict[str, float] = {}
    seen = 0
    wanted = [(share, math.ceil(share * taken.total())) for share in QUANTILES]
    for ms, count in sorted(taken.items()):
        seen += count
        found |= {str(share): ms / 1000 for share, rank in wanted if str(share) not in found and rank <= seen}
    return found


def _mails() -> Iterator[Metric]:
    yield gauge("laurel_mails_dead", "Mails that were given up.", TransactionalMail.objects.dead().count())


def _crm() -> Iterator[Metric]:
    """Through the connections, whose runs have an index by time."""
    active = Connection.objects.active().values("pk")
    recent = SyncRun.objects.filter(connection__in=active, created_at__gte=timezone.now() - timedelta(days=1))
    runs = dict.fromkeys(SyncRun.Status.values, 0) | dict(
        recent.order_by().values_list("status").annotate(count=Count("id"))
    )
    text = "Readings of the CRMs that are connected, started in the last 24 hours."
    yield gauges("laurel_crm_sync_runs_last_day", text, "status", runs)


def _incidents() -> Iterator[Metric]:
    kinds = dict.fromkeys(Incident.Kind.values, 0) | dict.fromkeys(
        Incident.objects.open().values_list("kind", flat=True), 1
    )
    yield gauges("laurel_incident_open", "Whether an alarm of the kind is raised.", "kind", kinds)


def _ledger() -> Iterator[Metric]:
    proof = LedgerProof.objects.filter(finished_at__isnull=False).order_by("-created_at").first()
    states = one_of(proof.state if proof else "none", PROOF_STATES)
    yield gauges("laurel_ledger_proof", "The last proof of the points ledger: 1 for its end.", "state", states)
    age = (timezone.now() - proof.finished_at).total_seconds() if proof and proof.finished_at else math.nan
    yield gauge("laurel_ledger_proof_age_seconds", "Since the last proof ended; NaN before the first.", age)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For staff, and for whoever has the token."""
    if not is_metrics_token(request.headers.get("Authorization", "")):
        user = _user_of(request)
        if user is None or not user.is_authenticated:
            body = {"detail": "Authentication credentials were not provided.", "code": "not_authenticated"}
            return JsonResponse(body, status=401, headers={"WWW-Authenticate": "Bearer"})
        if not user.is_staff:
            body = {"detail": "You do not have permission to do this.", "code": "permission_denied"}
            return JsonResponse(body, status=403)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def is_metrics_token(header: str) -> bool:
    """Whether an Authorization header carries the token, in constant time; while it is unset, none does."""
    expected = settings.METRICS_TOKEN
    sent = header.encode("utf-8", "surrogateescape")
    return bool(expected) and hmac.compare_digest(sent, f"Bearer {expected}".encode())


def _user_of(request: HttpRequest) -> User | AnonymousUser | None:
    """By the token of a login, as in the API, else by the session."""
    try:
        found = BearerAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        return None
    return found[0] if found else request.user
