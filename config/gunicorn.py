"""What every gunicorn of ours reads first: `gunicorn --config python:config.gunicorn config.wsgi`.

Its own lines go where everything else goes. There is no access log: our line of each request has no query string.
"""

from config.settings import LOGGING as logconfig_dict

__all__ = ["logconfig_dict"]
