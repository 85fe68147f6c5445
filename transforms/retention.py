"""Retention: of the units that began in a period, how many come back in the periods since."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from transforms.contracts import MART_RETENTION, TIME

Period = Literal["hour", "day", "week", "sunday_week", "month"]
Kind = Literal["recurring", "first_time"]
Bucket = tuple[int, int | None]

EPOCH_MONDAY = 4  # 1970-01-05, in days since 1970-01-01
EPOCH_SUNDAY = 3


def weekly_retention(
    customers: pl.LazyFrame, events: pl.LazyFrame, *, time_zone: str, horizon: datetime | None
) -> pl.LazyFrame:
    """Purchasing customers by the week of their first purchase, and how many were active in each week since.

    In:  CORE_CUSTOMERS, CORE_EVENTS; `horizon` is the newest instant up to which the sources are complete.
    Out: MART_RETENTION in order of its key: for each ISO week of `time_zone` with a first purchase, one row per week
         from 0 to the age of the oldest cohort. A week that ends after the horizon holds null, not 0.

    Active is any counted event of the customer's own doing, or a conversion (a deal won is passive, yet a return).
    """
    is_return = pl.col("is_counted") & (pl.col("is_active") | pl.col("is_conversion"))
    starts = customers.select(unit_id="customer_id", occurred_at="first_purchase_at").drop_nulls()
    returns = events.filter(is_return).select("occurred_at", unit_id="customer_id")
    weeks = retention(starts, returns, period="week", kind="first_time", time_zone=time_zone, horizon=horizon)
    return MART_RETENTION.conform(
        weeks.select("cohort_size", "returned", cohort_week="cohort_start", week_number="bucket_from")
    )


def retention(
    starts: pl.LazyFrame,
    returns: pl.LazyFrame,
    *,
    period: Period,
    time_zone: str,
    horizon: datetime | None,
    kind: Kind = "recurring",
    minimum: int = 1,
    buckets: Sequence[Bucket] | None = None,
) -> pl.LazyFrame:
    """Of the units that began in a period, how many came back in each bucket of later periods.

    In:  `starts`, `returns`: unit_id, occurred_at; a row per event that begins, and per event that is a coming back.
    Out: cohort_start (local wall clock), bucket_from, bucket_to (periods since, inclusive; null: without end),
         cohort_size, returned; ordered by the first two.

    `recurring`: a unit is in the cohort of every period in which it began; `first_time`: only of its first.
    `minimum`: events that a unit needs within one period to have come back in it.
    `buckets`: (k, k) is n-day retention and the default, for every k up to the age of the oldest cohort; (k, None) is
    "on or after"; (a, b) is a bracket. A bucket that ends after the horizon holds null; one without end holds what is
    known once its first period is over. In period 0 every unit of the cohort is back. Source: semantics.md §11.
    """
    known = pl.col("occurred_at") <= pl.lit(horizon, dtype=TIME)
    number = period_number(pl.col("occurred_at"), period=period, time_zone=time_zone)
    current = period_number(pl.lit(horizon, dtype=TIME), period=period, time_zone=time_zone)
    begun = starts.filter(known).select("unit_id", cohort=number).unique()
    cohorts = begun.group_by("unit_id").agg(pl.col("cohort").min()) if kind == "first_time" else begun
    back = (
        returns.filter(known)
        .group_by("unit_id", back=number)
        .len()
        .filter(pl.col("len") >= minimum)
        .select("unit_id", "back")
    )
    ages = (
        cohorts.join(back, on="unit_id")
        .select("unit_id", "cohort", age=pl.col("back") - pl.col("cohort"))
        .filter(pl.col("age") > 0)
    )
    started = cohorts.select("unit_id", "cohort", age=pl.lit(0, dtype=pl.Int64))
    sizes = cohorts.group_by("cohort").agg(cohort_size=pl.len())
    grid = sizes.join(_buckets(cohorts, buckets, current), how="cross")
    returned = _returned(pl.concat([started, ages]), buckets)
    is_over = pl.col("cohort") + pl.coalesce("bucket_to", "bucket_from") < current
    return (
        grid.join(returned, on=["cohort", "bucket_from", "bucket_to"], how="left", nulls_equal=True)
        .sort("cohort", "bucket_from", "bucket_to")
        .select(
            "bucket_from",
            "bucket_to",
            "cohort_size",
            cohort_start=period_start(pl.col("cohort"), period=period),
            returned=pl.when(is_over).then(pl.col("returned").fill_null(0)),
        )
        .select("cohort_start", "bucket_from", "bucket_to", "cohort_size", "returned")
    )


def period_number(instant: pl.Expr, *, period: Period, time_zone: str) -> pl.Expr:
    """The number of the period of the local wall clock that an instant lies in; consecutive periods differ by 1."""
    local = instant.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    days = local.dt.date().cast(pl.Int32).cast(pl.Int64)
    match period:
        case "hour":
            return days * 24 + local.dt.hour()
        case "day":
            return days
        case "week":
            return (days - EPOCH_MONDAY) // 7
        case "sunday_week":
            return (days - EPOCH_SUNDAY) // 7
        case "month":
            return local.dt.year().cast(pl.Int64) * 12 + local.dt.month() - 1


def period_start(number: pl.Expr, *, period: Period) -> pl.Expr:
    """The first instant of a period by its number, as time of the local wall clock."""
    match period:
        case "hour":
            return (number * 3_600_000_000).cast(pl.Datetime("us"))
        case "day":
            return number.cast(pl.Int32).cast(pl.Date).cast(pl.Datetime("us"))
        case "week":
            return (number * 7 + EPOCH_MONDAY).cast(pl.Int32).cast(pl.Date).cast(pl.Datetime("us"))
        case "sunday_week":
            return (number * 7 + EPOCH_SUNDAY).cast(pl.Int32).cast(pl.Date).cast(pl.Datetime("us"))
        case "month":
            return pl.datetime(number // 12, number % 12 + 1, 1)


def _returned(ages: pl.LazyFrame, buckets: Sequence[Bucket] | None) -> pl.LazyFrame:
    """Units of each cohort that came back in each bucket."""
    if buckets is None:
        each = ages.group_by("cohort", bucket_from="age").agg(returned=pl.len())
        return each.with_columns(bucket_to="bucket_from")
    age = pl.col("age")
    return pl.concat(
        ages.filter((age >= first) & (age <= last if last is not None else True))
        .group_by("cohort")
        .agg(returned=pl.col("unit_id").n_unique())
        .with_columns(bucket_from=pl.lit(first, dtype=pl.Int64), bucket_to=pl.lit(last, dtype=pl.Int64))
        for first, last in buckets
    )


def _buckets(cohorts: pl.LazyFrame, buckets: Sequence[Bucket] | None, current: pl.Expr) -> pl.LazyFrame:
    """The buckets asked for, or one per period from 0 to the age of the oldest cohort."""
    schema = {"bucket_from": pl.Int64, "bucket_to": pl.Int64}
    if buckets is not None:
        return pl.LazyFrame(buckets, schema=schema, orient="row")
    oldest = cohorts.select(age=current - pl.col("cohort").min()).filter(pl.col("age").is_not_null())
    each = oldest.select(bucket_from=pl.int_ranges(0, pl.col("age") + 1)).explode("bucket_from")
    return each.with_columns(bucket_to="bucket_from")
