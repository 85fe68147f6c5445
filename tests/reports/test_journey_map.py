from statistics import fmean, pstdev, stdev

import polars as pl
import pytest

from reports.page import Grid
from reports.pages.journey_map import build
from reports.pages.map_surveys import score, survey_figure
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey
from transforms.journey import Journey


def grid(plan: Journey | None = None, **tables: pl.DataFrame) -> dict[str, list[list[str]]]:
    """The map's cells by row: for each stage the lines, each with its smaller line and mark."""
    page = build(View(full_tables() | tables, plan or journey(), facts()))[0]
    block = next(block for section in page.sections for block in section.blocks if isinstance(block, Grid))
    return {
        row.label: [
            [" | ".join(part for part in (item.text, item.note, item.mark) if part) for item in cell]
            for cell in row.cells
        ]
        for row in block.rows
    }


def test_contacts_stand_in_their_stage_with_their_counts():
    assert grid()["Touchpoints"] == [
        ["blog | 85.6% (77 of 90); 27.3% went on (21); mostly Email"],
        ["nothing seen"],
    ]


def test_the_last_stage_has_no_way_on():
    contacts = full_tables()["reports.map_contacts"].with_columns(stage=pl.lit("purchase"))

    assert "went on" not in grid(**{"reports.map_contacts": contacts})["Touchpoints"][1][0]


def test_a_planned_touchpoint_that_nobody_met_is_a_gap():
    assert grid()["Gaps"] == [["fair | open"], ["no touchpoint is planned | open"]]


def test_the_plan_says_who_answers_for_a_stage():
    assert grid()["Planned"] == [
        ["2 touchpoints planned", "Owner: Ben"],
        ["0 touchpoints planned", "No owner is named | open"],
    ]


def test_pains_are_lost_sessions_then_failures():
    assert grid()["Pain points"] == [
        ["blog | 140 of 205 sessions, 66 customers | bad"],
        ["payment_failed | 7 customers | bad"],
    ]


def test_the_net_promoter_score_is_tens_and_nines_less_sixes_and_below():
    assert grid()["What they say"] == [
        ["nobody was heard"],
        ["nps: +40 | 14 promoters and 4 detractors of 25 answers"],
    ]


def test_fewer_than_twenty_answers_give_no_score():
    few = full_tables()["reports.map_surveys"].with_columns(answers=pl.lit(19))

    assert grid(**{"reports.map_surveys": few})["What they say"][1][0].startswith("nps: too few to say")


def test_a_target_stands_with_its_verdict_and_its_owner():
    assert grid()["Targets"][1] == ["Lead conversion 30.0% | 21 of 70; missed: at least 50.0%; Ann | bad"]


def test_a_journey_without_stages_has_no_map():
    plan = journey().model_copy(update={"stages": ()})

    assert build(View(full_tables(), plan, facts())) == []


def test_the_pain_of_a_contact_grows_with_its_share_and_its_customers():
    row = full_tables()["reports.map_contacts"]
    contacts = pl.concat(
        [
            row.with_columns(touchpoint=pl.lit("rarely but always"), sessions=20, lost_sessions=20, lost_customers=20),
            row.with_columns(touchpoint=pl.lit("often and half"), sessions=400, lost_sessions=200, lost_customers=180),
            row.with_columns(touchpoint=pl.lit("too few"), sessions=19, lost_sessions=19, lost_customers=900),
        ]
    ).cast(dict(row.schema))

    pains = grid(**{"reports.map_contacts": contacts})["Pain points"][0]

    assert [line.split(" | ")[0] for line in pains] == ["often and half", "rarely but always"]


def test_a_touchpoint_to_come_is_there_once_it_was_met_and_one_to_go_is_gone_once_nobody_meets_it_any_more():
    future = [{"stage": "awareness", "description": "Talk of the town", "adds": ["podcast", "fair", "blog"]}]
    assert future_cells(future) == [
        "Talk of the town",
        "+ podcast | to come: no rule of the stage has this name yet | open",
        "+ fair | planned, met by nobody yet | open",
        "+ blog | there since 5 January 2026; 7 customers in the last 28 days | good",
    ]

    going = [{"stage": "awareness", "removes": ["fair", "blog"]}]
    assert future_cells(going) == [
        "− fair | never met | good",
        "− blog | still met; 7 customers in the last 28 days | open",
    ]
    assert future_cells(going, lately=0)[1].startswith("− blog | gone: last met on 1 March 2026")


def future_cells(future: list[dict[str, object]], *, lately: int = 7) -> list[str]:
    """The lines of the first stage in the row of the future."""
    plan = Journey.model_validate(journey().model_dump(mode="json", by_alias=True) | {"future": future})
    use = full_tables()["reports.touchpoint_use"].with_columns(customers_lately=pl.lit(lately, dtype=pl.Int64))
    return grid(plan, **{"reports.touchpoint_use": use})["Future"][0]


def test_a_journey_that_says_nothing_of_its_future_has_no_row_for_it():
    assert "Future" not in grid(journey().model_copy(update={"future": ()}))


def test_the_interval_of_a_net_promoter_score_is_that_of_a_difference_of_two_shares_of_one_sample():
    answers = [1.0] * 14 + [0.0] * 7 + [-1.0] * 4
    mean, error = fmean(answers), pstdev(answers) / 5 * 1.959963984540054
    row = {"survey": "nps", "answers": 25, "nine_or_more": 14, "six_or_less": 4, "four_or_more": 24, "mean_score": 8.0}

    told = score(row | {"squares": 1_650.0})

    assert (told.value, told.low, told.high) == pytest.approx((100 * mean, 100 * (mean - error), 100 * (mean + error)))


def test_the_interval_of_a_mean_score_is_that_of_a_mean():
    scores = [1.0, 2.0, 3.0, 4.0, 5.0] * 5
    row = {
        "survey": "ces",
        "answers": 25,
        "nine_or_more": 0,
        "six_or_less": 25,
        "four_or_more": 10,
        "mean_score": fmean(scores),
    }

    told = score(row | {"squares": sum(one * one for one in scores)})

    error = stdev(scores) / 5 * 1.959963984540054
    assert (told.value, told.low, told.high) == pytest.approx((3.0, 3.0 - error, 3.0 + error))


def test_scores_are_drawn_over_the_stages_and_a_stage_with_too_few_answers_breaks_the_line():
    row = full_tables()["reports.map_surveys"]
    surveys = pl.concat([row, row.with_columns(stage=pl.lit("awareness"), answers=pl.lit(19, dtype=pl.Int64))])
    figure = survey_figure(View(full_tables() | {"reports.map_surveys": surveys}, journey(), facts()))

    points = next(trace for trace in figure.chart.data if trace.mode == "lines+markers")
    assert list(points.y) == [None, pytest.approx(40.0)]
    assert list(figure.chart.layout.xaxis.ticktext) == ["awareness", "purchase"]


def test_stages_are_said_to_differ_in_a_survey_only_beyond_chance():
    row = full_tables()["reports.map_surveys"]
    low = row.with_columns(
        stage=pl.lit("awareness"), nine_or_more=pl.lit(2, dtype=pl.Int64), six_or_less=pl.lit(20, dtype=pl.Int64)
    )
    for other, words in (
        (low, "“nps” is lowest in “awareness”: −72"),
        (row.with_columns(stage=pl.lit("awareness")), "not differ between stages"),
    ):
        tables = full_tables() | {"reports.map_surveys": pl.concat([row, other])}
        assert words.lower() in survey_figure(View(tables, journey(), facts())).finding.lower()
