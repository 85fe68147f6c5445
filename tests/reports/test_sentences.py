from datetime import timedelta

import polars as pl
import pytest

from reports.charts.curve import arrival_curve
from reports.charts.dots import axis_end, reaches_beyond
from reports.page import Figure, Page, Tile, Tiles
from reports.pages import attribution, data_quality, definitions, funnel, overview, touchpoints
from reports.pages.funnel import leg_sentence, passed_words
from reports.view import View
from tests.reports.small_site import HORIZON, facts, full_tables, journey, rows
from transforms.journey import Journey


def page(module, changed: dict[str, pl.DataFrame] | None = None, **known: object) -> Page:
    return module.build(View(full_tables() | (changed or {}), journey(), facts(**known)))[0]


def figure(page: Page, slug: str) -> Figure:
    return next(
        block
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Figure) and block.slug == slug
    )


def tiles(page: Page) -> list[Tile]:
    return [
        tile
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Tiles)
        for tile in block.tiles
    ]


def legs(*medians: float | None) -> pl.DataFrame:
    numbers = range(len(medians))
    return pl.DataFrame(
        {"from_step": [f"a{n}" for n in numbers], "to_step": [f"b{n}" for n in numbers], "median_seconds": medians},
        schema_overrides={"median_seconds": pl.Float64},
    )


def touchpoint_rows(*exits: tuple[str, int, int]) -> dict[str, pl.DataFrame]:
    given = ({"stage": "awareness", "touchpoint": one, "sessions": seen, "exits": ends} for one, seen, ends in exits)
    counted = {"events": 1, "customers": 1, "converted_sessions": 0}
    return {"reports.touchpoints": rows("mart.touchpoints", *(row | counted for row in given))}


@pytest.mark.parametrize(
    ("medians", "text"),
    [
        ((60.0, 120.0), "The slowest part is from “a1” to “b1”: half have done it within 2\u00a0min"),
        ((60.0, None), "The slowest part is from “a1” to “b1”: fewer than half have done it"),
        (
            (60.0, None, None),
            "The 2 slowest of 3 parts are done by fewer than half; then comes from “a0” to “b0”: half have done it within 1\u00a0min",
        ),
        ((None, None), "No step is followed by the next for half of those who reach it"),
    ],
)
def test_a_part_whose_median_is_not_reached_is_slower_than_any_other(medians, text):
    assert leg_sentence(legs(*medians)) == text


def test_the_tiles_of_certainty_say_that_they_count_first_attempts():
    shown = tiles(page(funnel))

    assert all("first attempts" in tile.label for tile in shown)
    assert shown[0].label == "Matured, first attempts whose 7\u00a0days have passed"
    assert not [tile for tile in shown if "final" in tile.basis]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=7), "7\u00a0days have passed"),
        (timedelta(hours=1), "1\u00a0h has passed"),
        (timedelta(days=1, hours=2), "1\u00a0day 2\u00a0h have passed"),
    ],
)
def test_a_window_that_is_over_has_passed(length, text):
    assert passed_words(length) == text


def test_optional_steps_are_explained_only_where_there_are_some():
    assert figure(page(funnel), "steps").table.note == ""

    steps = full_tables()["mart.funnel_steps"].with_columns(is_optional=pl.col("step_number") == 2)

    assert "optional step" in figure(page(funnel, {"mart.funnel_steps": steps}), "steps").table.note


def test_a_funnel_names_its_own_horizon():
    assert page(funnel).eyebrow.endswith("this funnel is known up to 2026-03-31 12:00 UTC")


def test_the_touchpoint_with_most_ends_is_given_its_share_of_all_ends():
    exits = touchpoint_rows(("blog", 90, 31), ("cart", 80, 69), ("shop", 300, 100))

    assert (
        page(touchpoints, exits).heading
        == "More sessions end at “shop” than at any other touchpoint: 100 of 200 (50.0%)"
    )


def test_two_touchpoints_with_as_many_ends_are_no_first():
    exits = touchpoint_rows(("blog", 90, 30), ("cart", 80, 30))

    assert page(touchpoints, exits).heading == "60 sessions ended at a touchpoint, at no single one more than elsewhere"


def test_a_share_of_ends_comes_with_its_counts_and_not_from_a_few():
    exits = touchpoint_rows(("support", 19, 19), ("cart", 80, 60))

    finding = figure(page(touchpoints, exits), "exits").finding

    assert finding.endswith("ends at “cart”: 60 of 80 (75.0%)")


def test_the_lead_says_that_a_funnel_is_counted_over_all_time():
    assert "Over all time, in “checkout” most stop between “choose” and “pay”: 13 of 53." in page(overview).lead


def test_customers_seen_first_are_compared_with_first_sessions_only():
    first = tiles(page(overview))[0]

    assert (first.label, first.basis) == ("Customers seen first", "first sessions; 56 in the 28 days before")


@pytest.mark.parametrize(("metric", "text"), [("bounce_rate", "at most 50.0%"), ("repeat_rate", "at least 50.0%")])
def test_a_target_says_on_which_side_it_is_met(metric, text):
    kpis = full_tables()["mart.kpis"].with_columns(metric=pl.lit(metric))

    assert text in [cell.text for cell in figure(page(overview, {"mart.kpis": kpis}), "targets").table.rows[0]]


def test_models_that_disagree_are_counted():
    credited = [("first", "Ads", 2), ("first", "Email", 1), ("last", "Email", 2), ("linear", "Email", 2)]
    credit = rows(
        "mart.attribution",
        *(
            {"model": model, "channel": channel, "currency": "EUR", "conversions_ppm": number * 1_000_000}
            for model, channel, number in credited
        ),
    )

    markov = {"reports.attribution_markov": full_tables()["reports.attribution_markov"].clear()}

    assert page(attribution, {"mart.attribution": credit} | markov).heading == (
        "“Email” gets most credit by 2 of 3 ways of sharing it, “Ads” by 1"
    )


def test_a_source_that_ends_early_is_named_on_the_first_page():
    view = View(full_tables(), journey(), facts(held_back_by="calls"))

    notice = overview.notices(view)[0]

    assert notice.text == (
        "Known only up to 2026-03-31 12:00 UTC, where the source “calls” ends. If it is complete beyond that, say so with complete_to."
    )
    assert overview.notices(View(full_tables(), journey(), facts())) == []
    assert view.facts.horizon == HORIZON


def test_a_heading_begins_with_a_capital_letter():
    assert page(data_quality, rows_in=50_000, quarantined=8).heading.startswith("Under 0.1%")


def test_a_contact_is_listed_once_in_a_stage():
    contact = {"name": "cart", "when": {"event": "cart_viewed"}}
    stage = {"name": "buy", "phases": [{"name": name, "touchpoints": [contact]} for name in ("fill", "pay")]}
    plan = Journey.model_validate({"name": "Shop", "stages": [stage]})

    assert definitions.stage_words("buy", View(full_tables(), plan, facts())) == "Contacts: “cart”."


def test_an_axis_of_small_shares_has_digits_that_tell_its_ticks_apart():
    points = pl.DataFrame({"seconds": [0.0, 60.0], "share": [0.0, 0.02], "low": [0.0, 0.01], "high": [0.0, 0.03]})

    assert arrival_curve(points).layout.yaxis.tickformat == ".1%"


def test_the_interval_of_a_small_group_does_not_stretch_the_axis():
    groups = pl.DataFrame({"part": [10, 1], "whole": [100, 21], "low": [0.05, 0.01], "high": [0.17, 0.23]})

    assert axis_end(groups) == pytest.approx(0.17 * 1.08)
    assert reaches_beyond(groups)
    assert not reaches_beyond(groups.head(1))
