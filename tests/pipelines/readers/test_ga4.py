"""GA4: rows of the BigQuery export become canonical events, from NDJSON and Parquet alike."""

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from pipelines import answers
from pipelines.preview import preview
from pipelines.run import run_in_process
from pipelines.settings import Workspace as Place
from tests.pipelines.test_ingest import Workspace
from transforms.canonical import keyed
from transforms.journey import Journey

NOON = 1612094400_000000
VISITOR = "1000.2000"
UTC_NOON = "2021-01-31 12:00:00.000000"


def params(**said):
    """Event parameters as `bq extract` writes them: integers as text, absent kinds left out."""
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if isinstance(value, int) else value}}
        for key, value in said.items()
    ]


def hit(name="page_view", at=NOON, day="20210131", who=VISITOR, event_params=None, session=1612094390, **said):
    """One row of the export."""
    own = params(ga_session_id=session, ga_session_number=1) if session else []
    return {
        "event_date": day,
        "event_timestamp": str(at),
        "event_name": name,
        "event_params": own + (event_params or []),
        "user_pseudo_id": who,
        "platform": "WEB",
        "stream_id": "77",
        **said,
    }


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def place(tmp_path):
    return Workspace(tmp_path, ga4={"format": "ga4", "files": ["ga4/*.ndjson*", "ga4/*.parquet"]})


def put(place, name, *rows):
    (place.landing / "ga4").mkdir(exist_ok=True)
    return place.put(f"ga4/{name}", lines(*rows))


def events(place, *columns):
    return place.rows(f"SELECT {', '.join(columns)} FROM raw.web_events ORDER BY event_id")


def only(place, row, *columns):
    put(place, "events_20210131.ndjson", row).load()
    return events(place, *columns)[0]


# ---------------------------------------------------------------- golden rows

SHOPPING = (
    hit(
        "page_view",
        event_params=params(
            page_location="https://ann:pw@shop.example/p/mug?utm_term=mugs&email=ann@example.com#top",
            page_title="Mug",
            page_referrer="https://www.google.com/search?q=mug",
            entrances=1,
            engagement_time_msec=1200,
            load_seconds=0.25,
            note="write to ann@example.com",
            link_url="https://help.example/a?token=1",
            user_email="hidden",
            flavour="(not set)",
        ),
        event_bundle_sequence_id="5",
        batch_page_id="1612094399000",
        batch_ordering_id="2",
        batch_event_index="3",
        device={
            "category": "mobile",
            "operating_system": "Android",
            "language": "de-de",
            "web_info": {"browser": "Chrome"},
        },
        geo={"country": "Germany", "region": "Bavaria", "city": "(not set)"},
        collected_traffic_source={"manual_source": "news", "manual_medium": "email", "gclid": "secret"},
        traffic_source={"source": "google", "medium": "organic", "name": "(organic)"},
        user_properties=[{"key": "tier", "value": {"string_value": "gold", "set_timestamp_micros": "1"}}],
        privacy_info={"analytics_storage": "Yes"},
        user_ltv={"revenue": 5.5, "currency": "EUR"},
    ),
    hit(
        "purchase",
        at=NOON + 5,
        event_params=params(currency="EUR", value=12.5, transaction_id=900, coupon="SPRING"),
        batch_page_id="1612094399000",
        batch_ordering_id="3",
        batch_event_index="1",
        user_id="u-1",
        ecommerce={"purchase_revenue": 12.5, "purchase_revenue_in_usd": 15.0, "transaction_id": "T-1"},
        items=[{"item_id": "m1", "item_name": "Mug", "price": 12.5, "quantity": "1", "item_brand": "(not set)"}],
    ),
)
GOLDEN = [
    {
        "event_id": "20210131:1000.2000:1612094400000000:page_view:5:1612094399000:2:3",
        "event": "page_view", "occurred_at": UTC_NOON, "clock_source": "declared", "seq": 2_000_003,
        "anonymous_id": VISITOR, "visit_id": "1000.2000.1612094390", "hostname": "shop.example", "path": "/p/mug",
        "title": "Mug", "referrer": "https://www.google.com/search", "utm_source": "news", "utm_medium": "email",
        "utm_term": "mugs", "click_id": "gclid", "device": "mobile", "browser": "Chrome", "country": "Germany",
        "properties": {
            "engagement_time_msec": 1200, "entrances": 1, "first_user_medium": "organic", "first_user_source": "google",
            "first_user_campaign": "(organic)", "ga_session_number": 1, "language": "de-de",
            "link_url": "https://help.example/a", "load_seconds": 0.25, "os": "Android", "platform": "WEB",
            "region": "Bavaria", "stream_id": "77", "user_tier": "gold",
        },
    },
    {
        "event_id": "20210131:1000.2000:1612094400000005:purchase::1612094399000:3:1",
        "event": "order_placed", "occurred_at": "2021-01-31 12:00:00.000005", "clock_source": "declared", "seq": 3_000_001,
        "anonymous_id": VISITOR, "user_id": "u-1", "visit_id": "1000.2000.1612094390", "value_minor": 1250, "currency": "EUR",
        "properties": {
            "coupon": "SPRING", "ga_session_number": 1, "platform": "WEB", "stream_id": "77", "transaction_id": "900",
            "items": [{"item_id": "m1", "item_name": "Mug", "price": 12.5, "quantity": 1}],
        },
    },
]  # fmt: skip
CONSTANT = {"time_precision", "is_clamped", "is_bot", "is_internal", "row_key", "file_id", "row", "source"}


def as_told(place):
    """The web events without what is null or the same for all."""
    query = "SELECT * REPLACE (strftime(occurred_at, '%Y-%m-%d %H:%M:%S.%f') AS occurred_at) FROM raw.web_events ORDER BY seq"
    rows = place.warehouse.query(query).to_dicts()
    for row in rows:
        row["properties"] = json.loads(row["properties"])
    return [{key: value for key, value in row.items() if value is not None and key not in CONSTANT} for row in rows]


def as_parquet(rows):
    """The same rows as BigQuery writes them to Parquet: typed, with nulls for what is absent."""
    typed = json.loads(json.dumps(rows))
    for row in typed:
        for column in ("event_timestamp", "batch_page_id", "batch_ordering_id", "batch_event_index"):
            row[column] = int(row[column])
        for parameter in row["event_params"]:
            if "int_value" in parameter["value"]:
                parameter["value"]["int_value"] = int(parameter["value"]["int_value"])
        for item in row.get("items", []):
            item["quantity"] = int(item["quantity"])
    buffer = io.BytesIO()
    pl.DataFrame(typed, infer_schema_length=None).write_parquet(buffer)
    return buffer.getvalue()


def test_rows_of_ndjson_become_these_events(place):
    put(place, "events_20210131.ndjson", *SHOPPING).load()

    assert as_told(place) == GOLDEN


def test_rows_of_parquet_become_the_same_events(place):
    (place.landing / "ga4").mkdir()
    place.put("ga4/events_20210131-000000000000.parquet", as_parquet(SHOPPING)).load()

    assert as_told(place) == GOLDEN


def test_both_kinds_of_file_of_one_export_are_one_version_of_the_day(place):
    put(place, "events_20210131_20210202T0315.ndjson.gz", *SHOPPING)
    place.put("ga4/events_20210131_20210202T0315-000000000000.parquet", as_parquet(SHOPPING))

    assert place.load().outcomes == {"duplicate": 2, "loaded": 2}


# ---------------------------------------------------------------- names, people, pages


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("view_item", "product_view"),
        ("view_cart", "cart_viewed"),
        ("add_shipping_info", "shipping_entered"),
        ("refund", "order_returned"),
        ("session_start", "session_start"),
        ("ad_impression", "in_app_ad_shown"),
        ("Newsletter Signup", "newsletter_signup"),
    ],
)
def test_an_event_gets_the_houses_name(place, name, event):
    assert only(place, hit(name), "event") == (event,)


def test_the_instance_of_an_app_is_a_device_and_its_screens_are_pages(place):
    screen = hit(
        "screen_view", platform="IOS", event_params=params(firebase_screen="Cart"), app_info={"version": "2.1"}
    )

    assert only(place, screen, "event", "anonymous_id", "device_id", "title", "properties->>'app_version'") == (
        "page_view", None, VISITOR, "Cart", "2.1",
    )  # fmt: skip


def test_a_user_id_that_is_an_e_mail_address_is_kept_as_its_hash_only(place):
    assert only(place, hit("login", user_id="Ann@Example.com"), "user_id", "email") == (
        None,
        keyed("ann@example.com", b"key"),
    )


def test_no_personal_value_is_kept_in_clear(place):
    said = params(
        first_name="Ann", link_url="mailto:ann@example.com", phone_number="+49 151 2345678", page_path="/x?mail=ann%40example.com",
        search_term="ann%40example.com", ip_override="10.0.0.1", item_name="mug", destination="tel:+491512345678",
    )  # fmt: skip
    users = [{"key": key, "value": {"string_value": "Ann"}} for key in ("name", "last_name")]

    (kept,) = only(
        place,
        hit("click", event_params=said, user_properties=users, items=[{"item_name": "for ann@example.com"}]),
        "properties",
    )

    assert json.loads(kept) == {
        "ga_session_number": 1, "item_name": "mug", "items": [{"item_name": "for "}], "page_path": "/x", "platform": "WEB",
        "stream_id": "77",
    }  # fmt: skip


def test_internal_traffic_is_labelled(place):
    assert only(place, hit(event_params=params(traffic_type="internal")), "is_internal") == (True,)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"source": "(direct)", "medium": "(not set)", "campaign": "(direct)"}, ("(direct)", "(none)", None)),
        ({"source": "<Other>", "medium": "referral", "campaign": "(referral)"}, (None, "referral", None)),
        ({"source": "(data deleted)", "medium": "(data deleted)"}, (None, None, None)),
        ({"source": "google", "medium": "cpc", "campaign": "spring"}, ("google", "cpc", "spring")),
    ],
)
def test_placeholders_are_no_campaign_but_direct_is_a_word_of_its_own(place, said, expected):
    assert only(place, hit(event_params=params(**said)), "utm_source", "utm_medium", "utm_campaign") == expected


def test_the_source_that_first_brought_the_user_is_not_the_events(place):
    row = hit(traffic_source={"source": "bing", "medium": "cpc", "name": "old"})

    assert only(place, row, "utm_source", "properties->>'first_user_source'") == (None, "bing")


# ---------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("name", "said", "columns", "money"),
    [
        ("purchase", {"currency": "JPY"}, {"ecommerce": {"purchase_revenue": 1200.0}}, (1200, "JPY")),
        ("purchase", {}, {"ecommerce": {"purchase_revenue": 9.0, "purchase_revenue_in_usd": 10.0}}, (1000, "USD")),
        ("purchase", {"value": 7.5, "currency": "EUR"}, {}, (750, "EUR")),
        ("purchase", {"value": 7.5}, {}, (750, "USD")),
        ("refund", {"currency": "EUR"}, {"ecommerce": {"refund_value": 4.0}}, (-400, "EUR")),
        ("add_to_cart", {"value": 3, "currency": "eur"}, {}, (300, "EUR")),
        ("add_to_cart", {"value": 3}, {}, (None, None)),
        ("add_to_cart", {"value": 3}, {"event_value_in_usd": 4.5}, (450, "USD")),
        ("video_start", {"value": "high", "currency": "EUR"}, {}, (None, None)),
        ("in_app_purchase", {"value": 990000, "currency": "EUR"}, {"event_value_in_usd": 1.1}, (110, "USD")),
    ],
)
def test_money_of_an_event(place, name, said, columns, money):
    assert only(place, hit(name, event_params=params(**said), **columns), "value_minor", "currency") == money


# ---------------------------------------------------------------- rows that cannot be used, ids


def test_every_row_has_its_outcome(place):
    put(
        place, "events_20210131.ndjson",
        hit("scroll"), hit("scroll"), hit("scroll", at=NOON + 1),
        hit(who=None, session=None), {**hit(), "event_date": None}, {**hit(), "event_timestamp": None},
        {**hit("click"), "event_params": {"a": 1}}, {**hit("click"), "event_params": [1]}, hit("click"),
    ).load()  # fmt: skip

    assert [outcome for _, _, outcome in place.outcomes()] == [
        "loaded", "duplicate", "loaded", *["quarantined"] * 5, "loaded",
    ]  # fmt: skip
    assert place.rows("SELECT row, reason, field FROM raw.quarantine ORDER BY row") == [
        (4, "missing_identity", None), (5, "type_conflict", "whole"), (6, "missing_time", "occurred_at"),
        (7, "type_conflict", "event_params"), (8, "type_conflict", "event_params"),
    ]  # fmt: skip


def test_a_row_without_batch_is_its_content(place):
    put(place, "events_20210131.ndjson", hit("scroll"), hit("scroll", event_params=params(promo="a")))

    assert place.load().outcomes == {"loaded": 2}


def test_an_export_needs_few_columns(place):
    columns = ("event_date", "event_timestamp", "event_name", "user_pseudo_id")
    frame = pl.DataFrame([{**hit(), "event_timestamp": NOON}]).select(columns)
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    (place.landing / "ga4").mkdir()

    place.put("ga4/events_20210131.parquet", buffer.getvalue()).load()

    assert events(place, "event", "anonymous_id", "visit_id", "properties") == [("page_view", VISITOR, None, None)]


# ---------------------------------------------------------------- a day that is exported again


def test_of_a_re_exported_day_the_newest_export_wins_whole(place):
    put(place, "events_20210131_20210203T0315.ndjson.gz", hit(), hit("scroll"), hit("click")).load()
    put(place, "events_20210131_20210202T0315.ndjson.gz", hit(), hit("refund")).load()
    put(place, "events_20210201_20210202T0315.ndjson.gz", hit(day="20210201", at=NOON + 86_400_000_000)).load()

    put(place, "events_intraday_20210131_20210209T0000.ndjson", hit("search")).load()

    assert sorted(events(place, "event")) == [("click",), ("page_view",), ("page_view",), ("scroll",)]
    assert place.rows("SELECT outcome, count(*) FROM raw.row_outcomes GROUP BY outcome ORDER BY outcome") == [
        ("loaded", 4), ("superseded", 3),
    ]  # fmt: skip


def test_a_reload_gives_only_duplicates_and_any_order_the_same_rows(place, tmp_path):
    put(place, "events_20210131_20210202T0315.ndjson", *SHOPPING).load()
    again = put(place, "events_20210131_20210202T0315-1.ndjson", *reversed(SHOPPING)).load()
    other = Workspace(tmp_path / "other", **{"ga4": place.sources["ga4"].model_dump(exclude_unset=True)})
    for number, row in enumerate(reversed(SHOPPING)):
        put(other, f"events_20210131_20210202T0315-{number}.ndjson", row).load()

    assert again.outcomes == {"duplicate": 2}
    assert place.tables() == other.tables()


# ---------------------------------------------------------------- the whole way


def test_a_night_stitches_a_users_browsers_and_counts_no_made_up_event(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    page = params(page_location="https://shop.example/p/mug")
    rows = (
        hit("session_start"), hit("first_visit"), hit("page_view", event_params=page),
        hit("login", at=NOON + 9_000_000, user_id="u-1"), hit("purchase", at=NOON + 60_000_000, event_params=params(value=5, currency="USD")),
        hit("page_view", who="8.8", at=NOON + 10, event_params=page, session=7), hit("login", who="8.8", at=NOON + 20, user_id="u-1", session=7),
        hit("session_start", who="9.9", session=8), hit("page_view", who="9.9", event_params=page, session=8),
        hit("user_engagement", at=NOON + 50_000_000, who="9.9", session=8),
    )  # fmt: skip
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "events_20210131.ndjson.gz").write_bytes(gzip.compress(lines(*rows).encode()))
    (tmp_path / "journey.yaml").write_text(
        'preset: ecommerce\nlanding: {quiet: 0s}\nsources: {ga4: {format: ga4, files: "events_*.ndjson.gz"}}\n'
    )
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    workspace = Place(tmp_path)

    (seen,) = preview(workspace.landing, workspace.configuration.sources, journey=Journey())
    problems = run_in_process(workspace, say=lambda _line: None)

    assert (seen.problems, seen.quarantine, problems) == ([], {}, [])
    assert answers.sql(workspace, "SELECT identifier_count, visitor_count FROM core.customers ORDER BY ALL")[1] == [
        (1, 1),
        (3, 2),
    ]
    assert answers.sql(workspace, "SELECT event_count, is_bounce FROM core.sessions ORDER BY ALL")[1] == [
        (1, True),
        (5, False),
    ]
