import csv
import io
import json
from datetime import UTC, datetime
from itertools import permutations

import polars as pl
import pytest

from tests.pipelines.readers.test_segment import hashed, properties, told
from tests.pipelines.test_ingest import Workspace
from tests.transforms.test_identity import people, resolved
from transforms.contracts import RAW_CRM_RECORDS, RAW_WEB_EVENTS

TABLES = (
    "tracks",
    "order_completed",
    "video_played",
    "pages",
    "screens",
    "identifies",
    "users",
    "groups",
    "aliases",
    "accounts",
)
WAREHOUSE = {"format": "segment_warehouse", "files": {table: f"{table}/*" for table in TABLES}}
NINE = "2026-01-31 09:00:00 UTC"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
CALL = {
    "id": "m1", "anonymous_id": "v1", "user_id": "u1", "timestamp": NINE, "original_timestamp": "2026-01-31 08:59:00 UTC",
    "sent_at": "2026-01-31 08:59:02 UTC", "received_at": "2026-01-31 09:00:03 UTC", "uuid_ts": "2026-01-31 10:00:00 UTC",
    "context_ip": "203.0.113.7", "context_user_agent": AGENT, "context_library_name": "analytics.js",
    "context_page_url": "https://www.acme.example/pricing?gclid=secret", "context_page_path": "/pricing",
    "context_page_title": "Prices", "context_page_referrer": "https://www.google.com/search?q=secret",
    "context_campaign_source": "news", "context_campaign_name": "may", "context_locale": "de-DE",
}  # fmt: skip
TRACK = {**CALL, "event": "order_completed", "event_text": "Order Completed"}
ORDER = {**TRACK, "total": "12.5", "currency": "EUR", "order_id": "o1", "products": '[{"id":"p1"}]', "name": "Pan"}


def table_of(*rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Tables(Workspace):
    """A workspace with a folder for each table."""

    def __init__(self, folder):
        super().__init__(folder, warehouse=WAREHOUSE)
        for table in TABLES:
            (self.landing / table).mkdir(exist_ok=True)

    def land(self, table, *rows, name="a.csv"):
        return self.put(f"{table}/{name}", table_of(*rows))


@pytest.fixture
def place(tmp_path):
    return Tables(tmp_path)


def events(place):
    place.load()
    return told(place)


def outcomes(place):
    return [(path.split("/")[0], outcome) for path, _, outcome in place.outcomes()]


def records(place):
    return place.rows("SELECT object, record_id, user_id, account_id, properties FROM raw.crm_records ORDER BY ALL")


# ---------------------------------------------------------------- tables of calls


def test_an_order_of_its_own_table_says_all_that_a_web_event_can(place):
    (event,) = events(place.land("order_completed", ORDER))

    assert properties(event) == {
        "total": "12.5", "currency": "EUR", "order_id": "o1", "products": '[{"id":"p1"}]', "name": "Pan",
        "context_locale": "de-DE", "context_library_name": "analytics.js",
    }  # fmt: skip
    event.pop("properties")
    assert event == {
        "event_id": "m1", "event": "order_placed", "occurred_at": datetime(2026, 1, 31, 9, 0, 1, tzinfo=UTC),
        "time_precision": "instant", "clock_source": "corrected", "is_clamped": False,
        "received_at": datetime(2026, 1, 31, 9, 0, 3, tzinfo=UTC), "anonymous_id": "v1", "user_id": "u1",
        "hostname": "www.acme.example", "path": "/pricing", "title": "Prices", "referrer": "https://www.google.com/search",
        "click_id": "gclid", "utm_source": "news", "utm_campaign": "may", "device": "desktop", "browser": "Chrome",
        "is_bot": False, "is_internal": False, "value_minor": 1250, "currency": "EUR",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event", "text", "expected"),
    [
        ("product_added", "Product Added", "add_to_cart"),
        ("product_added", "", "add_to_cart"),
        ("email_link_clicked", "", "email_clicked"),
        ("video_played", "Video Played", "video_played"),
        ("video_played", "", "video_played"),
    ],
)
def test_a_track_has_the_houses_name_by_what_was_sent_or_by_its_table(place, event, text, expected):
    (found,) = events(place.land("tracks", {**CALL, "event": event, "event_text": text}))

    assert found["event"] == expected


def test_pages_and_screens_are_page_views(place):
    place.land(
        "pages", {"id": "p1", "anonymous_id": "v1", "timestamp": NINE, "url": "https://a.example/x", "name": "Home"}
    )
    place.land(
        "screens",
        {
            "id": "s1", "anonymous_id": "v1", "timestamp": NINE, "name": "Start", "context_device_type": "ios",
            "context_device_model": "iPad13,4", "context_device_id": "d1", "context_session_id": "77",
        },
    )  # fmt: skip

    page, screen = events(place)

    assert (page["event"], page["path"], page["title"]) == ("page_view", "/x", "Home")
    assert (screen["event"], screen["title"], screen["device"], screen["device_id"], screen["visit_id"]) == (
        "page_view", "Start", "tablet", "d1", "77",
    )  # fmt: skip


def test_the_traits_of_people_are_kept_without_what_is_personal(place):
    who = {
        "email": "Ann@Example.com",
        "name": "Ann Bee",
        "first_name": "Ann",
        "address_street": "Elm St",
        "plan": "pro",
    }
    place.land("identifies", {"id": "i1", "anonymous_id": "v1", "user_id": "u1", "timestamp": NINE, **who})
    place.land("users", {"id": "u1", "received_at": NINE, "context_ip": "203.0.113.7", **who})

    (identify,) = events(place)

    assert (identify["event"], identify["email"], identify["properties"]) == (
        "identify", hashed("ann@example.com"), '{"plan":"pro"}',
    )  # fmt: skip
    assert records(place) == [("user", "u1", "u1", None, '{"plan":"pro"}')]


def test_groups_and_accounts_tell_of_companies(place):
    company = {"name": "Acme Ltd", "plan": "business", "email": "info@acme.example"}
    place.land("groups", {"id": "g1", "user_id": "u1", "group_id": "acme", "timestamp": NINE, **company})
    place.land("accounts", {"id": "acme", "received_at": NINE, **company})

    (group,) = events(place)

    assert (group["event"], group["account_id"], "email" in group) == ("group", "acme", False)
    assert properties(group) == {"name": "Acme Ltd", "plan": "business"}
    assert records(place) == [("account", "acme", None, "acme", '{"name":"Acme Ltd","plan":"business"}')]


def test_the_newest_row_of_a_user_wins(place):
    place.land("users", {"id": "u1", "received_at": "2026-01-02 00:00:00", "plan": "pro"})
    place.land("users", {"id": "u1", "received_at": "2026-01-01 00:00:00", "plan": "free"}, name="b.csv")

    place.load()

    assert records(place) == [("user", "u1", "u1", None, '{"plan":"pro"}')]


def test_logins_aliases_and_users_tie_who_they_name(place):
    place.land("tracks", {"id": "t1", "anonymous_id": "v1", "event": "clicked", "timestamp": NINE})
    place.land("identifies", {"id": "i1", "anonymous_id": "v1", "user_id": "u1", "timestamp": NINE})
    place.land(
        "aliases",
        {"id": "a1", "anonymous_id": "v1", "user_id": "u1", "previous_id": "u0", "timestamp": NINE},
        {"id": "a2", "anonymous_id": "", "user_id": "u1", "previous_id": "v2", "timestamp": NINE},
    )
    place.land("users", {"id": "u1", "received_at": NINE, "email": "ann@example.com"})

    place.load()

    web = RAW_WEB_EVENTS.conform(place.warehouse.query("FROM raw.web_events").lazy())
    crm = RAW_CRM_RECORDS.conform(place.warehouse.query("FROM raw.crm_records").lazy())
    assert people(resolved(web, crm)) == {frozenset({"u0", "u1", "v1", "v2", hashed("ann@example.com")})}


# ---------------------------------------------------------------- an event in two tables


def test_the_table_of_an_event_tells_more_than_tracks_in_whatever_order_they_land(tmp_path):
    earlier = {**TRACK, "received_at": "2026-01-31 08:30:00 UTC"}
    deliveries = [("tracks", TRACK), ("tracks", earlier), ("order_completed", ORDER)]
    found = []

    for number, order in enumerate(permutations(deliveries)):
        place = Tables(tmp_path / str(number))
        for step, (table, row) in enumerate(order):
            place.land(table, row, name=f"{step}.csv").load()
        found.append((place.tables(), sorted(outcomes(place))))

    assert all(each == found[0] for each in found)
    assert found[0][1] == [("order_completed", "loaded"), ("tracks", "superseded"), ("tracks", "superseded")]
    assert [properties(event)["order_id"] for event in told(place)] == ["o1"]


def test_an_event_whose_own_row_is_missing_is_told_by_tracks(place):
    place.land("tracks", TRACK, {**TRACK, "id": "m2"}).land("order_completed", {**ORDER, "id": "m2"})

    assert [(event["event_id"], "order_id" in properties(event)) for event in events(place)] == [
        ("m1", False),
        ("m2", True),
    ]
    assert outcomes(place) == [("order_completed", "loaded"), ("tracks", "loaded"), ("tracks", "superseded")]


def test_rows_of_an_events_own_table_contradict_each_other_as_rows_of_any_source(place):
    place.land("tracks", TRACK, TRACK).land("order_completed", ORDER, {**ORDER, "total": "99"})

    place.load()

    assert sorted(outcomes(place)) == [
        ("order_completed", "conflict"), ("order_completed", "loaded"),
        ("tracks", "superseded"), ("tracks", "superseded"),
    ]  # fmt: skip


# ---------------------------------------------------------------- files


def test_columns_in_capitals_are_the_same_columns(tmp_path):
    small, capital = Tables(tmp_path / "small"), Tables(tmp_path / "capital")
    small.land("order_completed", CALL | {"event": "order_completed", "total": "5"})
    shouted = {name.upper(): value for name, value in CALL.items()} | {"EVENT": "order_completed", "TOTAL": "5"}
    capital.land("order_completed", {**shouted, "CONTEXT_PAGE_SEARCH": "?q=secret", "REQUEST_IP": "203.0.113.9"})

    assert events(capital) == events(small)


def test_parquet_and_lines_of_json_say_the_same(tmp_path):
    as_lines, as_parquet = Tables(tmp_path / "lines"), Tables(tmp_path / "parquet")
    order = {**{name: value for name, value in ORDER.items() if name != "products"}, "total": 12.5}
    as_lines.put("order_completed/a.ndjson", json.dumps(order) + "\n")
    pl.DataFrame([order]).write_parquet(as_parquet.landing / "order_completed" / "a.parquet")

    assert events(as_lines) == events(as_parquet)
    assert properties(told(as_lines)[0])["total"] == 12.5
    assert "context_ip" not in told(as_lines)[0]["properties"]


def test_the_same_rows_again_are_duplicates(place):
    rows = [TRACK, {**TRACK, "id": "m2", "timestamp": "", "original_timestamp": "", "received_at": ""}]
    place.land("tracks", *rows).load()

    again = place.land("tracks", *reversed(rows), name="b.csv").load()

    assert outcomes(place)[:2] == [("tracks", "loaded"), ("tracks", "quarantined")]
    assert again.outcomes == {"duplicate": 1, "quarantined": 1}
