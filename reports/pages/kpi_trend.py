"""Key figures over time: each by month, with its counts; a part of the overview."""

from datetime import date
from typing import Any

import polars as pl

from reports.charts.steps import Line, step_lines
from reports.findings import LOWER_IS_BETTER, metric_words
from reports.page import Cell, Figure, Query
from reports.rates import Difference, Rate
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import chart_name, name, percent, quoted
from transforms.statistics import FALSE_DISCOVERY_RATE, benjamini_hochberg

MOST_LINES = 4
Moved = tuple[dict[str, Any], dict[str, Any], Difference]


def trend_figures(view: View) -> list[Figure]:
    """The key figures month by month, in the order of journey.yaml; nothing without any. Reads mart.kpis and the answer kpi_months."""
    months = view.answer("kpi_months")
    if months.is_empty():
        return []
    axis = months["month"].unique().sort().to_list()
    place = {key: number for number, key in enumerate(view.table("mart.kpis").select("stage", "metric").rows())}
    found = sorted(of_figures(months).items(), key=lambda pair: (place.get(pair[0], len(place)), pair[0]))
    figures = [(key, list(rows.sort("month").iter_rows(named=True))) for key, rows in found]
    return [
        Figure(
            "kpi-trend",
            sentence_of([moved for _, rows in figures if (moved := newest_change(rows))]),
            "By the month in which customers were first seen, or first in the stage, or bought first, or the session began. Where a figure is not "
            "final, newer months have had less time and are lower for that alone.",
            step_lines(
                [line(key, rows, axis) for key, rows in figures[:MOST_LINES]], axis="Month", is_stepped=False
            ).update_xaxes(tickvals=list(range(len(axis))), ticktext=[f"{month:%b %y}" for month in axis]),
            table(
                (*texts("Figure", "Month"), *numbers("Share", "Counts"), *texts("State")),
                [
                    cells(
                        Cell(words(key), name(key[0])),
                        f"{row['month']:%Y-%m}",
                        rate_of(row).text,
                        rate_of(row).counts,
                        "final" if row["is_final"] else "so far",
                    )
                    for key, rows in figures
                    for row in reversed(rows)
                ],
                most=200,
            ),
            Query("kpi_months"),
        )
    ]


def of_figures(months: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    """The months of each key figure, by its stage and metric."""
    return {
        (str(stage), str(metric)): rows
        for (stage, metric), rows in months.partition_by("stage", "metric", as_dict=True).items()
    }


def words(key: tuple[str, str]) -> str:
    """What a key figure is called."""
    return metric_words(key[1]).capitalize()


def rate_of(row: dict[str, Any]) -> Rate:
    """A month's share with its counts."""
    return Rate.without_interval(row["numerator"], row["denominator"])


def line(key: tuple[str, str], rows: list[dict[str, Any]], axis: list[date]) -> Line:
    """A key figure over the months in which it can be told."""
    told = [row for row in rows if rate_of(row).says_enough]
    return Line(
        chart_name(f"{words(key)}, {key[0]}"),
        [axis.index(row["month"]) for row in told],
        [rate_of(row).value for row in told],
        [
            f"{row['month']:%b %Y}: {rate_of(row).text} ({rate_of(row).counts}){'' if row['is_final'] else ', so far'}"
            for row in told
        ],
    )


def newest_change(rows: list[dict[str, Any]]) -> Moved | None:
    """The two newest months that are final and can be told, and how they differ; None while there are not two.

    None of sessions as well: one customer has several, so that they are no sample to be tested.
    """
    final = [row for row in rows if row["is_final"] and row["metric"] != LOWER_IS_BETTER and rate_of(row).says_enough]
    if len(final) < 2:
        return None
    before, now = final[-2:]
    difference = Difference.of(rate_of(now), rate_of(before))
    return (before, now, difference) if difference else None


def sentence_of(moved: list[Moved]) -> str:
    """The key figure that moved most surely between its two newest final months, or that none did."""
    tested = [found for found in moved if found[2].p_value is not None]
    if not tested:
        return "No key figure has two months yet that can be compared"
    values = pl.DataFrame({"p": [difference.p_value for *_, difference in tested]}, schema={"p": pl.Float64})
    q_values = values.select(benjamini_hochberg(pl.col("p")))["p"].to_list()
    surest = min(
        range(len(tested)), key=lambda place: (q_values[place], tested[place][1]["metric"], tested[place][1]["stage"])
    )
    (before, now, difference), q_value = tested[surest], q_values[surest]
    if q_value > FALSE_DISCOVERY_RATE:
        return "No key figure moved by more than chance between its two newest months that are over"
    way = "rose" if difference.value > 0 else "fell"
    return (
        f"{words((now['stage'], now['metric']))} of {quoted(now['stage'])} {way} from {percent(difference.there.value)} in {before['month']:%B} to "
        f"{percent(difference.here.value)} in {now['month']:%B %Y} ({difference.here.counts})"
    )
