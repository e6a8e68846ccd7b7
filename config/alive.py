"""`python -m config.alive`: whether the web server of this container answers. Exit code 0 or 1.

Reads the environment by itself: loading all settings each quarter of a minute would cost more than the answer.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 4


def is_alive(port: int = 8000) -> bool:
    """Ask as one of the hosts that are served, or Django refuses to answer."""
    named = [host.strip().lstrip(".") for host in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        host = next((name for name in named if name and name != "*"), "localhost")
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_alive())
