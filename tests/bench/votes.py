"""Who is ahead, over a million votes."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone

from nominations import selectors
from nominations.models import Category, Nominee, Season, Tally, Vote
from tests import builders
from tests.bench.table import Row

VOTES, NOMINEES, CATEGORIES, TIMES = 1_000_000, 2000, 10, 9


def reads() -> list[Row]:
    """The slowest of podium, leaderboard and rank, in milliseconds, and of the list of nominees."""
    season, category = fill()
    nominee = Nominee.objects.order_by("pk")[NOMINEES // 2]
    asked: list[tuple[str, Callable[[], Any]]] = [
        ("podium", lambda: selectors.named(selectors.podium(season, category))),
        ("leaderboard", lambda: selectors.seen(season, selectors.leaderboard(season, category))),
        ("rank", lambda: selectors.standings(nominee, season)),
    ]
    return [
        Row(f"{name} over {Vote.objects.count():,} votes, ms", median_of(read), 50, False, f"{NOMINEES} nominees")
        for name, read in asked
    ]


def median_of(read: Callable[[], Any]) -> float:
    """In milliseconds."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        assert read()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def fill() -> tuple[Season, Category]:
    """Nominees in ten categories, and a million votes of a hundred thousand voters, written by the database itself."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)
    season, boss = builders.season(), builders.superuser()
    categories = [builders.category(f"category-{number}") for number in range(CATEGORIES)]
    nominator = builders.approved(to=categories[0]).nominator
    now = timezone.now()
    with connection.cursor() as cursor:
        # No foreign key is checked meanwhile: the rows are right, and it takes a tenth of the time.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            """INSERT INTO nominations_nominee (id, kind, state, slug, first_name, last_name, created_at, job_title,
                 company, company_name, website, industry, company_size, email, phone, phone_raw, linkedin_url,
                 country, bio, achievements, image, picture_url)
               SELECT gen_random_uuid(), 'person', 'live', 'bench-' || n, 'Nia', 'Nominee ' || n, %s, '', '', '', '',
                 '', '', '', '', '', '', '', '', '', '', '' FROM generate_series(1, %s) AS n""",
            [now, NOMINEES - 1],
        )
        cursor.execute(
            """INSERT INTO nominations_nomination (id, season_id, category_id, nominator_id, nominee_id, why, state,
                 admin_notes, source, approved_at, approved_by_id, created_at)
               SELECT gen_random_uuid(), %s, (%s::bigint[])[1 + (row_number() OVER ()) %% %s], %s, id, '', 'approved',
                 '', 'api', %s, %s, %s FROM nominations_nominee WHERE slug LIKE 'bench-%%'""",
            [season.pk, [category.pk for category in categories], CATEGORIES, nominator.pk, now, boss.pk, now],
        )
        cursor.execute(
            """INSERT INTO nominations_voter (id, email, first_name, last_name, linkedin_url, company, job_title,
                 phone, phone_raw, country, created_at)
               SELECT gen_random_uuid(), 'voter' || n || '@firm' || n %% 500 || '.example', 'Vic', 'Voter', '', '', '',
                 '', '', 'Country ' || n %% 60, %s FROM generate_series(1, %s) AS n""",
            [now, VOTES // CATEGORIES],
        )
        # Each voter once in each category; who is voted for is skewed, as it is in life.
        cursor.execute(
            """WITH place AS (SELECT category_id, array_agg(nominee_id ORDER BY id) AS nominees
                              FROM nominations_nomination GROUP BY category_id)
               INSERT INTO nominations_vote (id, season_id, category_id, nominee_id, voter_id, state, reason,
                 state_before, ip_prefix, user_agent, created_at)
               SELECT gen_random_uuid(), %s, category_id,
                 nominees[1 + floor(power(random(), 2) * cardinality(nominees))::int], voter.id, 'counted', '', '',
                 '192.0.' || floor(random() * 250) || '.0/24', 'bench', %s - random() * interval '30 days'
               FROM nominations_voter AS voter CROSS JOIN place""",
            [season.pk, now],
        )
        cursor.execute(
            """INSERT INTO nominations_tally (season_id, category_id, nominee_id, votes, manual_votes)
               SELECT season_id, category_id, nominee_id, count(*), 0 FROM nominations_vote GROUP BY 1, 2, 3"""
        )
        for model in (Nominee, Vote, Tally):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        cursor.execute("ANALYZE nominations_nomination")
        cursor.execute("SET session_replication_role = origin")
    return season, categories[0]
