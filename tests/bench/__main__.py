"""`make bench`: the speed bars as ratios within one run, on PostgreSQL. Exits 1 when one is missed."""

import os
import sys

from tests.suite import postgres


def main() -> int:
    """On a PostgreSQL of its own: run each bench, print the table."""
    with postgres() as database_url:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database_url,
            "THROTTLE_PUBLIC": "",
            "LOOPS_SYNC_ENABLED": "true",
            "LOOPS_API_KEY": "sandbox",
        }
        return run_all()


def run_all() -> int:
    """Django comes up only now, when it knows its database."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.DEBUG = False  # with it on, Django writes every query down
    call_command("migrate", verbosity=0)
    from tests.bench import approve, drain, imports, lists, redeem, votes
    from tests.bench.table import Row, show

    rows: list[Row] = []
    for bench in (
        redeem.against_psycopg,
        imports.against_copy,
        drain.against_bare_loop,
        drain.under_the_limit,
        approve.while_loops_hangs,
        votes.reads,
        lists.query_counts,
    ):
        rows += bench()
    return show(rows)


if __name__ == "__main__":
    sys.exit(main())
