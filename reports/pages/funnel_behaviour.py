"""Funnel behaviour: what goes together with completing a funnel, and what those did next who stopped; a part of each funnel's page."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.funnel_counts import FunnelCounts
from reports.page import Cell, Figure, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import PERIOD_DAYS, View
from reports.words import count, duration, name, percent, plural, quoted, sentence
from transforms.statistics import FEW

MOST_DRIVERS, MOST_NEXT = 6, 6
NOTHING = "(nothing more)"
ASSOCIATION = (
    "An association, never a cause: who does something may have meant to complete anyhow. The odds are adjusted for other activity and for the "
    "breakdowns; it stands out at a false discovery rate of 5%."
)


def behaviour_sections(view: View, counts: FunnelCounts) -> list[Section]:
    """What goes with completing, and what they did instead; nothing where neither is known. Reads funnel_drivers and funnel_instead."""
    drivers = view.answer("funnel_drivers").filter(pl.col("funnel") == counts.name)
    instead = view.answer("funnel_instead").filter(pl.col("funnel") == counts.name)
    parts = []
    if not instead.is_empty():
        parts.append(Section("What they did instead", (instead_figure(instead, counts),)))
    if not drivers.is_empty():
        parts.append(Section("What goes together with completing", (driver_figure(drivers, counts),), ASSOCIATION))
    return parts


def driver_figure(drivers: pl.DataFrame, counts: FunnelCounts) -> Figure:
    """Drivers with their shares, those that stand out first."""
    rows = drivers.sort(
        pl.col("stands_out").fill_null(False),
        "q_value",
        "kind",
        "driver",
        descending=[True, False, False, False],
        nulls_last=True,
    )
    with_it = counts.rates(rows["with_converted"].to_list(), rows["with_units"].to_list())
    without = counts.rates(rows["without_converted"].to_list(), rows["without_units"].to_list())
    lines = list(zip(rows.iter_rows(named=True), with_it, without, strict=True))
    clear = [line for line in lines if line[0]["stands_out"]]
    sides = (((row, "with", has), (row, "without", lacks)) for row, has, lacks in clear[:MOST_DRIVERS])
    dots = [(f"{label(row)}: {side}", rate) for both in sides for row, side, rate in both]
    watched = duration(rows["landmark_seconds"][0])
    return Figure(
        "drivers",
        driver_sentence(clear, counts, rows.height),
        f"What {counts.units} did, or were, in the first {watched} after they entered, and how many of those who had not completed by then "
        "did later.",
        rate_dots(dots) if dots else None,
        table(
            (
                *texts("What"),
                *rate_columns("Completed with it", "Had it"),
                *rate_columns("Completed without", "Had it not"),
                *numbers("Odds ratio", "95% interval"),
            ),
            [
                cells(
                    Cell(label(row), "stands out" if row["stands_out"] else ""),
                    *rate_cells(has),
                    *rate_cells(lacks),
                    "–" if row["odds_ratio"] is None else f"{row['odds_ratio']:.2f}",
                    "–"
                    if row["odds_ratio_low"] is None
                    else f"{row['odds_ratio_low']:.2f}–{row['odds_ratio_high']:.2f}",
                )
                for row, has, lacks in lines
            ],
        ),
        Query("funnel_drivers"),
        rows=drivers.drop("funnel"),
    )


def label(row: dict[str, str]) -> str:
    """Something done, or the breakdown with its value."""
    return name(row["driver"]) if row["kind"] == "event" else f"{name(row['kind'])}: {name(row['driver'])}"


def driver_sentence(clear: list[tuple[dict[str, str], Rate, Rate]], counts: FunnelCounts, looked_at: int) -> str:
    """The driver that stands out most."""
    if not clear:
        return f"Nothing stands out among {plural(looked_at, 'thing')} that {counts.units} did or were early on"
    row, has, lacks = clear[0]
    lacking = f"without it {percent(lacks.value)} ({lacks.counts})"
    return f"With {quoted(label(row))} early on {percent(has.value)} complete later ({has.counts}), {lacking}"


def instead_figure(instead: pl.DataFrame, counts: FunnelCounts) -> Figure:
    """The next thing that those did who stopped, by the last step they had done."""
    rows = [(row, Rate.without_interval(row["attempts"], row["of_attempts"])) for row in instead.iter_rows(named=True)]
    lost = (
        instead.group_by("step_number")
        .agg(pl.col("of_attempts").first())
        .sort("of_attempts", "step_number", descending=[True, False])
    )
    worst = lost.row(0, named=True)
    first = [(row, rate) for row, rate in rows if row["step_number"] == worst["step_number"]]
    return Figure(
        "instead",
        instead_sentence(first),
        "The next event of the customer’s own within the window, of first attempts that stopped for good, from the newest "
        f"{PERIOD_DAYS} days of entry in which that is known.",
        rate_dots([(doing(row["contact"]), rate) for row, rate in first[:MOST_NEXT]]),
        table(
            (
                *texts("Stopped after", "Did next"),
                *numbers(sentence(counts.units), "Of those who stopped there", "Share"),
            ),
            [
                cells(
                    f"{row['step_number']}. {name(row['step_name'])}",
                    Cell(doing(row["contact"])),
                    count(rate.part),
                    count(rate.whole),
                    rate.text,
                )
                for row, rate in rows
            ],
        ),
        Query("funnel_instead"),
        rows=instead.drop("funnel"),
    )


def doing(contact: str) -> str:
    """A contact as something done."""
    return "nothing more" if contact == NOTHING else name(contact)


def instead_sentence(first: list[tuple[dict[str, str], Rate]]) -> str:
    """What most of those did who stopped where most do."""
    row, rate = first[0]
    if rate.whole < FEW:
        return f"Too few stopped after {quoted(row['step_name'])} to say what they did instead"
    what = "did nothing more" if row["contact"] == NOTHING else f"next came to {quoted(row['contact'])}"
    return f"Of those who stopped after {quoted(row['step_name'])}, {rate.text} {what}: {rate.counts}"
