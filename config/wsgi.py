"""The WSGI entry point: `gunicorn config.wsgi`."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from config.middleware import parameters_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django, without a Content-Type that it would stumble over before any of its error handlers is in place.

    It reads the query in the charset that the Content-Type names; here everything is UTF-8.
    """
    parameters = parameters_of(environ.get("CONTENT_TYPE", ""))
    if parameters is None or parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        environ["CONTENT_TYPE"] = ""
    return django_application(environ, start_response)
