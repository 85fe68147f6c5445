"""The pages over the marts: what they say, and when they are there at all."""

from datetime import date

import pytest

from reports.charts.flow import EXIT, flow_bands
from reports.page import Figure, Page
from reports.pages import (
    accounts,
    adoption,
    attribution,
    carts,
    deals,
    friction,
    funnel_change,
    identity,
    retention,
    stages,
    subscriptions,
    support,
    voice,
)
from reports.pages.funnel_change import step_sentence
from reports.rates import Difference, Rate
from reports.render import Link, grouped
from reports.site import build_pages
from reports.view import View
from tests.reports.small_marts import answers, marts
from tests.reports.small_site import empty_tables, facts, full_tables, journey

OF_MARTS = (friction, carts, deals, retention, subscriptions, accounts, adoption, attribution, support, voice)


def page(module: object, **changed: list[dict[str, object]]) -> Page:
    """The only page of a module, with the rows of some marts changed."""
    tables = full_tables()
    reach = {"mart.stage_reach": tables["mart.stage_reach"]}
    (built,) = module.build(View(tables | answers(marts(**changed) | reach), journey(), facts()))  # type: ignore[attr-defined]
    return built


def figure(built: Page, slug: str) -> Figure:
    """A figure of a page."""
    return next(
        block
        for section in built.sections
        for block in section.blocks
        if isinstance(block, Figure) and block.slug == slug
    )


def cell_texts(shown: Figure) -> list[list[str]]:
    """The texts of a figure's table."""
    return [[cell.text for cell in row] for row in shown.table.rows]


@pytest.mark.parametrize("module", OF_MARTS, ids=lambda module: module.__name__)
def test_a_page_is_there_only_when_the_data_has_it(module):
    assert module.build(View(empty_tables(), journey(), facts())) == []


def test_without_data_the_stages_and_identity_say_so():
    view = View(empty_tables(), journey(), facts())

    (stage_page,), (identity_page,) = stages.build(view), identity.build(view)

    assert figure(stage_page, "flow").finding == "Nobody has entered a stage yet"
    assert figure(stage_page, "stuck").finding == "Nobody is in a stage yet"
    assert figure(stage_page, "velocity").finding == "Too few customers to say how long it takes"
    assert identity_page.heading == "Nobody has been seen yet"


def test_every_band_of_the_flow_is_a_move_and_every_stage_keeps_its_customers():
    drawn = flow_bands(View(full_tables(), journey(), facts()).answer("stage_flow"), stages=["awareness", "purchase"])

    link, node = drawn.data[0].link, drawn.data[0].node
    into, out = ({place: 0 for place in range(len(node.customdata))} for _ in range(2))
    for source, target, value in zip(link.source, link.target, link.value, strict=True):
        out[source] += value
        into[target] += value
    passed = {place for place in into if into[place] and out[place]}
    assert sum(link.value) == 37 + 53 + 10 + 37
    assert passed and all(into[place] == out[place] for place in passed)


def test_who_never_moved_on_is_counted_of_everybody():
    assert figure(page(stages), "flow").finding == (
        "63.0% are still in the stage they entered first: 63 of 100; most others went from “awareness” to “purchase”"
    )


def test_a_flow_of_few_customers_shows_no_share():
    few = [
        {"move": 1, "from_stage": "(start)", "to_stage": "awareness", "customers": 9, "from_customers": 9},
        {"move": 2, "from_stage": "awareness", "to_stage": EXIT, "customers": 9, "from_customers": 9},
    ]

    shown = figure(page(stages, stage_flow=few), "flow")

    assert shown.finding == "Too few customers to say which way most go"
    assert "too few to say" in cell_texts(shown)[0]


def test_a_cohort_is_empty_after_the_horizon_and_in_counts_when_it_is_small():
    shown = cell_texts(figure(page(retention), "cohorts"))

    assert shown == [["2026-03-09", "9", ""], ["2026-03-02", "40", "27.5%"]]


def test_cohorts_are_put_together_only_where_their_week_is_over():
    shown = cell_texts(figure(page(retention), "retention-curve"))

    assert shown == [["1", "11", "40", "27.5%", "16.1–42.8%", "1"]]


def test_carts_with_time_left_are_in_no_share():
    shown = figure(page(carts), "cart-states")

    assert (
        shown.finding
        == "Of carts not ordered within a day, 13.8% are ordered later: 11 of 80 (95% interval 7.9–23.0%), worth EUR 275.00"
    )
    assert cell_texts(shown)[0] == ["Ordered within a day", "20", "100", "20.0%", "13.3–28.9%"]


def test_deals_under_twenty_have_no_curve():
    few = [{"object": "deal", "outcome": "won", "day": 3, "records": 19, "happened": 5, "open": 14, "share": 0.3}]

    shown = figure(page(deals, competing_outcomes=few), "outcomes-deal")

    assert shown.chart is None
    assert cell_texts(shown) == [["won", "3", "5", "19", "too few to say"]]


def test_a_purchaser_s_cost_is_what_was_spent_on_one():
    shown = figure(page(attribution), "acquisition")

    assert shown.finding == "A purchaser from “google / cpc” cost most: EUR 50.00"
    assert cell_texts(shown)[0][4:] == ["28.6–52.6%", "EUR 1,200.00", "700", "EUR 20.00", "EUR 50.00"]


def test_where_no_cost_is_known_the_page_says_so():
    built = page(attribution, ad_spend=[])

    assert any(
        "No source tells what advertising costs" in getattr(block, "text", "")
        for section in built.sections
        for block in section.blocks
    )


def test_the_markov_chain_stands_beside_the_other_models():
    shown = figure(page(attribution), "credit")

    assert [label for label, _ in shown.table.columns] == [
        "Channel",
        "Shared equally",
        "Markov chain (what would be lost without it)",
    ]
    assert shown.table.rows[0][2].text == "30.0"


def test_the_first_of_friction_is_the_page_s_finding():
    built = page(friction)

    assert built.heading == "Most customers are affected at “blog”: 31 of 77 (40.3%)"


def test_support_counts_only_what_is_old_enough():
    assert page(support).heading == "71.8% were answered within a day: 28 of 39"


def test_promoters_stand_beside_detractors():
    shown = figure(page(voice), "survey-nps")

    assert shown.finding == "25 answers to “nps”: +40 (promoters 14, detractors 4)"
    assert cell_texts(shown) == [["March 2026", "14", "25", "56.0%", "37.1–73.3%", "7", "4", "+40"]]


def test_few_answers_show_no_score():
    few = [
        {"month": date(2026, 3, 1), "survey": "nps", "touchpoint_before": "(all)", "answers": 6, "mean_score": 9.0}
        | {"promoters": 6, "passives": 0, "detractors": 0, "nps": 100.0},
    ]

    built = page(voice, voice_of_customer=few)

    assert built.heading == "6 answers to “nps”: too few to say what customers think"
    assert cell_texts(figure(built, "survey-nps"))[0][-1] == "too few to say"


def test_a_subscription_with_two_risks_counts_in_both_and_once_on_top():
    built = page(subscriptions)

    assert built.heading == "25 of 30 subscriptions go on, 7 of them at risk (28.0%)"
    assert [row[:3] for row in cell_texts(figure(built, "risks"))] == [["paused", "7", "25"], ["quiet", "7", "25"]]


def test_renewals_are_of_those_that_were_decided():
    assert (
        figure(page(subscriptions), "renewal-rate").finding
        == "80.8% of decisions were renewals: 21 of 26 (95% interval 62.1–91.5%)"
    )


def test_accounts_and_adoption_count_of_how_many():
    assert page(accounts).heading == "9 of 24 accounts have bought (37.5%)"
    assert page(adoption).heading == "44.0% of purchasers reach “blog” within 90 days"


def test_a_list_of_customers_is_not_what_is_offered_for_download():
    for module, slug in ((stages, "stuck-longest"), (identity, "largest"), (accounts, "accounts")):
        kept = figure(page(module), slug).rows

        assert kept is not None
        assert not {"customer_id", "account_id"} & set(kept.columns)


def test_the_parts_of_a_change_are_told_with_both_rates():
    view = View(full_tables(), journey(), facts())

    (section,) = funnel_change.change_sections(view, view.funnels[0])
    steps, groups = section.blocks

    assert (
        steps.finding
        == "The total rate fell from 60.0% to 50.0%, which may be chance; most of it at “choose” (−6.0 points)"
    )
    assert groups.finding == (
        "By “channel”: +1.0 points because others came, −11.0 points because groups convert otherwise; most by “Email” (−9.0 points, rate)"
    )


def test_the_menu_puts_pages_of_a_group_under_one_name():
    links = [
        Link("Overview", "index.html"),
        *(Link(label, label, group="Journey") for label in "ab"),
        Link("c", "c", group="Marketing"),
    ]

    found = grouped(links)

    assert [(group.label, [link.label for link in group.links]) for group in found] == [
        ("", ["Overview"]),
        ("Journey", ["a", "b"]),
        ("", ["c"]),
    ]


def test_every_page_of_the_site_stands_in_a_group_but_the_first():
    pages = build_pages(View(full_tables(), journey(), facts()))

    assert [built.label for built in pages if not built.group] == ["Overview"]


def test_where_nothing_is_wrong_identity_says_so():
    built = page(identity, identity_bridges=[], identity_shared=[], identity_blocked=[])

    assert figure(built, "bridges").finding == "No customer hangs on a single pair of identifiers"
    assert figure(built, "shared").finding == "No browser or device is shared"
    assert figure(built, "blocked").finding == "No row gave an identifier that names nobody"


def test_a_rate_that_reads_the_same_before_and_after_is_said_to_have_stayed():
    difference = Difference.of(Rate.of(5_901, 100_000), Rate.of(5_899, 100_000))
    assert difference is not None

    assert step_sentence(difference, []) == "The total rate stayed at 5.9%"
