"""`python -m config.sandbox`: the sandbox as a process of its own, until SIGINT or SIGTERM."""

import argparse
import signal
import threading

from config.sandbox.loops import DEFAULT_TEMPLATES
from config.sandbox.server import start_sandbox


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8010, help="0 picks a free one (default 8010)")
    parser.add_argument("--rate", type=int, default=10, help="requests per second, 0 is off (default 10)")
    parser.add_argument("--bare", action="store_true", help="an account without the custom properties of Laurel")
    parser.add_argument("--key", help="the only API key accepted (default: any)")
    parser.add_argument("--nango-key", help="the only key of Nango accepted (default: any)")
    parser.add_argument("--webhook-url", default="", help="where Nango tells of new connections (default: nowhere)")
    parser.add_argument("--webhook-secret", default="", help="what Nango signs its webhooks with")
    parser.add_argument("--loops-webhook-url", default="", help="where Loops tells of what people do there")
    parser.add_argument("--loops-webhook-secret", default="", help="what Loops signs its webhooks with (whsec_…)")
    parser.add_argument("--template", action="append", help="a transactional id that exists; may be repeated")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        sandbox = start_sandbox(
            host=arguments.host,
            port=arguments.port,
            rate=arguments.rate,
            bare=arguments.bare,
            api_key=arguments.key,
            templates=arguments.template or DEFAULT_TEMPLATES,
            nango_key=arguments.nango_key,
        )
    except (OSError, OverflowError) as error:
        raise SystemExit(f"Sandbox cannot listen on {arguments.host}:{arguments.port}: {error}") from None
    with sandbox:
        sandbox.nango.set_webhook(arguments.webhook_url, arguments.webhook_secret)
        sandbox.set_webhook(arguments.loops_webhook_url, arguments.loops_webhook_secret)
        print(f"Sandbox on {sandbox.url}/ (Loops API: {sandbox.loops_url}, Nango: {sandbox.nango_url})", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
