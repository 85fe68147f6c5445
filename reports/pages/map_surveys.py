"""What customers say along the journey: the scores of each survey, stage by stage."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import plotly.graph_objects as go
import polars as pl

from reports.charts.over_stages import StageLine, over_stages
from reports.page import Cell, Figure, Item
from reports.rates import Rate
from reports.segments import segment_query
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import chart_name, count, interval, name, net, percent, plural, quoted, sentence
from transforms.statistics import FEW, Z95


@dataclass(frozen=True)
class Score:
    """A survey's figure in one stage: as text, its value with the ends of its 95% interval (None: too few), and its counts."""

    text: str
    value: float | None
    low: float | None
    high: float | None
    counts: str
    span: str


def score(row: dict[str, Any]) -> Score:
    """NPS (−100 to 100), the share of the satisfied (CSAT), or the mean; a row of the answer map_surveys.

    NPS: promoters less detractors in hundredths of the answers, with the standard error of a difference of two shares of one
    sample, sqrt((p + d − (p − d)²) / n). Means: that of a mean. CSAT: Wilson's interval (semantics.md §9). The figures: semantics.md §11.
    """
    answers, survey = int(row["answers"]), str(row["survey"]).lower()
    if "csat" in survey:
        rate = Rate.of(row["four_or_more"], answers)
        words = (
            f"{count(row['four_or_more'])} of {plural(answers, 'answer')} with 4 or more",
            interval(rate.low, rate.high),
        )
        known = Score(percent(rate.value), rate.value, rate.low, rate.high, *words)
    elif "nps" in survey:
        promoters, detractors = row["nine_or_more"] / answers, row["six_or_less"] / answers
        ahead = promoters - detractors
        error = Z95 * sqrt((promoters + detractors - ahead**2) / answers)
        low, high = max(ahead - error, -1.0) * 100, min(ahead + error, 1.0) * 100
        words = (
            f"{count(row['nine_or_more'])} promoters and {count(row['six_or_less'])} detractors of {plural(answers, 'answer')}",
            f"{net(low)} to {net(high)}",
        )
        known = Score(net(ahead * 100), ahead * 100, low, high, *words)
    else:
        mean = row["mean_score"]
        spread = max(row["squares"] - answers * mean**2, 0.0) / max(answers - 1, 1)
        error = Z95 * sqrt(spread / answers)
        words = (plural(answers, "answer"), f"{mean - error:.1f}–{mean + error:.1f}")
        known = Score(f"{mean:.1f} on average", mean, mean - error, mean + error, *words)
    return known if answers >= FEW else Score("too few to say", None, None, None, known.counts, "–")


def survey_items(surveys: pl.DataFrame) -> tuple[Item, ...]:
    """The scores of a stage, as lines of the map."""
    rows = surveys.sort("survey").iter_rows(named=True)
    items = [Item(f"{name(row['survey'], limit=40)}: {(told := score(row)).text}", told.counts) for row in rows]
    return tuple(items) or (Item("nobody was heard"),)


def survey_figure(view: View) -> Figure:
    """The scores of each survey over the stages."""
    places = view.journey.stage_names
    rows = [
        (row, score(row))
        for row in view.table("reports.map_surveys").sort("survey").iter_rows(named=True)
        if row["stage"] in places
    ]
    rows.sort(key=lambda pair: (pair[0]["survey"], places.index(pair[0]["stage"])))
    lines = [
        cells(
            Cell(name(row["survey"]), name(row["stage"], limit=40)),
            count(row["answers"]),
            told.text,
            told.span,
            told.counts,
        )
        for row, told in rows
    ]
    columns = (*texts("Survey"), *numbers("Answers", "Figure", "95% interval"), *texts("Counts"))
    return Figure(
        "map-surveys",
        finding(rows),
        "The last answer of each customer to each survey, in the stage of their last contact before it. NPS: percentage of 9 and 10 "
        "less percentage of 0 to 6. CSAT: share of 4 and 5. Others: the mean. The bars are 95% intervals; a stage with fewer than "
        f"{FEW} answers has no point.",
        chart(places, rows),
        table(columns, lines),
        segment_query("map_surveys"),
    )  # fmt: skip


def finding(rows: list[tuple[dict[str, Any], Score]]) -> str:
    """The lowest stage of the survey with most answers, where it can be told from the highest."""
    surveys: dict[str, list[tuple[dict[str, Any], Score]]] = {}
    for row, told in rows:
        surveys.setdefault(row["survey"], []).append((row, told))
    answers = {survey: sum(row["answers"] for row, _ in own) for survey, own in surveys.items()}
    everything = f"{plural(sum(answers.values()), 'customer answer')} to {plural(len(surveys), 'survey')}"
    if not answers:
        return everything
    most = min(answers, key=lambda survey: (-answers[survey], survey))
    known = [(row, told) for row, told in surveys[most] if told.value is not None]
    if len(known) < 2:
        return everything
    lowest, highest = (choose(known, key=lambda pair: pair[1].value or 0.0) for choose in (min, max))
    is_apart = (lowest[1].high or 0.0) < (highest[1].low or 0.0)
    if not is_apart:
        return f"{everything}; {quoted(most)} does not differ between stages beyond chance"
    return (
        f"{sentence(quoted(most))} is lowest in {quoted(lowest[0]['stage'], limit=40)}: {lowest[1].text}, "
        f"and highest in {quoted(highest[0]['stage'], limit=40)}: {highest[1].text}"
    )


def chart(places: list[str], rows: list[tuple[dict[str, Any], Score]]) -> go.Figure | None:
    """A panel for each survey that has a figure in some stage; None where none has."""
    panels = []
    for survey in dict.fromkeys(row["survey"] for row, told in rows if told.value is not None):
        by_stage = {row["stage"]: told for row, told in rows if row["survey"] == survey}
        own = [by_stage.get(stage) for stage in places]
        panels.append(
            StageLine(
                f"{name(survey, limit=36)}: {unit(survey)}",
                [told.value if told else None for told in own],
                [told.low if told else None for told in own],
                [told.high if told else None for told in own],
                [hover(stage, told) for stage, told in zip(places, own, strict=True)],
                ".0%" if "csat" in survey.lower() else "~r",
            )
        )  # fmt: skip
    return over_stages(places, panels) if panels else None


def hover(stage: str, told: Score | None) -> str:
    """What pointing at a stage's point shows."""
    return f"<b>{chart_name(stage)}</b><br>{told.text} ({told.span})<br>{told.counts}" if told else ""


def unit(survey: str) -> str:
    """What a survey's figure is measured in."""
    kind = survey.lower()
    return "share of 4 and 5" if "csat" in kind else "−100 to 100" if "nps" in kind else "mean score"
