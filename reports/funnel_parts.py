"""Funnel parts: a funnel's first attempts by month of entry and by group, to be chosen from in the page."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import polars as pl

from reports.funnel_counts import FunnelCounts
from reports.page import Choices, Figure, Option, Query
from reports.rates import Rate
from reports.tables import cells, numbers, table, texts
from reports.words import count, interval, name, plain, plural, share
from transforms.statistics import FEW

MOST_NUMBERS = 6_000
"""Counts that a page may carry, so that it stays small; the groups that do not fit are told."""
LONGEST_KEY = 100
EVERYBODY, ALL_TIME = Option("", "Everybody"), Option("", "All time")


def parts_figure(parts: pl.DataFrame, counts: FunnelCounts, funnels: Sequence[FunnelCounts]) -> Figure | None:
    """The steps of first attempts, of everybody or of those a reader chooses; None where nobody entered.

    In: the answer funnel_parts.
    """
    here = parts.filter(pl.col("funnel") == counts.name)
    if here.is_empty():
        return None
    found = choices(here, counts, funnels)
    reached, still_open = (
        [sum(period[0][side][step] for period in found.counts) for step in range(len(found.optional))]
        for side in (0, 1)
    )
    rates = counts.rates(reached, [reached[0]] * len(reached))
    before = {step: reached[place] for step, place in enumerate(last_mandatory(found.optional))}
    lines = [
        cells(
            f"{number + 1}. {name(step_name)}",
            count(rate.part),
            share(rate.part, before[number]) if number else "–",
            share(rate.part, rate.whole),
            interval(rate.low, rate.high),
            count(waiting),
        )
        for number, (step_name, rate, waiting) in enumerate(
            zip(counts.steps["step_name"], rates, still_open, strict=True)
        )
    ]
    return Figure(
        "parts",
        parts_sentence(next(rate for rate, skips in zip(rates[::-1], found.optional[::-1], strict=True) if not skips)),
        f"First attempts, by the month in which they began. A month whose {counts.units} still have time may rise yet.{left_out(here, found)}",
        None,
        table(
            (
                *texts("Step"),
                *numbers("Reached it", "Step rate", "Of all who entered", "95% interval", "Still have time"),
            ),
            lines,
        ),
        Query("funnel_parts"),
        is_open=True,
        rows=here.drop("funnel"),
        choices=found,
    )


def parts_sentence(done: Rate) -> str:
    """How many completed; the page says the same of what is chosen."""
    sure = (
        f" – {done.text}" + (f", 95% interval {done.interval}" if done.low is not None else "")
        if done.whole >= FEW
        else " – too few to say a share"
    )
    return f"Everybody, all time: {done.counts} completed{sure}"


def left_out(here: pl.DataFrame, found: Choices) -> str:
    """How many groups do not fit into the page; nothing where all do."""
    groups = here.filter(pl.col("breakdown").is_not_null()).select("breakdown", "value").n_unique()
    number = groups - (len(found.groups) - 1)
    return (
        f" The {plural(number, 'smallest group is', 'smallest groups are')} left out here; the SQL gives them."
        if number
        else ""
    )


def last_mandatory(optional: tuple[bool, ...]) -> list[int]:
    """For each step the place of the last one before it that everybody has to do; 0 for the first."""
    places = [0]
    for step in range(1, len(optional)):
        places.append(step - 1 if not optional[step - 1] else places[-1])
    return places


def choices(here: pl.DataFrame, counts: FunnelCounts, funnels: Sequence[FunnelCounts]) -> Choices:
    """What can be chosen, with the counts of each."""
    months = here["month"].unique().sort().to_list()
    steps = counts.steps.height
    groups = (
        here.filter(pl.col("breakdown").is_not_null())
        .group_by("breakdown", "value")
        .agg(entered=pl.col("entered").sum())
    )
    ordered = (
        groups.sort("entered", "breakdown", "value", descending=[True, False, False])
        .select("breakdown", "value")
        .rows()
    )
    kept = sorted(ordered[: max(0, MOST_NUMBERS // (2 * steps * len(months)) - 1)])
    rows = here.sort("breakdown", "value", "month", "step_number").iter_rows(named=True)
    numbers_of = {key: both_of(list(found)) for key, found in groupby(rows, itemgetter("breakdown", "value", "month"))}
    nobody = (0,) * steps, (0,) * steps
    everybody_and_groups: list[tuple[str | None, str | None]] = [(None, None), *kept]
    return Choices(
        periods=(ALL_TIME, *(Option(f"{month:%Y-%m}", f"{month:%B %Y}") for month in months)),
        groups=(
            EVERYBODY,
            *(Option(key_of(f"{breakdown}={value}"), f"{name(breakdown)}: {name(value)}") for breakdown, value in kept),
        ),
        counts=tuple(
            tuple(numbers_of.get((*group, month), nobody) for group in everybody_and_groups) for month in months
        ),
        optional=tuple(counts.steps["is_optional"].to_list()),
        has_intervals=counts.is_independent,
        elsewhere=tuple(Option(other.file, name(other.name)) for other in funnels),
        here=counts.file,
    )


def both_of(rows: list[dict[str, int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many reached each step, and how many still have time at it."""
    return tuple(row["reached"] for row in rows), tuple(row["still_open"] for row in rows)


def key_of(text: str) -> str:
    """A name for the address: the text itself where it is short and plain, else what can be shown of it and a part of its hash."""
    shown = plain(text, limit=LONGEST_KEY)
    return text if shown == text else f"{shown}~{sha256(text.encode()).hexdigest()[:8]}"
