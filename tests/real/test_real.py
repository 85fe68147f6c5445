"""Real and published data sets: read by the product's own readers, compared with figures that others published."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import answers, funnel_answers
from pipelines.funnel_answers import Asked
from pipelines.night import Night
from pipelines.publish import publish_warehouse
from pipelines.readers.ga4 import EVENTS
from pipelines.report_inputs import LastNight, asking_once, report_tables, site_facts
from pipelines.run import build_tables, run_in_process
from pipelines.settings import Workspace
from pipelines.warehouse import create_macros_and_views
from reports.findings import findings
from reports.view import View

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the published data sets are not beside the checkout")


class Loaded:
    """A workspace after its night, to be asked in SQL."""

    def __init__(self, place: Workspace) -> None:
        self.place = place

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return answers.sql(self.place, query)[1]

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def steps(self, funnel: str, **asked: Any) -> list[int]:
        return [step["count"] for step in funnel_answers.funnel(self.place, funnel, Asked(**asked))["steps"]]

    def stored_steps(self, funnel: str) -> list[int]:
        query = f"SELECT reached FROM mart.funnel_steps WHERE funnel = '{funnel}' ORDER BY step_number"
        return [row[0] for row in self.rows(query)]


def load(name: str, folder: Path) -> Loaded:
    """A data set after a night as people run it, with checks and report."""
    place = workspace(name, folder, (HERE / name / "journey.yaml").read_text())
    assert run_in_process(place, say=lambda _line: None) == []
    return Loaded(place)


def load_otherwise(name: str, folder: Path, *, replace: tuple[str, str]) -> Loaded:
    """The tables and views of a data set by another rule, without checks and report."""
    text = (HERE / name / "journey.yaml").read_text()
    assert replace[0] in text
    place = workspace(name, folder, text.replace(*replace))
    night = Night(place)
    build_tables(night)
    with night.warehouse.writing() as connection:
        list(create_macros_and_views(connection))
    publish_warehouse(night.warehouse, place.published)
    return Loaded(place)


def workspace(name: str, folder: Path, journey: str) -> Workspace:
    shutil.copytree(DATA / name, folder / "landing")
    (folder / "journey.yaml").write_text(journey)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    return Workspace(folder)


@pytest.fixture(scope="module")
def clique_bait(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("clique_bait", tmp_path_factory.mktemp("clique_bait"))


@pytest.fixture(scope="module")
def merch_store(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("ga_merch_store_20170801", tmp_path_factory.mktemp("merch_store"))


@pytest.fixture(scope="module")
def demo_shop(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("retentioneering_synthetic", tmp_path_factory.mktemp("demo_shop"))


@pytest.fixture(scope="module")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("maven_crm_sales", tmp_path_factory.mktemp("maven"))


@pytest.fixture(scope="module")
def ga4(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("ga4_merch_store_sampled", tmp_path_factory.mktemp("ga4"))


@pytest.fixture(scope="module")
def onboarding(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("mobile_onboarding_events", tmp_path_factory.mktemp("onboarding"))


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("completejourney_retail_crm", tmp_path_factory.mktemp("retail"))


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load("cdnow", tmp_path_factory.mktemp("cdnow"))


# ---------------------------------------------------------------- clique_bait


def test_clique_bait_every_event_is_loaded_and_cookies_become_500_customers(clique_bait: Loaded) -> None:
    assert clique_bait.one("SELECT count(*) FROM core.events") == 32_734
    assert clique_bait.one("SELECT count(*) FROM core.customers") == 500
    assert clique_bait.one("SELECT count(*) FROM core.identity_map WHERE namespace = 'anonymous_id'") == 1_782


def test_clique_bait_funnel_by_visit(clique_bait: Loaded) -> None:
    assert clique_bait.one("SELECT count(*) FROM core.sessions") == 3_564
    assert clique_bait.stored_steps("visit") == [3_564, 2_653, 2_510, 2_103, 1_777]


def test_clique_bait_funnel_by_customer_best_and_first(clique_bait: Loaded) -> None:
    assert clique_bait.stored_steps("customer_best") == [500, 499, 492, 484]
    assert clique_bait.stored_steps("customer_first") == [500, 490, 441, 405]


@pytest.mark.parametrize(("per", "sessions"), [("customer", 3_471), ("visitor", 3_480)])
def test_clique_bait_sessions_by_the_timeout(per: str, sessions: int, tmp_path: Path) -> None:
    loaded = load_otherwise("clique_bait", tmp_path / per, replace=("per: given", f"per: {per}"))

    assert loaded.one("SELECT count(*) FROM core.sessions") == sessions


# ---------------------------------------------------------------- ga_merch_store_20170801


def test_merch_store_hits_and_sessions_by_the_timeout(merch_store: Loaded) -> None:
    assert merch_store.one("SELECT count(*) FROM core.events") == 13_233
    assert merch_store.one("SELECT count(*) FROM core.sessions") == 2_513
    assert merch_store.stored_steps("checkout_by_session") == [425, 144, 72, 30]
    assert merch_store.stored_steps("checkout_by_visitor") == [394, 133, 67, 30]


def test_merch_store_given_sessions_channels_and_funnel(tmp_path: Path) -> None:
    given = load_otherwise("ga_merch_store_20170801", tmp_path / "given", replace=("per: customer", "per: given"))

    assert given.one("SELECT count(*) FROM core.sessions") == 2_556
    assert given.stored_steps("checkout_by_session") == [430, 145, 71, 29]
    assert dict(given.rows("SELECT channel, count(*) FROM core.sessions GROUP BY channel")) == {
        "Organic Search": 1_346,
        "Referral": 436,
        "Direct": 400,
        "Social": 213,
        "Paid Search": 70,
        "Affiliates": 52,
        "Display": 39,
    }


# ---------------------------------------------------------------- retentioneering_synthetic


def test_demo_shop_duplicates_and_sessions(demo_shop: Loaded) -> None:
    assert demo_shop.rows("SELECT rows_in, loaded, duplicate FROM ops.balances") == [(31_106, 31_076, 30)]
    assert demo_shop.one("SELECT count(*) FROM core.sessions") == 3_605


def test_demo_shop_checkout_bug_on_mobile_stands_out(demo_shop: Loaded) -> None:
    inside = {"from_day": "2024-04-09", "to_day": "2024-05-09"}

    assert demo_shop.steps("shipping_ordered", **inside) == [60, 16]
    assert (
        demo_shop.steps("shipping_ordered", to_day="2024-04-08")[0]
        + demo_shop.steps("shipping_ordered", from_day="2024-05-10")[0]
        == 201
    )
    assert (
        demo_shop.steps("shipping_ordered", to_day="2024-04-08")[1]
        + demo_shop.steps("shipping_ordered", from_day="2024-05-10")[1]
        == 105
    )


def test_demo_shop_overview_names_the_step_the_segment_and_the_days_of_both_leaks(demo_shop: Loaded) -> None:
    night = LastNight(demo_shop.place)
    with night.warehouse.opened():
        tables = report_tables(night, asking_once(night.warehouse))
        told = findings(View(tables, night.journey, site_facts(night)))

    assert [finding.headline for finding in told if finding.topic == "What happened"] == [
        "From 20 May to 9 June 2024, fewer went on from “payment_details” to “purchase”: 38.3% instead of 84.7%",
        "From 15 Apr to 5 May 2024, fewer of “mobile” went on from “shipping_details” to “payment_details”: 30.4% instead of 75.8%",
    ]


def test_demo_shop_any_order_counts_sessions_that_hold_both(demo_shop: Loaded) -> None:
    by_session = """
        SELECT
            sessions.started_at::DATE BETWEEN DATE '2024-04-09' AND DATE '2024-05-09' AS inside,
            count(*) FILTER (WHERE list_contains(event_names, 'shipping_details')) AS shipping,
            count(*) FILTER (WHERE depth = 2) AS both
        FROM mart.funnel_entrants AS entrants
        INNER JOIN core.sessions AS sessions ON sessions.session_id = entrants.unit_id
        INNER JOIN (
            SELECT session_id, list(event) AS event_names FROM core.events WHERE device = 'mobile' GROUP BY session_id
        ) AS held ON held.session_id = entrants.unit_id
        WHERE funnel = 'shipping_any' AND is_best
        GROUP BY inside
        ORDER BY inside
    """

    assert demo_shop.rows(by_session) == [(False, 201, 155), (True, 60, 22)]


@pytest.mark.parametrize(
    ("funnel", "steps"),
    [
        ("shop_no_window", [600, 596, 502, 419, 315, 209, 109]),
        ("shop_best", [600, 591, 410, 267, 145, 66, 24]),
        ("shop_first", [600, 482, 154, 86, 35, 13, 4]),
        ("short_no_window", [598, 517, 401, 281, 146]),
        ("short_best", [598, 487, 333, 190, 70]),
        ("short_first", [598, 194, 94, 37, 14]),
    ],
)
def test_demo_shop_funnels_by_customer(demo_shop: Loaded, funnel: str, steps: list[int]) -> None:
    assert demo_shop.stored_steps(funnel) == steps


def test_demo_shop_strictly_later_steps_lose_a_tie(demo_shop: Loaded) -> None:
    assert demo_shop.stored_steps("short_increasing")[2] == 332


# ---------------------------------------------------------------- maven_crm_sales


def test_maven_won_of_closed_and_value(maven: Loaded) -> None:
    won, closed, value = maven.rows(
        """
        SELECT
            count(*) FILTER (WHERE event = 'deal_won'),
            count(*) FILTER (WHERE event IN ('deal_won', 'deal_lost')),
            sum(value_minor) FILTER (WHERE event = 'deal_won')
        FROM core.events
        """
    )[0]

    assert (won, closed, value) == (4_238, 6_711, 1_000_553_400)
    assert round(100 * won / closed, 2) == 63.15


def test_maven_undated_rows_are_accounted_for(maven: Loaded) -> None:
    assert maven.rows("SELECT rows_in, loaded, quarantined FROM ops.balances") == [(8_800, 8_300, 500)]
    assert maven.rows("SELECT DISTINCT reason FROM raw.quarantine") == [("missing_time",)]


# ---------------------------------------------------------------- ga4_merch_store_sampled


def test_ga4_rows_own_sessions_and_orders(ga4: Loaded) -> None:
    figures = json.loads((DATA / "ga4_merch_store_sampled" / "figures.json").read_text())

    assert ga4.rows("SELECT rows_in, loaded FROM ops.balances") == [(24_219, 24_219)]
    assert ga4.one("SELECT count(DISTINCT visit_id) FROM raw.web_events") == 20_705
    assert ga4.one("SELECT count(DISTINCT anonymous_id) FROM raw.web_events") == figures["pseudo_users"]
    assert ga4.one("SELECT count(*) FROM raw.exports") == figures["n_days"]
    assert ga4.rows("SELECT count(*), sum(value_minor) FROM core.events WHERE event = 'order_placed'") == [
        (624, 100 * figures["purchase_revenue_usd"])
    ]


def test_ga4_events_by_name(ga4: Loaded) -> None:
    figures = json.loads((DATA / "ga4_merch_store_sampled" / "figures.json").read_text())["events"]

    assert dict(ga4.rows("SELECT event, count(*) FROM core.events GROUP BY event")) == {
        EVENTS.get(name, name): count for name, count in figures.items()
    }


# ---------------------------------------------------------------- mobile_onboarding_events


def test_onboarding_funnel(onboarding: Loaded) -> None:
    assert onboarding.one("SELECT count(*) FROM core.events") == 30_943
    assert onboarding.stored_steps("onboarding") == [4_120, 2_160, 2_038, 289, 174]


def test_onboarding_sessions_with_and_without_the_marks(onboarding: Loaded, tmp_path: Path) -> None:
    without = load_otherwise(
        "mobile_onboarding_events", tmp_path / "without", replace=("passive: []", "passive: [passed, lost]")
    )

    assert onboarding.one("SELECT count(*) FROM core.sessions") == 4_272
    assert without.one("SELECT count(*) FROM core.sessions") == 4_242


# ---------------------------------------------------------------- completejourney_retail_crm


@pytest.mark.heavy
def test_retail_line_items_add_up_to_baskets(retail: Loaded) -> None:
    lines = retail.one("SELECT loaded FROM ops.balances WHERE source = 'baskets'")
    baskets = retail.rows("SELECT count(*), sum(value_minor) FROM core.events WHERE event = 'order_placed'")

    assert (lines, baskets) == (1_469_307, [(155_848, 459_603_958)])
    assert retail.one("SELECT count(*) FROM core.customers") == 2_469


@pytest.mark.heavy
def test_retail_funnels(retail: Loaded) -> None:
    assert retail.stored_steps("any order") == [2_469, 1_559, 410]
    assert retail.stored_steps("in order") == [2_469, 1_540, 409]
    assert retail.stored_steps("sent to redeemed") == [1_559, 410]


@pytest.mark.heavy
def test_retail_campaigns_by_type(retail: Loaded) -> None:
    sent = "SELECT properties->>'campaign_type', count(*) FROM core.events WHERE event = 'campaign_sent' GROUP BY 1"

    assert dict(retail.rows(sent)) == {"Type A": 3_647, "Type B": 2_368, "Type C": 574}


# ---------------------------------------------------------------- cdnow

REPEAT_BUYERS = "SELECT count(*) FROM (SELECT customer_id FROM core.events GROUP BY customer_id HAVING count(*) > 1)"


def test_cdnow_equal_rows_are_orders_of_their_own(cdnow: Loaded) -> None:
    assert cdnow.rows("SELECT count(*), sum(value_minor) FROM core.events") == [(69_659, 250_031_563)]
    assert cdnow.one("SELECT count(*) FROM core.customers") == 23_570
    assert cdnow.one(REPEAT_BUYERS) == 11_662
    assert cdnow.stored_steps("second order") == [23_570, 11_662]


def test_cdnow_equal_rows_collapsed(tmp_path: Path) -> None:
    collapsed = load_otherwise(
        "cdnow", tmp_path / "collapsed", replace=("identical_rows: keep", "identical_rows: collapse")
    )

    assert collapsed.rows("SELECT count(*), sum(value_minor) FROM core.events") == [(69_404, 249_598_275)]
    assert collapsed.one(REPEAT_BUYERS) == 11_642


UNBALANCED = """
    SELECT path FROM ops.balances
    WHERE rows_in <> loaded + duplicate + conflict + superseded + quarantined + suppressed + blank
"""


@pytest.mark.parametrize(
    "name",
    [
        "clique_bait",
        "merch_store",
        "demo_shop",
        "maven",
        "ga4",
        "onboarding",
        "cdnow",
        pytest.param("retail", marks=pytest.mark.heavy),
    ],
)
def test_every_book_balances(name: str, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(name)

    assert loaded.rows(UNBALANCED) == []


@pytest.fixture(autouse=True, scope="module")
def without_dagster_home() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        yield
