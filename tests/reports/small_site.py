"""A small site: the tables of a few customers, as the report is given them."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from reports.site import SiteFacts
from tests.reports.small_marts import answers, empty_answers, marts, schemas
from transforms.contracts import TABLES
from transforms.journey import Journey
from transforms.statistics import wilson

HORIZON = datetime(2026, 3, 31, 12, tzinfo=UTC)
LAST_DAY = HORIZON.date()
STEPS = ("look", "choose", "pay")
COUNT = pl.Int64
VIEWS = {
    "mart.funnel_steps": {"funnel": pl.String, "step_number": COUNT, "step_name": pl.String, "is_optional": pl.Boolean}
    | dict.fromkeys(("reached", "reached_before", "dropped", "open", "excluded"), COUNT)
    | dict.fromkeys(("total_rate_low", "total_rate_high"), pl.Float64),
    "mart.funnel_daily": {
        "funnel": pl.String,
        "entry_day": pl.Date,
        "entrants": COUNT,
        "converted": COUNT,
        "is_mature": pl.Boolean,
    },
    "mart.funnel_breakdown": {
        "funnel": pl.String,
        "breakdown": pl.String,
        "value": pl.String,
        "step_number": COUNT,
        "reached": COUNT,
    },
    "mart.stage_reach": {"stage": pl.String}
    | dict.fromkeys(
        ("stage_number", "customers", "of_customers", "leads", "of_leads", "visitors", "of_visitors", "customers_now"),
        COUNT,
    ),
    "mart.sessions_daily": {"day": pl.Date, "channel": pl.String, "currency": pl.String}
    | dict.fromkeys(
        ("sessions", "customers", "new_customers", "bounces", "converted_sessions", "revenue_minor"), COUNT
    ),
    "mart.touchpoints": {"stage": pl.String, "phase": pl.String, "touchpoint": pl.String}
    | dict.fromkeys(("events", "customers", "sessions", "exits", "converted_sessions"), COUNT),
    "reports.quarantine_reasons": dict.fromkeys(("source", "reason", "field"), pl.String)
    | dict.fromkeys(("set_aside", "files"), COUNT),
    "mart.data_quality": {"source": pl.String}
    | dict.fromkeys(("first_event_at", "last_event_at"), pl.Datetime("us", "UTC"))
    | dict.fromkeys(("events", "robot_events", "internal_events", "counted_events", "unmapped_events"), COUNT),
    "mart.unmapped_events": {
        "source": pl.String,
        "event": pl.String,
        "events": COUNT,
        "of_events": COUNT,
        "customers": COUNT,
    },
    "reports.map_contacts": dict.fromkeys(("stage", "phase", "touchpoint", "channel"), pl.String)
    | dict.fromkeys(
        ("events", "customers", "of_customers", "went_on", "sessions", "lost_sessions", "lost_customers"), COUNT
    ),
    "reports.map_actions": {"stage": pl.String, "event": pl.String, "events": COUNT, "customers": COUNT},
    "reports.change_newcomers": {"day": pl.Date, "stage": pl.String, "newcomers": COUNT, "entered": COUNT},
    "reports.map_surveys": {"stage": pl.String, "survey": pl.String, "mean_score": pl.Float64, "squares": pl.Float64}
    | dict.fromkeys(("answers", "nine_or_more", "six_or_less", "four_or_more"), COUNT),
    "mart.attribution": {"model": pl.String, "channel": pl.String, "currency": pl.String, "conversions_ppm": COUNT},
}
STORED = (
    "core.funnel_definitions",
    "mart.funnel_entrants",
    "mart.stage_conversion",
    "mart.stage_transitions",
    "mart.kpis",
    "mart.funnel_change_steps",
    "mart.funnel_change_groups",
    "ops.balances",
    "ops.schema_drift",
    "ops.failed_files",
)


MAPS = ("map_actions", "map_contacts", "map_surveys", "map_moves", "map_reach")
VIEWS |= {
    "reports.map_reach of members": {"stage": pl.String}
    | dict.fromkeys(("customers", "of_customers", "customers_now"), COUNT),
    "reports.map_moves of members": dict.fromkeys(("from_stage", "to_stage", "direction"), pl.String)
    | dict.fromkeys(("moves", "customers"), COUNT),
}
VIEWS |= {
    f"{name} of members": VIEWS[name] for name in ("reports.map_actions", "reports.map_contacts", "reports.map_surveys")
}


def empty_tables() -> dict[str, pl.DataFrame]:
    """Every table of the report without a row."""
    views = {name: pl.DataFrame(schema=schema) for name, schema in VIEWS.items()}
    return empty_answers() | views | {name: TABLES[name].empty() for name in STORED}


def rows(name: str, *values: dict[str, object]) -> pl.DataFrame:
    """Rows of a table; columns that are not given are null."""
    return pl.DataFrame(list(values), schema=VIEWS.get(name) or TABLES[name].schema)


def journey(funnel: str = "checkout", *, changes: tuple[dict[str, str], ...] = ()) -> Journey:
    """A journey of two stages and one funnel of three steps within a week."""
    return Journey.model_validate(
        {
            "name": "Shop",
            "currency": "EUR",
            "stages": [
                {
                    "name": "awareness",
                    "owner": "Ben",
                    "touchpoints": [
                        {"name": "blog", "when": {"event": "page_view"}},
                        {"name": "fair", "when": {"event": "fair_visit"}},
                    ],
                },
                {"name": "purchase"},
            ],
            "funnels": [
                {
                    "name": funnel,
                    "steps": [{"event": step} for step in STEPS],
                    "window": "7d",
                    "breakdowns": ["channel"],
                }
            ],
            "changes": list(changes),
            "future": [
                {
                    "stage": "awareness",
                    "description": "Found by word of mouth.",
                    "adds": ["podcast"],
                    "removes": ["fair", "blog"],
                }
            ],
            "segments": [
                {"name": "members", "description": "Bought twice.", "customer": {"purchase_count": {"gte": 2}}}
            ],
        }
    )


def facts(**changed: object) -> SiteFacts:
    """What the site says of its data."""
    known = {
        "data_version": "d1",
        "configuration_version": "c1",
        "product_version": "0.1",
        "horizon": HORIZON,
        "day": HORIZON.date(),
    }
    return SiteFacts(**(known | changed))  # type: ignore[arg-type]


def entrant(number: int, *, days_ago: float, hours: tuple[float, ...], funnel: str = "checkout") -> dict[str, object]:
    """One customer's only attempt: when it began, and how long after it each further step was done."""
    start = HORIZON - timedelta(days=days_ago)
    times = [start, *(start + timedelta(hours=after) for after in hours)]
    closes = start + timedelta(days=7)
    done = len(times) == len(STEPS)
    return {
        "funnel": funnel,
        "unit_id": f"u{number}",
        "customer_id": f"u{number}",
        "entered_at": start,
        "entry_day": start.date(),
        "step_times": times + [None] * (len(STEPS) - len(times)),
        "depth": len(times),
        "status": "converted" if done else "open" if closes > HORIZON else "dropped",
        "closes_at": closes,
        "is_first": True,
        "is_best": True,
        "is_counted": True,
        "is_best_of_day": True,
    }


def tables_of(
    entrants: list[dict[str, object]], groups: dict[str, tuple[int, int]], *, funnel: str = "checkout"
) -> dict[str, pl.DataFrame]:
    """The tables of one funnel: its entrants, and for each value of `channel` who entered and who paid."""
    attempts = rows("mart.funnel_entrants", *entrants)
    reached = [attempts.filter(pl.col("depth") >= number).height for number in (1, 2, 3)]
    definition = {
        "funnel": funnel,
        "unit": "customer",
        "step_order": "ordered",
        "window_seconds": 7 * 86_400,
        "attempt": "best",
    }
    numbered = list(enumerate(STEPS, start=1))
    low, high = wilson("reached", pl.lit(reached[0]))
    steps = rows(
        "mart.funnel_steps",
        *(
            {
                "funnel": funnel,
                "step_number": number,
                "step_name": step,
                "is_optional": False,
                "reached": reached[number - 1],
            }
            | {"reached_before": reached[number - 2] if number > 1 else None}
            | {
                status: attempts.filter(pl.col("depth") == number, pl.col("status") == status).height
                for status in ("dropped", "open", "excluded")
            }
            for number, step in numbered
        ),
    ).with_columns(total_rate_low=low, total_rate_high=high)
    daily = attempts.group_by("entry_day").agg(
        entrants=pl.len().cast(COUNT),
        converted=(pl.col("status") == "converted").sum().cast(COUNT),
        is_mature=(pl.col("closes_at") <= HORIZON).all(),
    )
    return empty_tables() | {
        "core.funnel_definitions": rows(
            "core.funnel_definitions",
            *(
                definition | {"step_number": number, "step_name": step, "is_optional": False, "horizon": HORIZON}
                for number, step in numbered
            ),
        ),
        "mart.funnel_entrants": attempts,
        "mart.funnel_steps": steps,
        "mart.funnel_daily": daily.with_columns(funnel=pl.lit(funnel)).sort("entry_day"),
        "mart.funnel_breakdown": rows(
            "mart.funnel_breakdown",
            *(
                {"funnel": funnel, "breakdown": "channel", "value": value, "step_number": number, "reached": count}
                for value, (entered, paid) in groups.items()
                for number, count in ((1, entered), (2, paid), (3, paid))
            ),
        ),
    }


def sessions(days: int, *, per_day: int, converted: int, channel: str = "Email", last: date = LAST_DAY) -> pl.DataFrame:
    """The same sessions on each of the days up to `last`."""
    return rows(
        "mart.sessions_daily",
        *(
            {
                "day": last - timedelta(days=ago),
                "channel": channel,
                "sessions": per_day,
                "customers": per_day,
                "new_customers": 2,
                "bounces": 1,
            }
            | {"converted_sessions": converted, "revenue_minor": converted * 1_000, "currency": "EUR"}
            for ago in range(days)
        ),
    )


def group_days(funnel: str = "checkout", *, broken: str | None = "mobile") -> pl.DataFrame:
    """Ten weeks in which 30 of each device come to a step and 21 go on; in the fifth and sixth only 6 of the broken one."""
    monday = date(2026, 1, 5)
    step = {"funnel": funnel, "breakdown": "device", "step_number": 2, "step_name": "choose", "next_name": "pay"}
    values = [
        step
        | {
            "value": device,
            "day": monday + timedelta(weeks=week),
            "came": 30,
            "went_on": 6 if device == broken and week in (4, 5) else 21,
        }
        for device in ("desktop", "mobile")
        for week in range(10)
    ]
    return pl.DataFrame(values, schema=schemas()["reports.group_days"])


def funnel_parts(funnel: str = "checkout") -> pl.DataFrame:
    """First attempts in two months: of everybody 60 and 40, of phones 20 and 10."""
    reached = {
        (None, date(2026, 1, 1)): (60, 30, 12), (None, date(2026, 2, 1)): (40, 20, 6),
        ("mobile", date(2026, 1, 1)): (20, 9, 3), ("mobile", date(2026, 2, 1)): (10, 5, 1),
    }  # fmt: skip
    values = [
        {"funnel": funnel, "breakdown": value and "device", "value": value, "month": month, "step_number": number}
        | {"entered": steps[0], "reached": steps[number - 1], "still_open": 2 if (number, month.month) == (2, 2) else 0}
        for (value, month), steps in reached.items()
        for number in (1, 2, 3)
    ]
    return pl.DataFrame(values, schema=schemas()["reports.funnel_parts"])


def behaviour_of(funnel: str) -> dict[str, pl.DataFrame]:
    """What goes together with completing, what they did instead, how much is known, how late it comes, and what is asked."""
    step = {"funnel": funnel, "step_number": 2, "step_name": "choose"}
    rows_of: dict[str, list[dict[str, object]]] = {
        "funnel_drivers": [
            {"funnel": funnel, "kind": kind, "driver": driver, "landmark_seconds": 86_400, "with_units": 40, "with_converted": 20}
            | {"without_units": 60, "without_converted": 12, "odds_ratio": odds, "odds_ratio_low": 1.4, "odds_ratio_high": 9.2}
            | {"q_value": 0.01 * place, "stands_out": place < 5}
            for place, (kind, driver, odds) in enumerate([("event", "signed_up", 3.6), ("device", "mobile", 1.1)], start=4)
        ],
        "funnel_instead": [
            step | {"contact": contact, "attempts": attempts, "of_attempts": 40}
            for contact, attempts in (("(nothing more)", 25), ("blog", 15))
        ],
        "breakdown_coverage": [step | {"breakdown": "device", "known": 90, "reached": 120}],
        "lateness": [
            {"source": "web", "events": 200, "in_a_minute": 100, "in_an_hour": 150, "in_a_day": 180, "in_two_days": 190}
            | {"in_a_week": 199, "in_thirty_days": 200}
        ],
        "event_days": [
            {"source": "web", "event": "page_view", "day": date(2026, 1, 5) + timedelta(days=n), "events": 1 if n in (20, 21) else 30}
            for n in range(56)
        ],
        "map_questions": [
            {"stage": "awareness", "kind": kind, "question": question, "events": 9, "customers": customers}
            for kind, question, customers in (("search", "pan", 7), ("help", "/help/pans", 4))
        ],
        "touchpoint_use": [
            {"stage": "awareness", "touchpoint": "blog", "customers_lately": 7}
            | {"first_day": date(2026, 1, 5), "last_day": date(2026, 3, 1)}
        ],
        "kpi_months": [
            {"stage": "purchase", "metric": metric, "month": date(2026, month, 1), "numerator": part, "denominator": 100, "is_final": is_final}
            for metric, shares, is_final in (("stage_conversion", (40, 20), True), ("lead_conversion", (30, 5), False))
            for month, part in zip((1, 2), shares, strict=True)
        ],
    }  # fmt: skip
    return {
        f"reports.{file}": pl.DataFrame(rows, schema=schemas()[f"reports.{file}"]) for file, rows in rows_of.items()
    }


def changes_of(funnel: str) -> dict[str, pl.DataFrame]:
    """The change of a funnel between two periods, by step and by group."""
    days = {"before_from": date(2026, 1, 5), "before_to": date(2026, 2, 1)}
    both = {"funnel": funnel, "entered_before": 50, "entered_after": 60, "total_change": -0.1} | days
    both |= {"after_from": date(2026, 2, 2), "after_to": date(2026, 3, 1)}
    steps = [("look", 50, 60, 0.0), ("choose", 45, 50, -0.06), ("pay", 30, 30, -0.04)]
    groups = [("Email", 25, 20, 40, 25, 0.02, -0.09), ("Direct", 25, 10, 20, 5, -0.01, -0.02)]
    return {
        "mart.funnel_change_steps": rows(
            "mart.funnel_change_steps",
            *(
                both
                | {
                    "step_number": number,
                    "step_name": step,
                    "reached_before": before,
                    "reached_after": after,
                    "part": part,
                }
                for number, (step, before, after, part) in enumerate(steps, start=1)
            ),
        ),
        "mart.funnel_change_groups": rows(
            "mart.funnel_change_groups",
            *(
                both
                | {
                    "breakdown": "channel",
                    "value": value,
                    "entered_before": came,
                    "reached_before": paid,
                    "entered_after": later,
                }
                | {"reached_after": paid_later, "mix_part": mix, "rate_part": rate}
                for value, came, paid, later, paid_later, mix, rate in groups
            ),
        ),
    }


def full_tables(funnel: str = "checkout") -> dict[str, pl.DataFrame]:
    """Something in every table: 61 entrants, 40 of them paid."""
    entrants = [
        entrant(number, days_ago=20 + number / 10, hours=(1.0, 2.0 + number), funnel=funnel) for number in range(40)
    ]
    entrants += [entrant(100 + number, days_ago=15, hours=(1.0,), funnel=funnel) for number in range(13)]
    entrants += [entrant(200 + number, days_ago=2, hours=(), funnel=funnel) for number in range(8)]
    groups = {"Email": (31, 28), "Direct": (30, 12)}
    stage = {
        "from_stage": "awareness",
        "from_stage_number": 1,
        "to_stage": "purchase",
        "to_stage_number": 2,
        "window_seconds": 86_400,
    }
    counts = {
        "entered": 90,
        "reached": 33,
        "matured_entered": 80,
        "matured_reached": 31,
        "projected_rate": 0.4,
        "projected_error": 0.05,
    }
    books = {
        "loaded": 95,
        "duplicate": 2,
        "conflict": 0,
        "superseded": 0,
        "quarantined": 3,
        "suppressed": 0,
        "blank": 0,
    }
    shown = tables_of(entrants, groups, funnel=funnel) | {
        "mart.stage_reach": rows(
            "mart.stage_reach",
            {
                "stage": "awareness",
                "stage_number": 1,
                "customers": 90,
                "of_customers": 123,
                "leads": 11,
                "of_leads": 30,
                "visitors": 80,
                "of_visitors": 110,
                "customers_now": 53,
            },
            {
                "stage": "purchase",
                "stage_number": 2,
                "customers": 47,
                "of_customers": 123,
                "leads": 9,
                "of_leads": 30,
                "visitors": 40,
                "of_visitors": 110,
            },
        ),
        "mart.sessions_daily": sessions(70, per_day=50, converted=4),
        "mart.attribution": rows(
            "mart.attribution",
            {"model": "linear", "channel": "Email", "currency": "EUR", "conversions_ppm": 12_300_000},
        ),
        "mart.stage_conversion": rows("mart.stage_conversion", stage | counts),
        "mart.stage_transitions": rows(
            "mart.stage_transitions",
            {"from_stage": "(start)", "to_stage": "awareness", "moves": 90, "customers": 90},
            {
                "from_stage": "awareness",
                "to_stage": "purchase",
                "direction": "forward",
                "moves": 44,
                "customers": 41,
                "median_seconds": 7_200,
            },
            {"from_stage": "purchase", "to_stage": "(still there)", "moves": 44, "customers": 41},
        ),
        "mart.kpis": rows(
            "mart.kpis",
            {
                "stage": "purchase",
                "metric": "lead_conversion",
                "numerator": 21,
                "denominator": 70,
                "value": 0.3,
                "target": 0.5,
                "owner": "Ann",
                "status": "missed",
            },
        ),
        "mart.touchpoints": rows(
            "mart.touchpoints",
            {
                "stage": "awareness",
                "touchpoint": "blog",
                "events": 310,
                "customers": 77,
                "sessions": 205,
                "exits": 150,
                "converted_sessions": 6,
            },
        ),
        "reports.quarantine_reasons": rows(
            "reports.quarantine_reasons",
            {"source": "web", "reason": "bad_time", "field": "when", "set_aside": 3, "files": 1},
        ),
        "reports.map_contacts": rows(
            "reports.map_contacts",
            {"stage": "awareness", "touchpoint": "blog", "channel": "Email", "events": 310, "customers": 77}
            | {"of_customers": 90, "went_on": 21, "sessions": 205, "lost_sessions": 140, "lost_customers": 66},
        ),
        "reports.map_actions": rows(
            "reports.map_actions",
            {"stage": "awareness", "event": "page_view", "events": 310, "customers": 77},
            {"stage": "purchase", "event": "payment_failed", "events": 9, "customers": 7},
        ),
        "reports.change_newcomers": rows(
            "reports.change_newcomers",
            {"day": date(2026, 3, 9), "stage": "purchase", "newcomers": 80, "entered": 40},
            {"day": date(2026, 3, 10), "stage": "purchase", "newcomers": 70, "entered": 36},
        ),
        "reports.map_surveys": rows(
            "reports.map_surveys",
            {"stage": "purchase", "survey": "nps", "answers": 25, "mean_score": 7.9, "squares": 1_600.0}
            | {"nine_or_more": 14, "six_or_less": 4, "four_or_more": 24},
        ),
        "mart.data_quality": rows(
            "mart.data_quality",
            {
                "source": "web",
                "events": 1_006,
                "robot_events": 71,
                "internal_events": 5,
                "counted_events": 930,
                "unmapped_events": 93,
                "first_event_at": HORIZON - timedelta(days=80),
                "last_event_at": HORIZON,
            },
            {
                "source": "calls",
                "events": 0,
                "robot_events": 0,
                "internal_events": 0,
                "counted_events": 0,
                "unmapped_events": 0,
            }
            | {"first_event_at": HORIZON - timedelta(days=70), "last_event_at": HORIZON - timedelta(days=2, hours=3)},
        ),
        "mart.unmapped_events": rows(
            "mart.unmapped_events",
            {"source": "web", "event": "scroll", "events": 93, "of_events": 930, "customers": 17},
        ),
        "ops.schema_drift": rows(
            "ops.schema_drift",
            {
                "source": "web",
                "file_id": "f",
                "path": "web/a.ndjson",
                "landed_on": date(2026, 3, 1),
                "column_name": "user_id",
            }
            | {"kind": "missing", "is_mapped": True, "quarantined": 3, "renamed_to": "uid"},
        ),
        "ops.balances": rows(
            "ops.balances",
            {"file_id": "f", "source": "web", "path": "web/a.ndjson", "landed_on": date(2026, 3, 1), "rows_in": 100}
            | books,
        ),
    }
    shown |= {f"{name} of members": shown[name] for name in ("reports.map_actions", "reports.map_surveys")}
    shown |= {
        "reports.map_contacts of members": shown["reports.map_contacts"].with_columns(customers=30, of_customers=40),
        "reports.map_reach of members": rows(
            "reports.map_reach of members",
            {"stage": "awareness", "customers": 36, "of_customers": 40, "customers_now": 3},
            {"stage": "purchase", "customers": 40, "of_customers": 40, "customers_now": 37},
        ),
        "reports.map_moves of members": rows(
            "reports.map_moves of members",
            {"from_stage": "awareness", "to_stage": "purchase", "direction": "forward", "moves": 33, "customers": 30},
            {"from_stage": "awareness", "to_stage": "(still there)", "moves": 3, "customers": 3},
        ),
    }
    of_days = {"reports.group_days": group_days(funnel), "reports.funnel_parts": funnel_parts(funnel)}
    drawn = shown | marts() | changes_of(funnel) | of_days
    views = {name: shown[name] for name in ("mart.stage_reach", "mart.touchpoints", "mart.unmapped_events")}
    return drawn | answers(marts() | views) | behaviour_of(funnel)
