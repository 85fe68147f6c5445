from datetime import timedelta

import polars as pl

from reports.findings import findings
from reports.view import View
from tests.reports.small_site import (
    LAST_DAY,
    empty_tables,
    entrant,
    facts,
    full_tables,
    journey,
    rows,
    sessions,
    tables_of,
)


def found(tables) -> dict[str, str]:
    """The findings by topic, headline and evidence in one text."""
    return {
        one.topic: f"{one.headline} | {one.evidence}" for one in reversed(findings(View(tables, journey(), facts())))
    }


def attempts(count: int, *, days_ago: float, converted: int, start: int) -> list[dict[str, object]]:
    return [
        entrant(start + number, days_ago=days_ago + number * 20 / count, hours=(1.0, 2.0) if number < converted else ())
        for number in range(count)
    ]


def test_without_data_there_are_no_findings():
    assert findings(View(empty_tables(), journey(), facts(horizon=None, day=None))) == ()


def test_the_largest_loss_is_named_with_its_counts():
    entrants = [entrant(number, days_ago=10, hours=(1.0,)) for number in range(30)]
    entrants += [entrant(100 + number, days_ago=10, hours=()) for number in range(10)]

    text = found(tables_of(entrants, {}))["Where people stop"]

    assert "100.0% of those who reach “choose” have stopped there" in text
    assert "30 of 30 customers" in text


def test_a_loss_among_too_few_is_no_finding():
    assert "Where people stop" not in found(
        tables_of([entrant(number, days_ago=10, hours=()) for number in range(19)], {})
    )


def test_a_rate_that_moved_by_more_than_chance_is_what_changed():
    entrants = attempts(400, days_ago=8, converted=200, start=0) + attempts(
        400, days_ago=40, converted=100, start=1_000
    )
    entrants += [entrant(5_000, days_ago=75, hours=())]

    text = found(tables_of(entrants, {}))["What changed"]

    assert "“checkout” rose from 25.0% to 50.0%" in text
    assert "200 of 400" in text and "100 of 400" in text


def test_a_rate_that_moved_by_chance_is_no_finding():
    entrants = attempts(100, days_ago=8, converted=52, start=0) + attempts(100, days_ago=40, converted=50, start=1_000)
    entrants += [entrant(5_000, days_ago=75, hours=())]

    assert "What changed" not in found(tables_of(entrants, {}))


def test_a_rate_is_not_compared_with_days_that_the_data_do_not_hold():
    entrants = attempts(400, days_ago=8, converted=200, start=0) + attempts(
        400, days_ago=40, converted=100, start=1_000
    )

    assert "What changed" not in found(tables_of(entrants, {}))


def test_a_channel_that_moved_by_more_than_chance_is_named_with_its_counts():
    now = sessions(28, per_day=50, converted=1, last=LAST_DAY - timedelta(days=1))
    before = sessions(30, per_day=30, converted=1, last=LAST_DAY - timedelta(days=29))

    text = found(empty_tables() | {"mart.sessions_daily": pl.concat([now, before])})["What changed"]

    assert "More sessions from “Email”: +67%" in text
    assert "1,400" in text and "840" in text and "1 channel looked at" in text


def test_a_channel_that_moved_by_chance_is_no_finding():
    now = sessions(28, per_day=11, converted=1, last=LAST_DAY - timedelta(days=1))
    before = sessions(30, per_day=10, converted=1, last=LAST_DAY - timedelta(days=29))

    assert "What changed" not in found(empty_tables() | {"mart.sessions_daily": pl.concat([now, before])})


def test_a_channel_whose_weeks_are_always_as_uneven_has_not_moved():
    rows = [sessions(7, per_day=10, converted=1, last=LAST_DAY - timedelta(days=1 + 7 * week)) for week in range(9)]
    uneven = [
        week.with_columns((pl.col("sessions") * factor).cast(week.schema["sessions"]))
        for week, factor in zip(rows, (9, 1, 1, 9, 1, 1, 9, 1, 1), strict=True)
    ]

    assert "What changed" not in found(empty_tables() | {"mart.sessions_daily": pl.concat(uneven)})


def test_a_day_that_has_not_ended_is_in_no_period():
    today = sessions(1, per_day=10_000, converted=1)

    assert "What changed" not in found(
        empty_tables()
        | {
            "mart.sessions_daily": pl.concat(
                [today, sessions(1, per_day=1, converted=0, last=LAST_DAY - timedelta(days=80))]
            )
        }
    )


def test_a_group_stands_out_only_by_more_than_chance():
    someone = [entrant(1, days_ago=10, hours=())]

    differs = found(tables_of(someone, {"Email": (400, 200), "Direct": (400, 100)}))["Who differs"]

    assert "less often than the rest" in differs or "more often than the rest" in differs
    assert "200 of 400" in differs and "2 groups" in differs
    assert "Who differs" not in found(tables_of(someone, {"Email": (40, 21), "Direct": (40, 20)}))


def test_a_missed_target_names_its_owner():
    text = found(full_tables())["Targets"]

    assert "Lead conversion of “purchase” is 30.0%; the target is at least 50.0%" in text
    assert "21 of 70. Owner: Ann." in text


def test_the_narrowest_stage_is_judged_by_those_whose_time_is_over():
    text = found(full_tables())["Where the journey narrows"]

    assert "38.8% reach “purchase”" in text and "31 of 80" in text


def test_there_are_never_more_than_eight():
    tables = full_tables()
    missed = [
        {
            "stage": "purchase",
            "metric": "repeat_rate",
            "numerator": number,
            "denominator": 70,
            "value": number / 70,
            "target": 0.9,
            "status": "missed",
        }
        for number in range(9)
    ]

    assert len(findings(View(tables | {"mart.kpis": rows("mart.kpis", *missed)}, journey(), facts()))) == 8


def test_those_who_still_have_time_are_not_said_to_have_stopped():
    entrants = [entrant(number, days_ago=10, hours=()) for number in range(30)]
    entrants += [entrant(100 + number, days_ago=2, hours=()) for number in range(10)]

    text = found(tables_of(entrants, {}))["Where people stop"]

    assert "75.0% of those who reach “look” have stopped there" in text
    assert "30 of 40 customers" in text and "10 more still have time" in text


def test_where_nobody_has_stopped_yet_those_who_wait_are_named():
    entrants = [entrant(number, days_ago=2, hours=()) for number in range(40)]

    text = found(tables_of(entrants, {}))["Where people stop"]

    assert "have gone no further so far" in text and "all of them still have time" in text
