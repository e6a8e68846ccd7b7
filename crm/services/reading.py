"""One execution of a run: what it has seen, and how it asks the CRM."""

import time

from django.conf import settings
from django.utils import timezone

from crm import client, providers
from crm.client import NangoError
from crm.models import Business, Connection, SyncRun
from crm.providers import Answer, Call
from crm.services.matching import Claims
from crm.services.runs import hear_of

# A worker's waits between tries, in seconds; shorter than what makes a run look dead.
PAUSES = (1.0, 2.0, 4.0, 8.0)
LONGEST_PAUSE = 60.0


class OutOfTime(Exception):
    """The run goes on elsewhere."""


class Reading:
    """One execution of a run: what it knows of the contacts it has seen."""

    def __init__(self, run: SyncRun, *, seconds: float | None) -> None:
        self.run = run
        self.connection = Connection.objects.select_related("business").get(pk=run.connection_id)
        self.business: Business = self.connection.business
        self.account = (self.connection.provider, self.connection.crm_account_id)
        self.provider = providers.get(self.connection.provider)
        self.began_at = run.started_at or timezone.now()
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.claims = Claims()
        self.seen: set[str] = set()

    @property
    def writes(self) -> bool:
        """A preview does not."""
        return self.run.strategy != SyncRun.Strategy.PREVIEW

    @property
    def overwrites(self) -> bool:
        """Whether it also marks, or would mark, what the CRM no longer has."""
        return SyncRun.Strategy.OVERWRITE in (self.run.strategy, self.run.of)

    def ask(self, call: Call) -> Answer:
        """One request through Nango's proxy; a worker waits and tries again where that may help, a person does not.

        Raises NangoError, RunLost, OutOfTime.
        """
        for pause in (*PAUSES, None):
            try:
                return self._ask_once(call)
            except NangoError as error:
                if error.permanent or pause is None or self.deadline is not None:
                    raise
                time.sleep(min(error.retry_after or pause, LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def _ask_once(self, call: Call) -> Answer:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if left is not None and left <= 0:
            raise OutOfTime
        hear_of(self.run)
        try:
            found = client.proxy(
                call.method,
                call.path,
                connection_id=self.connection.nango_connection_id,
                provider_config_key=self.connection.provider_config_key,
                query=call.query,
                body=call.body,
                headers=call.headers,
                seconds=left,
            )
        except NangoError as error:
            # An answer that was hardly waited for says nothing of the CRM: a worker has the patience.
            if error.code == "timeout" and left is not None and left < settings.NANGO_TIMEOUT_SECONDS / 2:
                raise OutOfTime from error
            raise
        return Answer(found.status, found.body)
