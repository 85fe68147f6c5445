import json
import re
from base64 import b64encode
from functools import cache, partial
from hashlib import sha256
from html.parser import HTMLParser

import polars as pl
import pytest

from reports.site import build_site
from tests.reports.small_marts import answers, marts
from tests.reports.small_site import STEPS, empty_tables, facts, full_tables, journey
from transforms.journey import Segment

VOID = {"meta", "link", "br", "img", "input", "hr"}
FROM_THE_DATA = (
    *(
        "stage",
        "from_stage",
        "to_stage",
        "phase",
        "touchpoint",
        "touchpoint_before",
        "contact",
        "driver",
        "question",
        "step_name",
        "step",
        "customer_id",
        "account_id",
        "event",
    ),
    *(
        "lost_reason",
        "segment",
        "channel",
        "channels",
        "path",
        "source",
        "medium",
        "category",
        "plan",
        "cancel_reason",
        "feature",
        "way",
    ),
    *("subject", "target", "namespace", "anchor_namespace", "kinds", "value_class", "risk", "currency"),
)
"""Columns of answers whose texts come from the data."""
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202eevil\u0000 עגלה",
    "🛒" * 10_000,
    "'; DROP TABLE x; --",
    '" onload="alert(1)',
    "<a href='https://example.com'>x</a>",
)


class Skeleton(HTMLParser):
    """Walks a page: are its elements balanced, what do they point at, what runs?"""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[set[str]] = []
        self.feed(page.decode())
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag == "figure":
            self.figures.append(set())
        elif "figure" in self.open:
            self.figures[-1].add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def pages(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name.endswith(".html")}


def words(page: bytes) -> str:
    """The text of a page without its style, charts and tags."""
    text = re.sub(r"<(style|script).*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ").split())


@cache
def full_site() -> dict[str, bytes]:
    return build_site(full_tables(), journey=journey(), facts=facts())


@cache
def empty_site() -> dict[str, bytes]:
    return build_site(empty_tables(), journey=journey(), facts=facts(horizon=None, day=None))


@cache
def hostile_site(evil: str) -> dict[str, bytes]:
    tables = full_tables(evil)
    named = {
        "mart.funnel_steps": ["step_name"],
        "core.funnel_definitions": ["step_name"],
        "mart.funnel_breakdown": ["value", "breakdown"],
        "mart.funnel_change_steps": ["step_name"],
        "mart.funnel_change_groups": ["value", "breakdown"],
        "mart.sessions_daily": ["channel"],
        "mart.stage_reach": ["stage"],
        "mart.stage_conversion": ["from_stage", "to_stage"],
        "mart.stage_transitions": ["from_stage"],
        "mart.kpis": ["stage", "owner", "metric"],
        "ops.balances": ["source", "path"],
        "ops.schema_drift": ["source", "path", "column_name", "renamed_to"],
        "mart.attribution": ["channel"],
        "reports.touchpoints": ["stage", "touchpoint", "phase"],
        "mart.data_quality": ["source"],
        "reports.map_contacts": ["stage", "phase", "touchpoint", "channel"],
        "reports.map_actions": ["stage", "event"],
        "reports.map_surveys": ["stage", "survey"],
        "reports.quarantine_reasons": ["source", "reason", "field"],
        "reports.unmapped_events": ["event", "source"],
    }
    named |= {
        name: told
        for name, table in tables.items()
        if name.startswith("reports.")
        and name not in named
        and (told := [column for column in FROM_THE_DATA if column in table.columns])
    }
    for table, columns in named.items():
        tables[table] = tables[table].with_columns(pl.lit(evil).alias(column) for column in columns)
    tables["ops.failed_files"] = pl.DataFrame({"path": [evil], "source": [evil], "problem": [evil]})
    tables |= {
        name.replace("of members", f"of {evil}"): table for name, table in tables.items() if name.endswith("of members")
    }
    segments = (Segment(name=evil, description=evil),)
    plan = journey(evil).model_copy(update={"name": evil, "segments": segments})
    return build_site(tables, journey=plan, facts=facts(data_version=evil, failed_files=[evil]))


HOSTILE_SITES = [partial(hostile_site, evil) for evil in HOSTILE]
hostile_names = pytest.mark.parametrize(
    "site", HOSTILE_SITES, ids=[f"hostile {number}" for number in range(len(HOSTILE))]
)
every_site = pytest.mark.parametrize(
    "site",
    [full_site, empty_site, *HOSTILE_SITES],
    ids=["full", "empty", *(f"hostile {number}" for number in range(len(HOSTILE)))],
)


def test_the_site_is_a_page_each_and_the_assets_once():
    assert set(full_site()) == {
        "index.html",
        "journey-map.html",
        "friction.html",
        "carts.html",
        "deals.html",
        "retention.html",
        "subscriptions.html",
        "accounts.html",
        "adoption.html",
        "attribution.html",
        "support.html",
        "support-map.html",
        "voice.html",
        "identity.html",
        "funnel-checkout.html",
        "stages.html",
        "stage-awareness.html",
        "stage-purchase.html",
        "map-members.html",
        "touchpoints.html",
        "data-quality.html",
        "definitions.html",
        "assets/plotly.min.js",
    }


def test_the_same_tables_give_the_same_bytes():
    shuffled = {
        name: table.sample(fraction=1, shuffle=True, seed=7)
        for name, table in full_tables().items()
        if name != "mart.kpis" and name not in answers(marts())
    }
    reach = {"mart.stage_reach": shuffled["mart.stage_reach"]}

    again = build_site(
        full_tables() | shuffled | answers({name: shuffled[name] for name in marts()} | reach),
        journey=journey(),
        facts=facts(),
    )

    assert again == full_site()


def test_a_page_stays_light_without_the_drawing_library():
    assert max(len(page) for page in pages(full_site()).values()) < 300_000


def test_a_missing_table_is_named():
    tables = empty_tables()
    del tables["mart.stage_reach"]

    with pytest.raises(KeyError, match=r"mart\.stage_reach"):
        build_site(tables, journey=journey(), facts=facts())


@every_site
def test_every_page_is_well_formed(site):
    for name, page in pages(site()).items():
        skeleton = Skeleton(page)
        tags = [tag for tag, _ in skeleton.seen]

        assert skeleton.wrong == [], name
        assert [tags.count(tag) for tag in ("html", "head", "body", "title", "h1", "main", "footer")] == [1] * 7, name
        identifiers = [attributes["id"] for _, attributes in skeleton.seen if "id" in attributes]
        assert len(identifiers) == len(set(identifiers)), name


@every_site
def test_every_figure_has_its_sentence_its_table_and_its_sql(site):
    for page in pages(site()).values():
        for figure in Skeleton(page).figures:
            assert {"figcaption", "h3", "table", "details", "pre"} <= figure


@every_site
def test_a_page_loads_nothing_from_elsewhere(site):
    for page in pages(site()).values():
        for tag, attributes in Skeleton(page).seen:
            for attribute in ("src", "href", "action", "data"):
                target = attributes.get(attribute) or ""
                assert re.fullmatch(
                    r"(assets/[a-z.]+|tables/[a-z0-9-]+\.(csv|parquet)|(\.\./)?[a-z0-9-]+\.html)?(#[a-z0-9-]+)?", target
                ), (tag, target)
            assert not [attribute for attribute in attributes if attribute.startswith("on")]
        assert b"default-src &#39;none&#39;" in page


@every_site
def test_the_only_script_is_the_one_that_the_policy_knows(site):
    for page in pages(site()).values():
        text = page.decode()
        attributes = [attributes for tag, attributes in Skeleton(page).seen if tag == "script"]
        inline = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        policy = next(found["content"] or "" for tag, found in Skeleton(page).seen if "http-equiv" in found)

        assert len(inline) == 1 and text.count("<script>") == 1
        assert all(found in ({}, {"type": "application/json", "id": found.get("id")}) for found in attributes)
        assert (
            f"script-src 'sha256-{b64encode(sha256(inline[0].encode()).digest()).decode()}' 'strict-dynamic';" in policy
        )
        assert not {"http:", "https:", "file:", "*", "'self'"} & set(policy.replace(";", " ").split())


@every_site
def test_the_data_of_a_chart_is_json_without_markup(site):
    for page in pages(site()).values():
        for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.decode(), re.DOTALL):
            assert "<" not in text
            assert set(json.loads(text)) in ({"data", "layout"}, {"counts", "optional", "intervals", "few", "z"})


@hostile_names
def test_names_from_the_data_stay_text(site):
    for name, page in pages(site()).items():
        assert re.fullmatch(r"[a-z0-9-]+\.html", name)
        assert len(page) < 400_000
        assert "\u202e" not in page.decode() and "\x00" not in page.decode()
        assert "49 {%" not in words(page)
        charts = " ".join(re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.decode(), re.DOTALL))
        assert "\\u003ca href" not in charts and "\\u003cscript" not in charts


def test_the_counts_of_the_tables_are_on_the_pages():
    funnel, overview, stages = (
        words(full_site()[name]) for name in ("funnel-checkout.html", "index.html", "stages.html")
    )

    for text in ("61", "53", "40", "75.5%", "65.6%", *STEPS):
        assert text in funnel
    for text in ("40 of 53 (95% interval", "40 of 61 (95% interval", "8 still have time"):
        assert text in funnel
    for text in ("90", "123", "73.2%", "1,400", "112", "1,120.00", "30.0%", "50.0%", "Ann"):
        assert text in overview
    for text in ("31 of 80", "33 of 90", "38.8%", "40.0%", "2 h", "44"):
        assert text in stages


def test_the_books_are_on_the_page_of_data_quality():
    site = build_site(full_tables(), journey=journey(), facts=facts(rows_in=100, loaded=95, quarantined=3))

    assert "Most rows were set aside in “web”: 3 of 100" in words(site["data-quality.html"])


def test_why_rows_were_set_aside_and_how_old_a_source_is_are_on_the_page_of_data_quality():
    page = words(full_site()["data-quality.html"])

    assert "because of this: a time that cannot be read (3 of 3 rows)" in page
    assert "“calls” ends 2 days 3 h before the newest source" in page


def test_the_state_of_the_stitching_is_on_its_page():
    page = words(full_site()["identity.html"])

    assert "31 customers are known by more than a browser; 6 of the 29 large ones hang on one pair (20.7%)" in page
    assert "Stitching moves “checkout” to “pay” most: 65.6% with it, 54.9% without (+10.6 points)" in page
    assert "1 pair of identifiers hold a customer together" in page


def test_columns_that_drift_are_on_the_page_of_data_quality():
    page = words(build_site(full_tables(), journey=journey(), facts=facts())["data-quality.html"])

    assert "1 column came, went or changed; 3 rows set aside because of it" in page
    assert "user_id" in page and "uid" in page


def test_a_file_that_failed_is_announced_on_the_first_page():
    tables = full_tables() | {
        "ops.failed_files": pl.DataFrame({"path": ["crm/x.csv"], "source": ["crm"], "problem": ["cut off"]})
    }

    site = build_site(tables, journey=journey(), facts=facts(failed_files=["crm/x.csv"]))

    assert "1 file could not be read; nothing of it is in these numbers" in words(site["index.html"])
    assert "crm/x.csv" in words(site["data-quality.html"]) and "cut off" in words(site["data-quality.html"])


def test_without_data_the_pages_say_so():
    assert "Nothing has come in yet" in words(empty_site()["index.html"])
    assert "Nothing stands out" in words(empty_site()["index.html"])
    assert "funnel-checkout.html" not in empty_site()


def test_a_funnel_that_nobody_entered_has_a_page():
    tables = full_tables()
    none = {"mart.funnel_entrants", "mart.funnel_daily", "mart.funnel_breakdown"}
    steps = tables["mart.funnel_steps"].with_columns(
        reached=0, reached_before=0, total_rate_low=None, total_rate_high=None
    )

    site = build_site(
        tables | {name: tables[name].clear() for name in none} | {"mart.funnel_steps": steps},
        journey=journey(),
        facts=facts(),
    )

    assert "Nobody has entered “checkout” yet" in words(site["funnel-checkout.html"])


def test_two_funnels_with_one_slug_get_two_files():
    both = full_tables()
    for name in ("core.funnel_definitions", "mart.funnel_steps"):
        both[name] = pl.concat(
            [
                both[name],
                both[name].with_columns(funnel=pl.lit("Check-out!")),
                both[name].with_columns(funnel=pl.lit("check out")),
            ]
        )

    site = build_site(both, journey=journey(), facts=facts())

    assert {"funnel-check-out.html", "funnel-check-out-2.html"} <= set(site)


def test_the_sql_of_a_figure_names_its_funnel():
    site = build_site(full_tables("Ann's funnel"), journey=journey("Ann's funnel"), facts=facts())

    assert "SET VARIABLE funnel = &#39;Ann&#39;&#39;s funnel&#39;;" in site["funnel-ann-s-funnel.html"].decode()


def test_the_versions_and_the_horizon_are_at_the_foot():
    for page in pages(full_site()).values():
        assert all(
            text in words(page)
            for text in ("2026-03-31 12:00:00 UTC", "31 March 2026", "Data version: d1", "Configuration version: c1")
        )


def test_a_source_that_ends_early_is_named_at_the_foot_of_every_page():
    site = build_site(full_tables(), journey=journey(), facts=facts(held_back_by="calls"))

    for page in pages(site).values():
        assert "where the source “calls” ends" in words(page)
