"""Small marts: a row or a few in every mart that a page draws, and what the files of sql/reports say of them."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import duckdb
import polars as pl

from pipelines.report_inputs import COUNTED, COUNTED_FOR_FUTURE
from pipelines.warehouse import create, create_macros_and_views, sql_text
from transforms.contracts import TABLES

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = date(2026, 3, 2)
OPENED = datetime(2026, 2, 28, 23, 55, tzinfo=UTC)
ROWS: dict[str, list[dict[str, object]]] = {
    "mart.stage_flow": [
        {"move": 1, "from_stage": "(start)", "to_stage": "awareness", "customers": 90, "from_customers": 100},
        {"move": 1, "from_stage": "(start)", "to_stage": "purchase", "customers": 10, "from_customers": 100},
        {"move": 2, "from_stage": "awareness", "to_stage": "purchase", "customers": 37, "from_customers": 90},
        {"move": 2, "from_stage": "awareness", "to_stage": "(exit)", "customers": 53, "from_customers": 90},
        {"move": 2, "from_stage": "purchase", "to_stage": "(exit)", "customers": 10, "from_customers": 10},
        {"move": 3, "from_stage": "purchase", "to_stage": "(exit)", "customers": 37, "from_customers": 37},
    ],
    "mart.stage_velocity": [
        {"from_stage": "awareness", "from_stage_number": 1, "to_stage": "purchase", "to_stage_number": 2}
        | {"entered": 90, "reached": 47, "waiting": 43, "quartile_1_days": 1.5, "median_days": 12.0},
    ],
    "mart.stuck_customers": [
        {"customer_id": "c1", "stage": "awareness", "touchpoint": "blog", "entered_at": AT, "days_in_stage": 29.0}
        | {"usual_days": 9.5, "stays_that_ended": 37, "last_seen_at": AT},
    ],
    "mart.competing_outcomes": [
        {"object": "deal", "outcome": outcome, "day": day, "records": 40, "happened": happened, "open": 7}
        | {"share": happened / 40}
        for outcome, day, happened in (("won", 3, 5), ("won", 9, 12), ("lost", 4, 21))
    ],
    "mart.lost_reasons": [
        {"object": "deal", "lost_reason": "too dear", "currency": "EUR", "lost": 13, "all_lost": 21, "value_minor": 990_000},
    ],
    "mart.retention": [
        {"cohort_week": DAY, "week_number": 0, "cohort_size": 40, "returned": 40},
        {"cohort_week": DAY, "week_number": 1, "cohort_size": 40, "returned": 11},
        {"cohort_week": date(2026, 3, 9), "week_number": 0, "cohort_size": 9, "returned": 9},
        {"cohort_week": date(2026, 3, 9), "week_number": 1, "cohort_size": 9},
    ],
    "mart.lifecycle": [
        {"week": DAY, "active_customers": 77, "new_customers": 41, "returning_customers": 30}
        | {"resurrected_customers": 6, "dormant_customers": 19},
    ],
    "mart.churn": [
        {"month": date(2026, 2, 1), "active_at_start": 50, "churned": 14, "retained": 36, "quiet_days": 90.0},
    ],
    "mart.churn_points": [
        {"stage": "awareness", "touchpoint": "blog", "churned_last": 8, "retained_last": 3, "churned_had": 14}
        | {"retained_had": 30, "churned": 14, "retained": 36},
    ],
    "mart.purchase_frequency": [
        {"orders": 1, "purchasers": 60, "all_purchasers": 80, "all_orders": 100},
        {"orders": 2, "purchasers": 20, "all_purchasers": 80, "all_orders": 100},
    ],
    "mart.customer_value": [
        {"segment": "(all)", "currency": "EUR", "purchasers": 80, "orders": 100, "revenue_minor": 800_000},
    ],
    "mart.attribution_markov": [
        {"conversion": "(all)", "channel": "Email", "journeys": 60, "converted_journeys": 30, "all_journeys": 90}
        | {"all_conversions": 30, "removal_effect": 0.6, "credit": 1.0, "conversions": 30.0},
    ],
    "mart.journey_paths": [
        {"kind": kind, "place": 1, "path": path, "step_count": 2, "journeys": 44, "converted_journeys": 21}
        | {"all_journeys": 90, "is_assumed": True if kind == "stage" else None}
        for kind, path in (("channel", "Email > Direct"), ("stage", "awareness > purchase"))
    ],
    "mart.acquisition": [
        {"source": "google", "medium": "cpc", "channels": "Paid Search", "customers": 60, "purchasers": 24}
        | {"currency": "EUR", "cost_minor": 120_000, "clicks": 700}
        | {"cost_per_customer_minor": 2_000.0, "cost_per_purchaser_minor": 5_000.0},
    ],
    "mart.ad_spend": [
        {"day": DAY, "source_name": "ads", "channel": "Paid Search", "currency": "EUR", "cost_minor": 120_000}
        | {"impressions": 90_000, "clicks": 700},
    ],
    "mart.friction": [
        {"rank": 1, "stage": "awareness", "touchpoint": "blog", "customers": 77, "affected": 31, "sessions": 205}
        | {"exits": 140, "errors": 5, "converted_sessions": 6, "customers_with_ticket": 2},
    ],
    "mart.abandoned_carts": [
        {"customer_id": f"c{number}", "cart_number": 1, "status": status, "is_final": status != "open"}
        | {"reminded_at": AT if number % 2 else None, "value_minor": 2_500 if status == "recovered" else None}
        | {"currency": "EUR" if status == "recovered" else None}
        for status, many in (("ordered", 20), ("recovered", 11), ("abandoned", 69), ("open", 3))
        for number in range(many)
    ],
    "mart.support": [
        {"week": DAY, "channel": "email", "contacts": 40, "tickets": 36, "customers": 30, "still_open": 4}
        | {"reply_due": 39, "replied_in_24_hours": 28, "first_contact_due": 30, "solved_first_time": 17}
        | {"helped_chats": 3, "helped_after_5_minutes": 1, "abandonment_due": 4, "abandoned": 1, "hand_offs": 2, "reopened": 1},
    ],
    "mart.service_contacts": [
        {"kind": "ticket", "source": "desk", "record_id": f"t{number}", "customer_id": f"c{number}" if number else "ann", "category": "delivery"}
        | {"channel": "email", "hand_offs": number % 3 // 2, "opened_at": OPENED, "first_reply_at": OPENED + timedelta(hours=5)}
        | {"closed_at": OPENED + timedelta(hours=30) if number < 27 else None}
        | {"is_reply_told": True, "is_hand_off_told": True}
        | {"is_first_contact_due": True, "is_solved_first_time": number % 2 == 0, "is_reopened": False}
        for number in range(30)
    ],
    "mart.voice_of_customer": [
        {"month": DAY.replace(day=1), "survey": "nps", "touchpoint_before": before, "answers": 25, "mean_score": 7.9}
        | {"promoters": 14, "passives": 7, "detractors": 4, "nps": 40.0}
        for before in ("(all)", "blog")
    ],
    "mart.reviews": [
        {"month": DAY.replace(day=1), "event": "review_posted", "touchpoint_before": "(all)", "posts": 31, "customers": 30}
        | {"rated": 31, "mean_rating": 4.1, "low_ratings": 3, "with_sentiment": 24, "positive": 15, "neutral": 4, "negative": 5},
    ],
    "mart.promoters_who_left": [
        {"customer_id": "c1", "score": 10.0, "event": "subscription_cancelled", "plan": "basic", "cancel_reason": "moved"},
    ],
    "mart.subscriptions": [
        {"source": "billing", "subscription_id": f"s{number}", "plan": "basic", "status": status, "renewals": 2, "risks": risks}
        for number, (status, risks) in enumerate([("active", "quiet, paused")] * 7 + [("active", "")] * 18 + [("cancelled", "")] * 5)
    ],
    "mart.renewals": [
        {"month": DAY.replace(day=1), "started": 9, "renewed": 21, "upgraded": 1, "downgraded": 2, "cancelled": 4}
        | {"expired": 1, "decided": 26, "renewal_rate": 21 / 26},
    ],
    "mart.accounts": [
        {"account_id": f"a{number}", "people": 2, "people_before_first_conversion": 2 if number < 9 else None, "purchasers": 1}
        | {"conversions": 1 if number < 9 else 0, "events": 30, "cycle_days": 12.5 if number < 9 else None}
        | {"deals": 1, "won_deals": 0, "lost_deals": 1, "open_deals": 0, "last_seen_at": AT}
        for number in range(24)
    ],
    "mart.feature_use": [{"week": DAY, "account_id": "a1", "feature": "export", "uses": 8, "users": 3}],
    "mart.adoption": [
        {"stage": "awareness", "touchpoint": "blog", "purchasers": 80, "reached": 33, "matured_purchasers": 50}
        | {"matured_reached": 22, "projected_share": 0.45, "projected_error": 0.06, "quartile_1_days": 8.0},
    ],
    "mart.referrals": [
        {"source": "crm", "event_id": f"r{number}", "customer_id": "c1", "way": "link", "is_accepted": number < 7}
        for number in range(25)
    ],
    "mart.identity_health": [
        {"figure": "multi_strong", "subject": "customers", "affected": 1, "total": 31},
        {"figure": "hanging", "subject": "customers", "affected": 6, "total": 29},
        {"figure": "shared", "subject": "anonymous_id", "affected": 2, "total": 110},
    ],
    "mart.identity_sensitivity": [
        {"figure": "funnel", "subject": "checkout", "target": "pay", "entered": 61, "reached": 40, "alone_entered": 71}
        | {"alone_reached": 39},
    ],
    "mart.identity_bridges": [
        {"customer_id": "c1", "kinds": "form", "evidence_count": 1, "from_identifiers": 2, "to_identifiers": 3},
    ],
    "mart.identity_largest": [
        {"customer_id": "c1", "anchor_namespace": "user_id", "identifiers": 9, "visitors": 4, "is_multi_strong": True}
        | {"bridges": 1, "events": 310},
    ],
    "mart.identity_shared": [
        {"namespace": "anonymous_id", "value": "b1", "customers": 2, "edges": 3, "first_evidence_at": AT, "newest_edge_at": AT},
    ],
    "mart.identity_blocked": [
        {"source": "web", "namespace": "user_id", "value_class": "placeholder word", "rows": 133, "files": 26},
    ],
}  # fmt: skip


ASKED = (*COUNTED, *COUNTED_FOR_FUTURE)


@cache
def schemas() -> dict[str, dict[str, pl.DataType]]:
    """The columns of every table, view and counted answer, as an empty warehouse has them."""
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            create(connection, table)
        create_macros_and_views(connection)
        found = {name: dict(connection.sql(f"FROM {name}").pl().schema) for name in (*TABLES, *ROWS)}
        answers = {f"reports.{file}": connection.sql(sql_text(f"reports/{file}.sql")).pl().schema for file in ASKED}
        return found | {name: dict(schema) for name, schema in answers.items()}


def empty_answers() -> dict[str, pl.DataFrame]:
    """Every answer that the site is drawn from, without a row."""
    return {f"reports.{file}": pl.DataFrame(schema=schemas()[f"reports.{file}"]) for file in ASKED}


def marts(**changed: list[dict[str, object]]) -> dict[str, pl.DataFrame]:
    """The rows of every mart; those named (without `mart.`) are replaced."""
    rows = ROWS | {f"mart.{name}": values for name, values in changed.items()}
    return {name: pl.DataFrame(values, schema=schemas()[name]) for name, values in rows.items()}


def answers(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """What the files of sql/reports say of these marts: of each file that reads nothing else."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA mart")
        for name, table in tables.items():
            connection.register("incoming", table.to_arrow())
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
        texts = {file: sql_text(f"reports/{file}.sql") for file in ASKED}
        return {
            f"reports.{file}": connection.sql(text).pl()
            for file, text in texts.items()
            if all(word in tables for word in sources(text))
        }


def sources(text: str) -> list[str]:
    """The tables that a query names."""
    return [word.strip("(),;") for word in text.split() if word.startswith(("mart.", "core.", "raw.", "ops."))]
