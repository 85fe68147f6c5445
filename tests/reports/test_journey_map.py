import polars as pl

from reports.page import Grid
from reports.pages.journey_map import build
from reports.view import View
from tests.reports.small_site import facts, full_tables, journey


def grid(**tables: pl.DataFrame) -> dict[str, list[list[str]]]:
    """The map's cells by row: for each stage the lines, each with its smaller line and mark."""
    page = build(View(full_tables() | tables, journey(), facts()))[0]
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
