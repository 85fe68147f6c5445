"""Waits: from each stage of the journey to each later one, how long every customer was watched, and who got there."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.contracts import TIME
from transforms.journey import Journey
from transforms.kernels import Schema, number_of_each, places_by, run_whole

MICROSECOND = timedelta(microseconds=1)
NEVER = np.iinfo(np.int64).max
READS = ("customer_id", "place", "entry_number", "entered_us")

Numbers = NDArray[Any]


def stage_waits(
    entries: pl.LazyFrame,
    *,
    journey: Journey,
    horizon: datetime | None,
    window: timedelta | None,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
) -> pl.LazyFrame:
    """For each customer and stage entered in the range, a row for each later stage of the journey.

    In:  CORE_STAGE_ENTRIES of whole customers; `horizon`, up to which the sources are complete (None: no events); `window`,
         the time to get there (None: up to the horizon); `time_from` (inclusive) and `time_to` (exclusive) of the entries.
    Out: from_stage, to_stage (Enum, in order of the journey); is_event, whether the customer got there in time; is_closed,
         whether the time is up; waited, the time watched from the first entry in the range (µs). In no particular order.

    Who entered the later stage at a bare date, midnight of the day of the earlier entry, waited for no time.
    """
    stages = pl.Enum(journey.stage_names)
    known = entries.filter(pl.col("entered_at") <= pl.lit(horizon, dtype=TIME)).select(
        "customer_id",
        "entry_number",
        place=pl.col("stage").cast(stages, strict=False).to_physical().cast(pl.Int64),
        entered_us=pl.col("entered_at").to_physical(),
    )
    kernel = partial(
        _waits,
        stages=stages,
        until=_microseconds(horizon, otherwise=0),
        window=None if window is None else window // MICROSECOND,
        began_from=_microseconds(time_from, otherwise=-NEVER),
        began_to=_microseconds(time_to, otherwise=NEVER),
    )
    return run_whole(known.filter(pl.col("place").is_not_null()), kernel, reads=READS, gives=_gives(stages))


def _gives(stages: pl.Enum) -> Schema:
    return {
        "from_stage": stages,
        "to_stage": stages,
        "is_event": pl.Boolean,
        "is_closed": pl.Boolean,
        "waited": pl.Int64,
    }


def _microseconds(instant: datetime | None, *, otherwise: int) -> int:
    """An instant as core tables hold it, in µs since 1970."""
    return otherwise if instant is None else int(pl.select(pl.lit(instant, dtype=TIME).to_physical()).item())


def _waits(
    known: pl.DataFrame, *, stages: pl.Enum, until: int, window: int | None, began_from: int, began_to: int
) -> pl.DataFrame:
    """The rows of `stage_waits`, by a table of customers and stages in numbers, which takes half the memory of joins on ids."""
    count = len(stages.categories)
    numbers = number_of_each(known.select("customer_id"))
    ordered = known.with_columns(customer=numbers.cast(pl.Int64))[
        places_by(numbers, known["entry_number"].cast(pl.Int64))
    ]
    customer, place, entered = (ordered[name].to_numpy() for name in ("customer", "place", "entered_us"))
    shape = (int(customer.max(initial=-1)) + 1, count)
    first = _first_rows(customer, place, np.flatnonzero((entered >= began_from) & (entered < began_to)), shape)
    parts = [pl.DataFrame(schema=_gives(stages))]
    for here in range(count - 1):
        reached = _reached(customer, place, entered, first[:, here], here, shape)
        who = np.flatnonzero(first[:, here] >= 0)
        began = entered[first[who, here]]
        closes = np.full(len(who), until) if window is None else began + window
        for there in range(here + 1, count):
            got_there = reached[who, there]
            is_event = got_there <= closes
            watched_until = np.where(is_event, got_there, np.minimum(closes, until))
            parts.append(
                pl.DataFrame(
                    {
                        "from_stage": pl.repeat(stages.categories[here], len(who), dtype=stages, eager=True),
                        "to_stage": pl.repeat(stages.categories[there], len(who), dtype=stages, eager=True),
                        "is_event": is_event,
                        "is_closed": closes <= until,
                        "waited": np.maximum(watched_until, began) - began,
                    }
                )
            )
    return pl.concat(parts)


def _first_rows(customer: Numbers, place: Numbers, rows: Numbers, shape: tuple[int, int]) -> Numbers:
    """For each customer and stage the first of these rows, -1 for none; rows are in order of entry."""
    first = np.full(shape, -1)
    first[customer[rows[::-1]], place[rows[::-1]]] = rows[::-1]
    return first


def _reached(
    customer: Numbers, place: Numbers, entered: Numbers, began: Numbers, here: int, shape: tuple[int, int]
) -> Numbers:
    """For each customer and stage after `here`, the earliest instant among the entries after the row `began`, else NEVER."""
    began_of = began[customer]
    later = np.flatnonzero((began_of >= 0) & (np.arange(len(customer)) > began_of) & (place > here))
    reached = np.full(shape, NEVER)
    np.minimum.at(reached, (customer[later], place[later]), entered[later])
    return reached
