"""One line of JSON for each thing that happens, from Django, gunicorn, the queue and our own code alike."""

import sys
from collections.abc import MutableMapping
from typing import Any

from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import EventRenamer, JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import Processor

from config.redaction import Redactor

# What code may say beside the message. Anything else that libraries attach, such as whole requests, stays out.
EXTRAS = ("method", "path", "status", "ms", "user", "role", "seconds", "count")
# These would tell bodies, parameters or addresses when everything is logged.
NEVER_BELOW_WARNING = ("django.db.backends", "urllib3", "django_q", "django-q", "asyncio", "PIL")


def logging_config(redactor: Redactor, *, level: str, is_json: bool) -> dict[str, Any]:
    """For `dictConfig`: one handler, through which everything goes."""
    quiet = dict.fromkeys(NEVER_BELOW_WARNING, {"level": "WARNING"})
    through: dict[str, Any] = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": formatter, "redactor": redactor, "is_json": is_json}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            **quiet,
            # Django's own handlers would print everything a second time.
            "django": {"handlers": [], "level": "NOTSET"},
            # Our line of each request tells of a 404 already; a bug's traceback comes from here.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "gunicorn.error": {**through, "level": level},
            "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }


def formatter(redactor: Redactor, is_json: bool) -> ProcessorFormatter:
    """Makes the line: what is known, then the traceback as text, then nothing of it that is personal."""

    def redact(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {
            name: value if name in ("ts", "level") else redactor.value(value, name=name)
            for name, value in line.items()
        }

    known: list[Processor] = [
        merge_contextvars,
        add_log_level,
        add_logger_name,
        ExtraAdder(allow=EXTRAS),
        TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    told: list[Processor] = [ProcessorFormatter.remove_processors_meta, format_exc_info, redact]
    if is_json:
        told += [EventRenamer("message"), JSONRenderer(ensure_ascii=False)]
    else:
        told.append(
            ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback, timestamp_key="ts")
        )
    return ProcessorFormatter(processors=told, foreign_pre_chain=known)


def bind_task(sender: Any, task: dict[str, Any], **_: Any) -> None:
    """Whatever a worker logs from here on belongs to this task."""
    clear_contextvars()
    bind_contextvars(task=str(task["func"]), task_id=task["id"])


def report_errors(dsn: str, redactor: Redactor) -> None:
    """Send bugs to Sentry, without anything personal."""
    import sentry_sdk

    sentry_sdk.init(dsn=dsn, **sentry_options(redactor))


def sentry_options(redactor: Redactor) -> dict[str, Any]:
    """No bodies, no local variables, no addresses; what is left goes through the redactor.

    `send_default_pii` is off unless it is set; the SDK warns of whoever names it.
    """

    def before_send(event: Any, _hint: dict[str, Any]) -> Any:
        event.pop("user", None)
        request = event.get("request", {})
        event["request"] = {name: request[name] for name in ("method", "url") if name in request}
        return redactor.value(event)

    return {
        "before_send": before_send,
        "include_local_variables": False,
        "max_request_body_size": "never",
        "traces_sample_rate": 0.0,
    }
