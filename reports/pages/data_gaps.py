"""Data gaps: how late events come in, what all but stopped, and how much is known at each step; a part of the page of data quality."""

import polars as pl

from reports.charts.steps import Line, step_lines
from reports.page import Cell, Figure, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, table, texts
from reports.tracking import silences
from reports.words import chart_name, count, day, name, plural, quoted, sentence, short_day

BY = {
    "in_a_minute": "within a minute", "in_an_hour": "within an hour", "in_a_day": "within a day", "in_two_days": "within two days",
    "in_a_week": "within a week", "in_thirty_days": "within thirty days",
}  # fmt: skip


def lateness_sections(sources: pl.DataFrame) -> list[Section]:
    """How long events take to come in; nothing where no source tells."""
    return [] if sources.is_empty() else [Section("How late events come", (lateness_figure(sources),))]


def lateness_figure(sources: pl.DataFrame) -> Figure:
    """The share of each source's events that had come in by each time."""
    rows = [
        (row, [Rate.without_interval(row[column], row["events"]) for column in BY])
        for row in sources.iter_rows(named=True)
    ]
    latest = min(rows, key=lambda pair: (pair[1][2].value or 0.0, pair[0]["source"]))
    within = latest[1][2]
    return Figure(
        "lateness",
        f"{sentence(within.text)} of the events of {quoted(latest[0]['source'])} come in within a day: {within.counts}"
        if within.says_enough
        else "Too few events to say how late they come",
        "From when an event happened to when it was received, of sources that tell it. A visit can be counted once its late rows are in.",
        step_lines(
            [
                Line(
                    chart_name(row["source"]),
                    list(range(len(BY))),
                    [rate.value for rate in rates],
                    [f"{rate.text} {words}" for rate, words in zip(rates, BY.values(), strict=True)],
                )
                for row, rates in rows
            ],
            axis="Received within",
        ).update_xaxes(
            tickvals=list(range(len(BY))), ticktext=[words.removeprefix("within ") for words in BY.values()]
        ),
        table(
            (*texts("Source"), *numbers("Events", *(sentence(words) for words in BY.values()))),
            [cells(name(row["source"]), count(row["events"]), *(rate.text for rate in rates)) for row, rates in rows],
        ),
        Query("lateness"),
    )


def silence_figure(days: pl.DataFrame) -> Figure:
    """Events that all but stopped for some days."""
    found = silences(days)
    looked_at = days.select("source", "event").unique().height
    first = found[0] if found else None
    return Figure(
        "silences",
        f"{sentence(quoted(first.event))} all but stopped from {short_day(first.first)} to {day(first.last)}: {count(first.events)} events, "
        f"where {count(first.usual)} are usual"
        if first
        else f"None of {plural(looked_at, 'event')} has stopped for two days or more",
        "Two days or more at a tenth or less of what is usual on these weekdays, where 20 or more are: a tag, an app or an export may be broken. "
        "It may also be that nobody did it.",
        None,
        table(
            (*texts("Event", "From", "To"), *numbers("Events", "Usual"), *texts("State")),
            [
                cells(
                    Cell(name(run.event), name(run.source)),
                    f"{run.first:%Y-%m-%d}",
                    f"{run.last:%Y-%m-%d}",
                    count(run.events),
                    count(run.usual),
                    "goes on" if run.goes_on else "over",
                )
                for run in found
            ],
        ),
        Query("event_days"),
    )


def coverage_figures(coverage: pl.DataFrame) -> list[Figure]:
    """Of those at each step, how many have a value of what the funnel is broken down by; nothing without a breakdown."""
    if coverage.is_empty():
        return []
    rows = [(row, Rate.without_interval(row["known"], row["reached"])) for row in coverage.iter_rows(named=True)]
    judged = [(row, rate) for row, rate in rows if rate.says_enough]
    worst = min(
        judged,
        key=lambda pair: (pair[1].value, pair[0]["funnel"], pair[0]["breakdown"], pair[0]["step_number"]),
        default=None,
    )
    return [
        Figure(
            "coverage",
            coverage_sentence(worst),
            "Of those who reach each step of a funnel, how many have a known value of each of its breakdowns. Where it falls from one step to the "
            "next, the later step is told without it.",
            None,
            table(
                (*texts("Funnel", "Broken down by", "Step"), *numbers("Known", "Reached it", "Share")),
                [
                    cells(
                        name(row["funnel"]),
                        Cell(name(row["breakdown"])),
                        f"{row['step_number']}. {name(row['step_name'])}",
                        count(rate.part),
                        count(rate.whole),
                        rate.text,
                    )
                    for row, rate in rows
                ],
                most=200,
            ),
            Query("breakdown_coverage"),
        )
    ]


def coverage_sentence(worst: tuple[dict[str, str], Rate] | None) -> str:
    """Where least is known."""
    if worst is None:
        return "Too few reach a step to say how much is known of them"
    row, rate = worst
    if rate.part == rate.whole:
        return "Every breakdown of every funnel is known at every step"
    return f"Least is known of {quoted(row['breakdown'])} at {quoted(row['step_name'])} in {quoted(row['funnel'])}: {rate.text} ({rate.counts})"
