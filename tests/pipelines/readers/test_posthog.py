import json
from datetime import UTC, datetime

import polars as pl
import pytest

from tests.pipelines.readers.test_segment import customers, hashed, properties, told
from tests.pipelines.test_ingest import Workspace
from transforms.journey import Sessions

EVENTS = {"format": "posthog", "files": "*"}
NINE = "2026-01-31T09:00:00Z"
MADE, OTHER = "018daf23-89b3-7cf8-a4f1-94064c96df90", "018daf23-89b3-7cf8-a4f1-94064c96df91"
COOKIE = "17c5d8f2b5d3e1-0b8c2f2f7a1b3a-1c306851-1fa400-17c5d8f2b5e12f"
RANDOM = "9b2f9c1e-6f7d-4f0a-8b8e-2d3c4b5a6978"
WEB = {"$lib": "web", "$device_id": MADE}
KNOWN = {**WEB, "$user_id": "u1", "$is_identified": True}


def row(event, distinct_id, /, *, uuid="e1", **sent):
    """A row of an export; the person that the export gives is always the same, and has an address."""
    return {
        "uuid": uuid, "event": event, "distinct_id": distinct_id, "team_id": 1, "person_id": "person-1",
        "person_properties": {"email": "person@example.com", "plan": "exported"}, "properties": sent, "elements_chain": "",
        "timestamp": NINE, "created_at": "2026-01-31T09:00:04Z", "_inserted_at": "2026-01-31T09:10:00Z",
    }  # fmt: skip


def lines(*rows):
    return "".join(json.dumps(said) + "\n" for said in rows)


def loaded(folder, *rows):
    numbered = [{**said, "uuid": f"e{number}"} for number, said in enumerate(rows, start=1)]
    place = Workspace(folder, web=EVENTS).put("events.jsonl", lines(*numbered))
    place.load()
    return place


def only(folder, *said, **sent):
    (event,) = told(loaded(folder, row(*said, **sent)))
    return event


def named(event):
    """Whom an event names."""
    return {name: event[name] for name in ("user_id", "anonymous_id", "device_id", "email") if name in event}


# ---------------------------------------------------------------- whole rows


def test_a_page_view_says_all_that_a_web_event_can(tmp_path):
    page = row(
        "$pageview", MADE, **WEB,
        **{
            "$is_identified": False, "$process_person_profile": False, "$session_id": "s1", "$window_id": "w1",
            "$current_url": "https://www.acme.example/pricing?utm_source=news&gclid=secret", "$host": "www.acme.example",
            "$pathname": "/pricing", "title": "Prices", "$referrer": "https://www.google.com/search?q=secret",
            "$referring_domain": "www.google.com", "utm_source": "stale", "utm_medium": "stale", "gclid": "secret",
            "$browser": "Mobile Safari", "$os": "iOS", "$device_type": "Mobile", "$ip": "203.0.113.7",
            "$geoip_country_code": "DE", "$geoip_city_name": "Jena", "$groups": {"company": "acme"},
            "token": "phc_secret", "distinct_id": MADE, "$active_feature_flags": ["a"], "$feature/a": True,
            "plan": "pro", "shelf": {"$row": 1},
        },
    )  # fmt: skip

    (event,) = told(loaded(tmp_path, page))

    assert properties(event) == {
        "title": "Prices", "plan": "pro", "shelf": {"$row": 1}, "context_os_name": "iOS", "context_library_name": "web",
    }  # fmt: skip
    event.pop("properties")
    assert event == {
        "event_id": "e1", "event": "page_view", "occurred_at": datetime(2026, 1, 31, 9, tzinfo=UTC),
        "time_precision": "instant", "clock_source": "declared", "is_clamped": False,
        "received_at": datetime(2026, 1, 31, 9, 0, 4, tzinfo=UTC), "anonymous_id": MADE, "account_id": "acme",
        "visit_id": "s1", "hostname": "www.acme.example", "path": "/pricing", "title": "Prices",
        "referrer": "https://www.google.com/search", "click_id": "gclid", "utm_source": "news", "device": "mobile",
        "browser": "Safari", "country": "DE", "is_bot": False, "is_internal": False,
    }  # fmt: skip


def test_an_identify_sets_what_is_known_of_the_person(tmp_path):
    set_here = {"email": "Ann@Example.com", "name": "Ann Bee", "plan": "pro", "$os": "iOS"}

    event = only(
        tmp_path,
        "$identify",
        "u1",
        **KNOWN,
        **{"$anon_distinct_id": MADE, "$set": set_here, "$set_once": {"via": "ad"}},
    )

    assert event["event"] == "identify"
    assert named(event) == {
        "user_id": "u1", "anonymous_id": MADE, "device_id": MADE, "email": hashed("ann@example.com"),
    }  # fmt: skip
    assert properties(event) == {"plan": "pro", "context_library_name": "web"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("$pageview", "page_view"),
        ("$pageleave", "page_left"),
        ("$screen", "page_view"),
        ("$autocapture", "autocapture"),
        ("$rageclick", "rage_click"),
        ("$exception", "exception"),
        ("$feature_flag_called", "feature_flag_called"),
        ("$set", "profile_updated"),
        ("survey sent", "survey_answered"),
        ("survey shown", "survey_shown"),
        ("Order Completed", "order_placed"),
        ("order completed", "order_placed"),
        ("user signed up", "user_signed_up"),
    ],
)
def test_an_event_gets_the_houses_name(tmp_path, name, expected):
    assert only(tmp_path, name, "u1")["event"] == expected


def test_an_order_has_a_value_and_a_property_called_value_may_be_text(tmp_path):
    event = only(tmp_path, "Order Completed", "u1", value="high", revenue=12.5, currency="EUR", products=[{"id": 1}])

    assert (event["value_minor"], event["currency"]) == (1250, "EUR")
    assert properties(event) == {"value": "high", "revenue": 12.5, "currency": "EUR", "products": [{"id": 1}]}


def test_the_score_of_a_survey_is_kept_and_what_people_wrote_is_not(tmp_path):
    score = row("survey sent", "u1", **{"$survey_name": "NPS", "$survey_response": "9"})
    words = row("survey sent", "u1", **{"$survey_name": "NPS", "$survey_response": "Ann from Jena", "$survey_id": "s"})

    events = told(loaded(tmp_path, score, words))

    assert [properties(event) for event in events] == [{"survey": "NPS", "score": 9}, {"survey": "NPS"}]


def test_a_group_is_described_by_somebody_and_its_own_made_up_id_is_nobody(tmp_path):
    described = {
        "$group_type": "company",
        "$group_key": "acme",
        "$group_set": {"plan": "business", "email": "i@a.example"},
    }

    place = loaded(
        tmp_path, row("$groupidentify", "u1", **described), row("$groupidentify", "$company_acme", **described)
    )

    (event,) = told(place)
    assert (event["event"], event["account_id"], properties(event)) == ("group", "acme", {"plan": "business"})
    assert place.rows("SELECT row, reason FROM raw.quarantine") == [(2, "missing_identity")]


def test_a_campaign_without_an_address_is_that_of_the_row(tmp_path):
    assert only(tmp_path, "Clicked", "u1", utm_source="news")["utm_source"] == "news"


def test_leaving_a_page_is_no_activity():
    assert {"page_left", "profile_updated", "feature_flag_called"} <= set(Sessions().passive)


# ---------------------------------------------------------------- who


@pytest.mark.parametrize(
    ("distinct_id", "sent", "expected"),
    [
        (MADE, {**WEB, "$is_identified": False}, {"anonymous_id": MADE}),
        (MADE, WEB, {"anonymous_id": MADE}),
        (OTHER, WEB, {"anonymous_id": OTHER}),
        (COOKIE, {"$lib": "web"}, {"anonymous_id": COOKIE}),
        (RANDOM, {"$lib": "posthog-ios"}, {"anonymous_id": RANDOM}),
        ("cookieless_1a2b", {"$lib": "web"}, {"anonymous_id": "cookieless_1a2b"}),
        ("u1", KNOWN, {"user_id": "u1", "device_id": MADE}),
        ("u1", {**WEB, "$user_id": "u1"}, {"user_id": "u1", "device_id": MADE}),
        ("u1", {"$lib": "web"}, {"user_id": "u1"}),
        ("u1", {"$lib": "posthog-python"}, {"user_id": "u1"}),
        ("u1", {"$lib": "posthog-python", "$process_person_profile": False}, {"user_id": "u1"}),
        ("u1", {}, {"user_id": "u1"}),
        (RANDOM, {"$lib": "posthog-node"}, {"user_id": RANDOM}),
        (RANDOM, {"$lib": "posthog-python", "$process_person_profile": False}, {"anonymous_id": RANDOM}),
        (MADE, {"$lib": "posthog-node"}, {"anonymous_id": MADE}),
        (MADE, {"$lib": "web", "$is_identified": True}, {"user_id": MADE, "anonymous_id": MADE}),
        ("Ann@Example.com", KNOWN, {"email": hashed("ann@example.com"), "device_id": MADE}),
    ],
)
def test_a_distinct_id_is_a_user_or_a_browser_by_what_its_own_row_says(tmp_path, distinct_id, sent, expected):
    assert named(only(tmp_path, "Clicked", distinct_id, **sent)) == expected


@pytest.mark.parametrize(
    "distinct_id", ["$posthog_cookieless", "distinct_id", "anonymous", "[object Object]", "null", ""]
)
def test_what_posthog_takes_for_nobody_is_nobody(tmp_path, distinct_id):
    place = loaded(tmp_path, row("Clicked", distinct_id))

    assert place.rows("SELECT reason FROM raw.quarantine") == [("missing_identity",)]


@pytest.mark.parametrize(
    ("event", "distinct_id", "alias", "lib", "expected"),
    [
        ("$create_alias", "u1", MADE, "posthog-node", {"user_id": "u1", "anonymous_id": MADE}),
        ("$create_alias", MADE, "u1", "posthog-python", {"user_id": "u1", "anonymous_id": MADE}),
        ("$create_alias", RANDOM, "u1", "posthog-ios", {"user_id": "u1", "anonymous_id": RANDOM}),
        ("$create_alias", MADE, OTHER, "posthog-node", {"anonymous_id": MADE}),
        ("$create_alias", "u1", "u1", "posthog-node", {"user_id": "u1"}),
        ("$create_alias", "u1", "u2", "posthog-node", {"user_id": "u1", "merged_into": "u2"}),
        ("$merge_dangerously", "u1", "u2", "", {"user_id": "u1", "merged_into": "u2"}),
        ("$merge_dangerously", MADE, OTHER, "", {"user_id": MADE, "anonymous_id": OTHER}),
        ("$create_alias", "u1", "ann@example.com", "", {"user_id": "u1", "email": hashed("ann@example.com")}),
    ],
)  # fmt: skip
def test_an_alias_names_two_that_are_one(tmp_path, event, distinct_id, alias, lib, expected):
    found = only(tmp_path, event, distinct_id, alias=alias, **{"$lib": lib})

    merged = json.loads(found.get("properties", "{}")).get("merged_into")
    assert {**named(found), **({"merged_into": merged} if merged else {})} == expected


def test_persons_are_those_of_identify_and_alias_and_never_the_exported_ones(tmp_path):
    merged_by_the_export = [row("Clicked", "u1"), row("Clicked", "u2")]
    identified = [
        row("$pageview", MADE, **WEB),
        row("$identify", "u3", **WEB, **{"$anon_distinct_id": MADE}) | {"person_id": "person-2"},
        row("Clicked", "u4") | {"person_id": "person-3"},
        row("$create_alias", "u3", alias="u4") | {"person_id": "person-4"},
        row("Clicked", OTHER, **{"$lib": "posthog-node"}) | {"person_id": "person-5"},
        row("$create_alias", OTHER, alias="u4") | {"person_id": "person-6"},
    ]

    place = loaded(tmp_path, *merged_by_the_export, *identified)

    assert customers(place) == {frozenset({"u1"}), frozenset({"u2"}), frozenset({"u3", "u4", MADE, OTHER})}


def test_a_user_id_that_looks_made_up_meets_the_rows_that_cannot_tell(tmp_path):
    place = loaded(
        tmp_path,
        row("Clicked", OTHER, **{"$lib": "posthog-node"}),
        row("$identify", OTHER, **WEB, **{"$anon_distinct_id": MADE, "$is_identified": True}),
        row("$pageview", OTHER, **WEB, **{"$is_identified": True}),
    )

    assert customers(place) == {frozenset({MADE, OTHER})}


# ---------------------------------------------------------------- files


ROWS = [
    row("$pageview", MADE, **WEB, **{"$current_url": "https://a.example/x", "plan": "pro", "email": "ann@example.com"}),
    row("$identify", "u1", uuid="e2", **KNOWN, **{"$anon_distinct_id": MADE, "$set": {"email": "ann@example.com", "plan": "pro"}}),
    row("Order Completed", "u1", uuid="e3", **{"$lib": "posthog-node", "total": 5, "products": [{"id": "p1"}]}),
]  # fmt: skip


def table():
    """The rows as a table, with objects as text as PostHog writes them."""
    flat = [
        {name: json.dumps(value) if isinstance(value, dict) else value for name, value in said.items()} for said in ROWS
    ]
    return pl.DataFrame(flat).with_columns(pl.col("timestamp", "created_at").str.to_datetime(time_zone="UTC"))


def test_parquet_named_after_its_compression_says_the_same_as_lines(tmp_path):
    as_lines, as_parquet = (Workspace(tmp_path / name, web=EVENTS) for name in ("lines", "parquet"))
    table().write_parquet(as_parquet.landing / "events.parquet.zst", compression="zstd")
    table().write_parquet(as_parquet.landing / "again.parquet.lz4", compression="lz4")

    as_lines.put("events.jsonl.gz", lines(*ROWS)).load()
    again = as_parquet.load()

    assert again.outcomes == {"duplicate": 3, "loaded": 3}
    assert told(as_parquet) == told(as_lines)


def test_the_set_column_of_a_database_export_and_of_the_old_export_is_read_too(tmp_path):
    database = row("$identify", "u1") | {
        "set": json.dumps({"email": "ann@example.com", "plan": "pro"}),
        "set_once": "{}",
    }
    old = row("$identify", "u1") | {"$set": {"email": "ann@example.com", "plan": "pro", "name": "Ann"}}
    old["id"] = old.pop("uuid")

    place = Workspace(tmp_path, web=EVENTS)
    place.put("a.jsonl", lines(database)).put("b.jsonl", lines({**old, "id": "e9"})).load()

    assert [(event["email"], event["properties"]) for event in told(place)] == [
        (hashed("ann@example.com"), '{"plan":"pro"}')
    ] * 2


def test_rows_in_any_order_and_any_split_give_the_same_events(tmp_path):
    one, other = Workspace(tmp_path / "one", web=EVENTS), Workspace(tmp_path / "other", web=EVENTS)
    one.put("a.jsonl", lines(*ROWS)).load()

    for number, said in enumerate(reversed(ROWS)):
        other.put(f"{number}.jsonl", lines(said, said)).load()

    assert other.tables() == one.tables()
