from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import yaml

from transforms.contracts import TIME
from transforms.events import build_timeline
from transforms.journey import Journey
from transforms.stages import rules_of, stage_entries

PRESETS = Path(__file__).resolve().parents[2] / "pipelines" / "presets"
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
STAGES = {
    "ecommerce": ["awareness", "consideration", "purchase", "retention", "advocacy"],
    "saas": ["awareness", "acquisition", "adoption", "renewal", "expansion", "advocacy"],
    "b2b": [
        "out of market", "problem recognition", "initial consideration", "active evaluation", "purchase decision",
        "implementation", "loyalty",
    ],
    "support": ["opened", "triaged", "in progress", "resolved", "confirmed"],
}  # fmt: skip

Event = dict[str, object]


@cache
def preset(name: str) -> Journey:
    return Journey(**yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8")))


def timeline(name: str, *events: Event) -> pl.LazyFrame:
    """One customer's events, a day apart, so that each has its own visit."""
    rows = [
        {
            "customer_id": "ann",
            "source": "web",
            "event_id": f"{n:02d}",
            "occurred_at": START + timedelta(days=n),
            **event,
        }
        for n, event in enumerate(events)
    ]
    owned = pl.LazyFrame(rows, schema_overrides={"occurred_at": TIME}, infer_schema_length=None)
    return build_timeline(owned, journey=preset(name)).collect().lazy()


def page(path: str, **said: str) -> Event:
    return {"event": "page_view", "hostname": "www.shop.example", "path": path, **said}


def did(event: str, **said: str) -> Event:
    return {"event": event, **said}


AD = {"utm_source": "facebook", "utm_medium": "paid_social"}


@pytest.mark.parametrize("name", STAGES)
def test_a_preset_has_its_stages_in_the_order_of_the_journey(name):
    assert preset(name).stage_names == STAGES[name]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_touchpoints(name):
    assert {rule.stage for rule in rules_of(preset(name))} == set(STAGES[name])


@pytest.mark.parametrize("name", STAGES)
def test_the_stages_of_funnels_and_figures_exist(name):
    journey = preset(name)
    used = {step.stage for funnel in journey.funnels for step in funnel.steps if step.stage}
    used |= {kpi.stage for kpi in journey.kpis}

    assert used <= set(journey.stage_names)
    assert len(journey.funnels) >= 4


@pytest.mark.parametrize("name", STAGES)
def test_a_preset_has_no_sources(name):
    assert "sources" not in yaml.safe_load((PRESETS / f"{name}.yaml").read_text("utf-8"))


def test_the_shop_s_funnels_are_broken_down_by_device_and_channel():
    broken_down = [funnel for funnel in preset("ecommerce").funnels if funnel.breakdowns]

    assert len(broken_down) >= 4
    assert {breakdown.by for funnel in broken_down for breakdown in funnel.breakdowns} == {("device",), ("channel",)}


@pytest.mark.parametrize("name", STAGES)
def test_no_rule_is_out_of_reach(name):
    rules = rules_of(preset(name))

    hidden = [
        later.touchpoint for place, later in enumerate(rules) for earlier in rules[:place] if later.when == earlier.when
    ]
    assert hidden == []


# ---------------------------------------------------------------- worked examples


SCENARIOS = {
    "a shoe buyer": (
        "ecommerce",
        [
            (did("ad_clicked", channel="Paid Social"), "awareness"),
            (page("/", **AD), "awareness"),
            (page("/c/shoes"), "consideration"),
            (did("add_to_cart"), "purchase"),
            (did("email_clicked", properties='{"campaign": "abandoned_cart"}'), "purchase"),
            (did("coupon_applied"), "purchase"),
            (did("order_placed"), "purchase"),
            (did("order_returned"), "retention"),
            (did("review_posted"), "advocacy"),
        ],
    ),
    "a buyer who came by a social ad": (
        "ecommerce",
        [
            (page("/p/kettle", **AD), "awareness"),
            (page("/p/kettle"), "consideration"),
            (page("/compare"), "consideration"),
            (did("order_placed"), "purchase"),
            (did("ticket_opened", object="ticket"), "retention"),
            (did("email_opened"), "retention"),
        ],
    ),
    "an ad that brings a customer back": (
        "ecommerce",
        [
            (page("/", **AD), "awareness"),
            (page("/", utm_source="facebook", utm_medium="retargeting"), "consideration"),
            (did("order_placed"), "purchase"),
            (page("/", **AD), "retention"),
            (did("order_placed"), "retention"),
        ],
    ),
    "an article found by a search": (
        "ecommerce",
        [
            (page("/blog/how-rods-are-made", referrer="https://www.google.com/"), "awareness"),
            (page("/compare/rods"), "consideration"),
            (page("/reviews"), "consideration"),
            (did("order_placed"), "purchase"),
            (page("/reviews"), "retention"),
            (page("/pricing"), "retention"),
        ],
    ),
    "a trial after an e-mail": (
        "saas",
        [
            (did("form_submitted"), "acquisition"),
            (did("email_opened"), "acquisition"),
            (did("trial_started"), "acquisition"),
            (did("subscription_started"), "acquisition"),
        ],
    ),
    "a subscription from report to recommendation": (
        "saas",
        [
            (page("/reports/2026", referrer="https://www.linkedin.com/"), "awareness"),
            (page("/vs/others"), "awareness"),
            (page("/pricing"), "acquisition"),
            (did("demo_requested"), "acquisition"),
            (did("trial_started"), "acquisition"),
            (did("feature_used"), "acquisition"),
            (did("subscription_started"), "acquisition"),
            (did("feature_used"), "adoption"),
            (did("ticket_opened"), "adoption"),
            (did("survey_answered"), "renewal"),
            (did("subscription_renewed"), "renewal"),
            (page("/pricing"), "expansion"),
            (did("subscription_upgraded"), "expansion"),
            (did("referral_made"), "advocacy"),
        ],
    ),
    "a company from idea to loyalty": (
        "b2b",
        [
            (page("/blog/trends"), "out of market"),
            (did("content_downloaded"), "problem recognition"),
            (page("/case-studies/acme"), "initial consideration"),
            (did("form_submitted"), "initial consideration"),
            (did("demo_requested"), "active evaluation"),
            (did("deal_stage_entered", state="Engaging"), "active evaluation"),
            (did("proposal_sent"), "purchase decision"),
            (did("deal_stage_entered", state="Negotiation"), "purchase decision"),
            (did("deal_won"), "purchase decision"),
            (did("training_attended"), "implementation"),
            (did("meeting_held"), "implementation"),
            (did("survey_answered"), "loyalty"),
            (did("deal_created"), "loyalty"),
        ],
    ),
    "a lost sale": ("b2b", [(did("deal_created"), "active evaluation"), (did("deal_lost"), "purchase decision")]),
    "a ticket from question to thanks": (
        "support",
        [
            (did("ticket_opened", object="ticket"), "opened"),
            (did("ticket_assigned", object="ticket"), "triaged"),
            (did("ticket_replied", object="ticket"), "in progress"),
            (did("ticket_closed", object="ticket"), "resolved"),
            (did("survey_answered", object="survey"), "confirmed"),
        ],
    ),
    "a ticket whose states are one kind of event": (
        "support",
        [
            (did("ticket_stage_entered", state=state), stage)
            for state, stage in (
                ("new", "opened"),
                ("assigned", "triaged"),
                ("Pending", "in progress"),
                ("solved", "resolved"),
            )
        ],
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_worked_example_maps_to_its_stages(scenario):
    name, story = SCENARIOS[scenario]

    mapped = timeline(name, *(event for event, _ in story)).collect()["stage"].to_list()

    assert mapped == [stage for _, stage in story]


def test_a_shoe_buyer_walks_forward_through_all_five_stages():
    _, story = SCENARIOS["a shoe buyer"]

    entries = stage_entries(
        timeline("ecommerce", *(event for event, _ in story)), journey=preset("ecommerce")
    ).collect()

    assert entries["stage"].to_list() == STAGES["ecommerce"]
    assert set(entries["direction"]) == {"forward"}


def test_a_step_back_is_told_as_one():
    retargeted = page("/", utm_source="facebook", utm_medium="retargeting")
    events = timeline("ecommerce", page("/", **AD), did("add_to_cart"), retargeted)

    entries = stage_entries(events, journey=preset("ecommerce")).collect()

    assert entries["direction"].to_list() == ["forward", "skip", "back"]
