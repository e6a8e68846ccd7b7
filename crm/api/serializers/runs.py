"""Shapes of runs and what they did."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm.api.serializers.connections import BusinessSerializer
from crm.models import SyncOutcome, SyncRun

Strategy = SyncRun.Strategy


class SyncSerializer(BusinessSerializer):
    """How to sync."""

    strategy = serializers.ChoiceField(Strategy.choices, default=Strategy.APPEND)
    of = serializers.ChoiceField(
        [Strategy.APPEND, Strategy.OVERWRITE], required=False, help_text="What a preview looks at; append unless said."
    )
    background = serializers.BooleanField(default=False, help_text="Do not wait for it.")
    confirm = serializers.BooleanField(default=False, help_text="Also where more than half of the leads would go.")


class ResultsSerializer(serializers.Serializer[Any]):
    """The buckets: all but `removed` add up to `fetched`."""

    fetched = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()
    removed = serializers.IntegerField()
    skipped_reasons = serializers.DictField(child=serializers.IntegerField())


class OutcomeSerializer(serializers.ModelSerializer[SyncOutcome]):
    """What became of one contact. `changes` are `{field: [before, after]}`."""

    lead = serializers.UUIDField(source="lead_id", allow_null=True)
    changes = serializers.DictField(child=serializers.ListField())

    class Meta:
        model = SyncOutcome
        fields = ["bucket", "reason", "crm_id", "lead", "changes"]


class ExampleSerializer(OutcomeSerializer):
    """What would become of one contact."""

    class Meta:
        model = SyncOutcome
        fields = ["crm_id", "name", "bucket", "changes", "lead"]


class SyncedSerializer(serializers.Serializer[Any]):
    """A run that has ended well."""

    success = serializers.BooleanField()
    run_id = serializers.UUIDField()
    results = ResultsSerializer()
    contacts = ExampleSerializer(many=True, required=False, help_text="Of a preview: up to 50 that would change.")


class QueuedSerializer(serializers.Serializer[Any]):
    """A run that a worker takes on."""

    success = serializers.BooleanField()
    run_id = serializers.UUIDField()


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a run is."""

    fetched = serializers.IntegerField()
    total = serializers.IntegerField(required=False, help_text="Where the CRM says how many there are.")


class RunSerializer(serializers.ModelSerializer[SyncRun]):
    """A run. The results count what it has done so far; `error` is blank unless it failed."""

    progress = serializers.SerializerMethodField()
    results = ResultsSerializer()

    class Meta:
        model = SyncRun
        fields = ["id", "strategy", "status", "started_at", "finished_at", "progress", "results", "error"]

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: SyncRun) -> dict[str, int]:
        """`total` only where it is known."""
        return {"fetched": run.fetched} | ({} if run.expected_total is None else {"total": run.expected_total})


class RunsQuerySerializer(serializers.Serializer[Any]):
    """Which runs to list."""

    business = serializers.CharField(required=False, help_text="Id or slug; needed by staff and members of several.")
    ordering = serializers.CharField(required=False, help_text="Newest first, unless asked for a known order.")


class OutcomesQuerySerializer(serializers.Serializer[Any]):
    """Which outcomes to list."""

    business = serializers.CharField(required=False, help_text="Id or slug; chooses among one's own.")
    bucket = serializers.ChoiceField(SyncOutcome.Bucket.choices, required=False)


class CronResultSerializer(serializers.Serializer[Any]):
    """What became of one connection: `results`, or why not."""

    business = serializers.UUIDField()
    provider = serializers.CharField()
    success = serializers.BooleanField()
    results = ResultsSerializer(required=False)
    error = serializers.CharField(required=False)


class CronSerializer(serializers.Serializer[Any]):
    """What became of all of them. `results` tell of those that ended; a worker goes on with the queued ones."""

    success = serializers.BooleanField()
    synced = serializers.IntegerField()
    failed = serializers.IntegerField()
    queued = serializers.IntegerField()
    total = serializers.IntegerField()
    results = CronResultSerializer(many=True)
