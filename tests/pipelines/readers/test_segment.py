import json
from datetime import UTC, datetime

import polars as pl
import pytest

from tests.pipelines.test_ingest import Workspace
from tests.transforms.test_identity import people, resolved
from transforms.canonical import keyed
from transforms.contracts import RAW_WEB_EVENTS

WEB = {"format": "segment", "files": "*"}
NINE = "2026-01-31T09:00:00Z"
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def call(**said):
    return {"messageId": "m1", "anonymousId": "v1", "timestamp": NINE, **said}


def lines(*calls):
    return "".join(json.dumps(said) + "\n" for said in calls)


def loaded(folder, *calls, source=WEB, name="a.ndjson"):
    place = Workspace(folder, web=source).put(name, lines(*calls))
    place.load()
    return place


def told(place):
    """The events by id, each with the columns that have a value."""
    rows = place.warehouse.query("FROM raw.web_events ORDER BY event_id").drop("row_key", "file_id", "row", "source")
    return [{name: value for name, value in row.items() if value is not None} for row in rows.iter_rows(named=True)]


def only(folder, **said):
    (event,) = told(loaded(folder, call(**said)))
    return event


def properties(event):
    return json.loads(event["properties"])


def hashed(value):
    return keyed(value, b"key")


def customers(place):
    events = RAW_WEB_EVENTS.conform(place.warehouse.query("FROM raw.web_events").lazy())
    return people(resolved(events))


@pytest.fixture(params=["segment", "rudderstack"])
def source(request):
    return {"format": request.param, "files": "*"}


# ---------------------------------------------------------------- whole calls


def test_a_page_call_says_all_that_a_web_event_can(tmp_path, source):
    page = call(
        type="page", name="Pricing", userId="u1", originalTimestamp="2026-01-31T08:59:00Z", sentAt="2026-01-31T08:59:02Z",
        receivedAt="2026-01-31T09:00:03Z", integrations={"All": True}, request_ip="203.0.113.9", rudderId="r1", channel="web",
        properties={"plan": "pro", "ip": "203.0.113.9"},
        context={
            "ip": "203.0.113.7", "userAgent": AGENT, "locale": "de-DE", "timezone": "Europe/Berlin", "sessionId": 1706691600,
            "active": True, "library": {"name": "analytics.js", "version": "5.1"},
            "app": {"name": "Shop", "version": "2.1"}, "os": {"name": "Windows"},
            "page": {
                "url": "https://www.acme.example/pricing?gclid=secret", "path": "/pricing", "title": "Prices",
                "referrer": "https://www.google.com/search?q=secret",
            },
            "referrer": {"id": "r9", "type": "ad", "link": "https://ads.example/r9"},
            "campaign": {"source": "news", "medium": "email", "name": "may", "term": "shoe", "content": "top"},
            "location": {"country": "DE"},
        },
    )  # fmt: skip

    (event,) = told(loaded(tmp_path, page, source=source))

    assert properties(event) == {
        "plan": "pro", "context_app_name": "Shop", "context_app_version": "2.1", "context_os_name": "Windows",
        "context_locale": "de-DE", "context_timezone": "Europe/Berlin", "context_library_name": "analytics.js",
        "context_referrer_type": "ad", "context_referrer_id": "r9", "context_active": "true", "context_channel": "web",
    }  # fmt: skip
    event.pop("properties")
    assert event == {
        "event_id": "m1", "event": "page_view", "occurred_at": datetime(2026, 1, 31, 9, 0, 1, tzinfo=UTC),
        "time_precision": "instant", "clock_source": "corrected", "is_clamped": False,
        "received_at": datetime(2026, 1, 31, 9, 0, 3, tzinfo=UTC), "anonymous_id": "v1", "user_id": "u1",
        "visit_id": "1706691600", "hostname": "www.acme.example", "path": "/pricing", "title": "Prices",
        "referrer": "https://www.google.com/search", "click_id": "gclid", "utm_source": "news", "utm_medium": "email",
        "utm_campaign": "may", "utm_term": "shoe", "utm_content": "top", "device": "desktop", "browser": "Chrome",
        "country": "DE", "is_bot": False, "is_internal": False,
    }  # fmt: skip


def test_a_screen_of_an_app_is_a_page_view_with_its_name_as_title(tmp_path):
    device = {"id": "d1", "type": "ios", "model": "iPhone15,2", "advertisingId": "ad1", "token": "secret"}

    event = only(tmp_path, type="screen", name="Home", context={"device": device})

    assert (event["event"], event["title"], event["device"], event["device_id"]) == (
        "page_view",
        "Home",
        "mobile",
        "d1",
    )
    assert "properties" not in event


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ({"type": "ios", "model": "iPad13,4"}, "tablet"),
        ({"type": "android", "model": "Pixel 8"}, "mobile"),
        ({"type": "Android"}, "mobile"),
        ({"model": "iPad13,4"}, None),
        ({"type": "toaster"}, None),
    ],
)
def test_the_kind_of_device_of_an_app_is_told_by_its_system_and_model(tmp_path, device, kind):
    assert only(tmp_path, type="screen", context={"device": device}).get("device") == kind


def test_a_device_without_an_id_is_known_by_its_advertising_id(tmp_path):
    assert only(tmp_path, type="screen", context={"device": {"advertisingId": "ad1"}})["device_id"] == "ad1"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"type": "page"}, "page_view"),
        ({"type": "identify"}, "identify"),
        ({"type": "track", "event": "Products Searched"}, "search"),
        ({"type": "track", "event": "Product List Viewed"}, "product_list_viewed"),
        ({"type": "track", "event": "Promotion Clicked"}, "promotion_clicked"),
        ({"type": "track", "event": "Product Viewed"}, "product_view"),
        ({"type": "track", "event": "Product Added"}, "add_to_cart"),
        ({"type": "track", "event": "Wishlist Product Added to Cart"}, "add_to_cart"),
        ({"type": "track", "event": "Product Added to Wishlist"}, "product_added_to_wishlist"),
        ({"type": "track", "event": "Product Removed"}, "remove_from_cart"),
        ({"type": "track", "event": "Cart Viewed"}, "cart_viewed"),
        ({"type": "track", "event": "Checkout Started"}, "checkout_started"),
        ({"type": "track", "event": "Checkout Step Completed"}, "checkout_step_completed"),
        ({"type": "track", "event": "Payment Info Entered"}, "payment_entered"),
        ({"type": "track", "event": "Order Completed"}, "order_placed"),
        ({"type": "track", "event": "Order Updated"}, "order_updated"),
        ({"type": "track", "event": "Order Cancelled"}, "order_cancelled"),
        ({"type": "track", "event": "Order Refunded"}, "order_returned"),
        ({"type": "track", "event": "Coupon Applied"}, "coupon_applied"),
        ({"type": "track", "event": "Product Shared"}, "product_shared"),
        ({"type": "track", "event": "Product Reviewed"}, "review_posted"),
        ({"type": "track", "event": "Account Created"}, "account_created"),
        ({"type": "track", "event": "Signed Up"}, "signed_up"),
        ({"type": "track", "event": "Signed In"}, "login"),
        ({"type": "track", "event": "Signed Out"}, "signed_out"),
        ({"type": "track", "event": "Trial Started"}, "trial_started"),
        ({"type": "track", "event": "Email Delivered"}, "email_delivered"),
        ({"type": "track", "event": "Email Opened"}, "email_opened"),
        ({"type": "track", "event": "Email Link Clicked"}, "email_clicked"),
        ({"type": "track", "event": "Unsubscribed"}, "unsubscribed"),
        ({"type": "track", "event": "Video Played"}, "video_played"),
    ],
)  # fmt: skip
def test_a_call_gets_the_houses_event_name(tmp_path, said, expected):
    assert only(tmp_path, **said)["event"] == expected


def test_an_order_has_a_value_and_keeps_its_products_as_json(tmp_path):
    goods = [{"product_id": "p1", "name": "Pan", "price": 12.5}]

    order = only(
        tmp_path, type="track", event="Order Completed",
        properties={"total": 12.5, "currency": "EUR", "order_id": "o1", "products": goods},
    )  # fmt: skip

    assert (order["value_minor"], order["currency"]) == (1250, "EUR")
    assert (
        order["properties"] == '{"total":12.5,"currency":"EUR","order_id":"o1",'
        '"products":[{"product_id":"p1","name":"Pan","price":12.5}]}'
    )


# ---------------------------------------------------------------- who


def test_no_personal_value_reaches_the_raw_tables_in_clear(tmp_path):
    traits = {
        "email": "Ann@Example.com", "phone": "+49 151 2345678", "name": "Ann Bee", "firstName": "Ann", "lastName": "Bee",
        "address": {"street": "Elm St"}, "birthday": "1990-01-01", "ip": "203.0.113.7", "plan": "pro",
    }  # fmt: skip

    event = only(tmp_path, type="identify", userId="u1", traits=traits, context={"ip": "203.0.113.7"})

    assert (event["email"], event["phone"], event["user_id"]) == (
        hashed("ann@example.com"), hashed("+491512345678"), "u1",
    )  # fmt: skip
    assert event["properties"] == '{"plan":"pro"}'


def test_a_personal_key_deeper_inside_takes_no_identity_away(tmp_path):
    sent = {"email": "ann@example.com", "billing": {"address": "Elm St"}, "total": 5}

    event = only(tmp_path, type="track", event="Order Completed", properties=sent)

    assert (event["email"], event["value_minor"]) == (hashed("ann@example.com"), 500)


def test_rudderstack_tells_the_traits_of_a_person_in_the_context(tmp_path):
    traits = {"anonymousId": "v9", "email": "ann@example.com", "name": "Ann Bee", "plan": "pro"}
    identify = {"messageId": "m1", "type": "identify", "userId": "u1", "timestamp": NINE, "context": {"traits": traits}}

    (event,) = told(loaded(tmp_path, identify, source={**WEB, "format": "rudderstack"}))

    assert (event["anonymous_id"], event["email"]) == ("v9", hashed("ann@example.com"))
    assert event["properties"] == '{"plan":"pro"}'


def test_the_traits_of_a_person_are_no_properties_of_other_calls(tmp_path):
    event = only(tmp_path, type="track", event="Clicked", context={"traits": {"plan": "pro", "email": "a@b.example"}})

    assert event["email"] == hashed("a@b.example")
    assert "properties" not in event


def test_a_group_call_tells_of_a_company_and_not_of_a_person(tmp_path):
    traits = {"name": "Acme Ltd", "plan": "business", "email": "info@acme.example", "phone": "+1 202 555 0100"}

    event = only(tmp_path, type="group", userId="u1", groupId="acme", traits=traits)

    assert (event["event"], event["account_id"], event["user_id"]) == ("group", "acme", "u1")
    assert properties(event) == {"plan": "business", "name": "Acme Ltd"}
    assert "email" not in event
    assert "phone" not in event


def test_an_alias_without_a_browser_ties_its_previous_id_as_one(tmp_path):
    alias = {"messageId": "m2", "type": "alias", "previousId": "old", "userId": "new", "timestamp": NINE}

    place = loaded(tmp_path, alias)

    assert [(event["anonymous_id"], event["properties"]) for event in told(place)] == [("old", '{"previous_id":"old"}')]
    assert customers(place) == {frozenset({"old", "new"})}


def test_an_alias_with_a_browser_of_its_own_makes_two_users_one(tmp_path):
    before = call(messageId="m0", anonymousId="v0", type="track", event="Signed In", userId="old")
    alias = call(messageId="m2", type="alias", previousId="old", userId="new")

    place = loaded(tmp_path, before, alias)

    assert properties(told(place)[1]) == {"previous_id": "old", "merged_into": "old"}
    assert customers(place) == {frozenset({"old", "new", "v0", "v1"})}


def test_an_alias_of_the_browser_itself_makes_no_user_of_it(tmp_path):
    place = loaded(tmp_path, call(type="alias", previousId="v1", userId="new"))

    assert customers(place) == {frozenset({"v1", "new"})}
    assert properties(told(place)[0]) == {"previous_id": "v1"}


# ---------------------------------------------------------------- what a business says differently


def test_a_business_may_replace_fields_and_keep_more_properties(tmp_path):
    said = {
        **WEB,
        "fields": {"event": {"from": "@event", "map": {"video_played": "content_watched"}}, "user_id": "context.login"},
        "properties": ["context.network"],
    }
    video = call(
        type="track", event="Video Played", properties={"id": 7}, context={"login": "u7", "network": {"wifi": True}}
    )

    (event,) = told(loaded(tmp_path, video, source=said))

    assert (event["event"], event["user_id"]) == ("content_watched", "u7")
    assert event["properties"] == '{"id":7,"context.network":{"wifi":true}}'


# ---------------------------------------------------------------- files


CALLS = [
    call(messageId="m1", type="page", context={"page": {"url": "https://a.example/x"}}),
    call(messageId="m2", type="identify", userId="u1", traits={"email": "ann@example.com", "plan": "pro"}),
    call(messageId="m3", type="track", event="Order Completed", userId="u1", properties={"total": 5, "order_id": "o1"}),
    call(messageId="m3", type="track", event="Order Completed", userId="u1", properties={"total": 5, "order_id": "o1"}),
    {"messageId": "m4", "type": "page", "anonymousId": "v1"},
    {"messageId": "m5", "type": "page", "timestamp": NINE, "userId": "null"},
]


def test_every_row_has_its_outcome_and_the_same_rows_again_are_duplicates(tmp_path):
    place = loaded(tmp_path, *CALLS)

    again = place.put("b.ndjson", lines(*reversed(CALLS))).load()

    assert [outcome for _, _, outcome in place.outcomes()][:6] == [
        "loaded", "loaded", "loaded", "duplicate", "quarantined", "quarantined",
    ]  # fmt: skip
    assert place.rows("SELECT DISTINCT reason FROM raw.quarantine ORDER BY ALL") == [
        ("missing_identity",),
        ("missing_time",),
    ]
    assert again.outcomes == {"duplicate": 4, "quarantined": 2}


def test_tables_of_calls_with_their_objects_as_text_say_the_same_as_lines(tmp_path):
    nested = ("properties", "traits", "context")
    rows = [
        {name: json.dumps(said[name]) if name in said else None for name in nested}
        | {name: said.get(name) for name in ("messageId", "anonymousId", "timestamp", "type", "event", "userId")}
        for said in CALLS[:3]
    ]
    whole, table, text = (Workspace(tmp_path / name, web=WEB) for name in ("lines", "parquet", "csv"))
    whole.put("a.ndjson", lines(*CALLS[:3])).load()

    pl.DataFrame(rows, infer_schema_length=None).write_parquet(table.landing / "a.parquet")
    pl.DataFrame(rows, infer_schema_length=None).write_csv(text.landing / "a.csv")
    table.load()
    text.load()

    assert told(table) == told(text) == told(whole)


def test_text_that_should_be_an_object_and_is_none_is_a_parse_error(tmp_path):
    place = Workspace(tmp_path, web=WEB)
    place.put("a.csv", f"messageId,anonymousId,timestamp,type,event,properties\nm1,v1,{NINE},track,Clicked,{{oops\n")

    place.load()

    assert place.rows("SELECT reason, raw_text LIKE 'm1,%' FROM raw.quarantine") == [("parse_error", True)]
