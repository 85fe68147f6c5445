import json
from datetime import UTC, datetime

import polars as pl
import pytest

from pipelines.engines.local import LocalEngine
from pipelines.readers.snowplow import COLUMNS
from pipelines.settings import read_configuration
from tests.pipelines.test_ingest import Workspace
from transforms.canonical import keyed
from transforms.events import build_timeline
from transforms.journey import Journey
from transforms.sessions import summarise_sessions

SOURCE = {"format": "snowplow", "files": "good/*"}
BROWSER, SESSION, NETWORK = "d1f7c1a0-0001", "5e551000-0001", "ae700000-0001"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0"
SHOP = "iglu:com.snowplowanalytics.snowplow.ecommerce"
WEB = {
    "app_id": "shop",
    "platform": "web",
    "etl_tstamp": "2026-03-02 10:00:09.000",
    "collector_tstamp": "2026-03-02 10:00:05.000",
    "dvce_created_tstamp": "2026-03-02 11:00:00.000",
    "dvce_sent_tstamp": "2026-03-02 11:00:02.500",
    "derived_tstamp": "2026-03-02 10:00:02.500",
    "event": "page_view",
    "event_name": "page_view",
    "event_vendor": "com.snowplowanalytics.snowplow",
    "event_version": "1-0-0",
    "event_format": "jsonschema",
    "event_id": "e1",
    "v_collector": "ssc-3.2",
    "v_etl": "enrich-5.0",
    "user_ipaddress": "203.0.113.7",
    "domain_userid": BROWSER,
    "domain_sessionid": SESSION,
    "domain_sessionidx": "3",
    "network_userid": NETWORK,
    "page_url": "https://www.acme.example/pricing?gclid=secret&token=secret",
    "page_title": "Pricing",
    "page_urlhost": "www.acme.example",
    "page_urlpath": "/pricing",
    "useragent": CHROME,
}


def described(schema, data):
    return {"schema": schema, "data": data}


def contexts(*parts):
    return json.dumps(described("iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", parts))


def unstruct(schema, **data):
    outer = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
    name = schema.split("/")[1]
    return {
        "event": "unstruct",
        "event_name": name,
        "unstruct_event": json.dumps(described(outer, described(schema, data))),
    }


def action(kind, *parts):
    return {**unstruct(f"{SHOP}/snowplow_ecommerce_action/jsonschema/1-0-2", type=kind), "contexts": contexts(*parts)}


def tsv(*events):
    return "".join("\t".join({**WEB, **event}.get(name, "") for name in COLUMNS) + "\n" for event in events)


def sdk_json(*events):
    return "".join(json.dumps(event) + "\n" for event in events)


@pytest.fixture
def pipeline(tmp_path):
    (tmp_path / "landing" / "good").mkdir(parents=True)
    return Workspace(tmp_path, web=SOURCE)


def told(workspace, columns, *events):
    workspace.put("good/part-00000", tsv(*({"event_id": f"e{n:03}", **event} for n, event in enumerate(events)))).load()
    return workspace.rows(f"SELECT {columns} FROM raw.web_events ORDER BY event_id")


def properties_of(workspace, *events):
    return [json.loads(text) for (text,) in told(workspace, "properties", *events)]


# ---------------------------------------------------------------- the columns


def test_the_columns_are_in_the_order_of_the_enriched_format():
    anchors = {
        0: "app_id", 5: "event", 6: "event_id", 12: "user_id", 15: "domain_userid", 29: "page_url", 52: "contexts",
        58: "unstruct_event", 77: "useragent", 108: "tr_currency", 119: "dvce_sent_tstamp", 122: "derived_contexts",
        123: "domain_sessionid", 124: "derived_tstamp", 126: "event_name", 130: "true_tstamp",
    }  # fmt: skip

    assert len(COLUMNS) == len(set(COLUMNS)) == 131
    assert {place: COLUMNS[place] for place in anchors} == anchors


def test_a_page_view_says_all_that_a_web_event_can(pipeline):
    page_view = {
        "user_id": "u1",
        "page_referrer": "https://www.google.com/search?q=secret",
        "refr_medium": "search",
        "mkt_source": "news",
        "mkt_medium": "email",
        "mkt_campaign": "may",
        "mkt_term": "shoe",
        "mkt_content": "top",
        "geo_country": "DE",
        "contexts": contexts(described(PAGE, {"id": "p1"})),
    }
    pipeline.put("good/part-00000.gz", tsv(page_view)).load()

    row = pipeline.warehouse.query("FROM raw.web_events").row(0, named=True)

    kept = {name: value for name, value in row.items() if value is not None}
    assert {**kept, "file_id": "", "properties": json.loads(kept["properties"])} == {
        "source": "web", "event_id": "e1", "event": "page_view", "file_id": "", "row": 1, "row_key": kept["row_key"],
        "occurred_at": datetime(2026, 3, 2, 10, 0, 2, 500000, tzinfo=UTC), "time_precision": "instant",
        "received_at": datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC), "clock_source": "corrected", "is_clamped": False,
        "anonymous_id": BROWSER, "user_id": "u1", "visit_id": SESSION, "hostname": "www.acme.example", "path": "/pricing",
        "title": "Pricing", "referrer": "https://www.google.com/search", "utm_source": "news", "utm_medium": "email",
        "utm_campaign": "may", "utm_term": "shoe", "utm_content": "top", "click_id": "gclid", "device": "desktop",
        "browser": "Chrome", "country": "DE", "is_bot": False, "is_internal": False,
        "properties": {
            "app_id": "shop", "platform": "web", "domain_sessionidx": "3", "refr_medium": "search",
            "event_vendor": "com.snowplowanalytics.snowplow", "page_view_id": "p1",
        },
    }  # fmt: skip


def test_a_row_without_its_131_fields_is_quarantined(pipeline):
    pipeline.put("good/part-00000", tsv({}).rstrip("\n") + "\tmore\n" + tsv({"event_id": "e2"})).load()

    assert pipeline.rows("SELECT row, reason FROM raw.quarantine") == [(1, "wrong_columns")]
    assert pipeline.rows("SELECT event_id FROM raw.web_events") == [("e2",)]


def test_a_quote_is_a_character_like_any_other(pipeline):
    assert told(pipeline, "title", {"page_title": 'The "best'}, {"page_title": '"'}) == [('The "best',), ('"',)]


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize(
    ("times", "expected", "clock"),
    [
        ({}, "10:00:02.500", "corrected"),
        ({"true_tstamp": "2026-03-02 09:00:00.000"}, "09:00:00.000", "declared"),
        ({"dvce_sent_tstamp": ""}, "10:00:05.000", "created_at"),
        ({"dvce_created_tstamp": "", "dvce_sent_tstamp": ""}, "10:00:02.500", "declared"),
        ({"dvce_created_tstamp": "", "dvce_sent_tstamp": "", "derived_tstamp": ""}, "10:00:05.000", "received_at"),
        ({"dvce_created_tstamp": "2026-03-02T09:59:00.000Z", "dvce_sent_tstamp": ""}, "09:59:00.000", "created_at"),
    ],
)
def test_the_device_s_clock_is_corrected_and_a_true_time_believed(pipeline, times, expected, clock):
    at, source = told(pipeline, "occurred_at, clock_source", times)[0]

    assert (at.isoformat(timespec="milliseconds")[11:23], source) == (expected, clock)


# ---------------------------------------------------------------- which event it is


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({}, "page_view"),
        ({"event": "page_ping", "event_name": "page_ping"}, "page_ping"),
        ({"event": "struct", "event_name": "event", "se_category": "Video", "se_action": "Play Trailer"}, "play_trailer"),
        ({"event": "struct", "event_name": "event", "se_category": "Video"}, "video"),
        ({"event": "transaction_item", "event_name": "transaction_item"}, "order_item"),
        ({"event": "", "event_name": "page_ping"}, "page_ping"),
        (unstruct("iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1"), "link_click"),
        (unstruct("iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0"), "form_submitted"),
        (unstruct("iglu:com.snowplowanalytics.snowplow/add_to_cart/jsonschema/1-0-0"), "add_to_cart"),
        (unstruct("iglu:com.snowplowanalytics.snowplow/site_search/jsonschema/1-0-0"), "search"),
        (unstruct("iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0"), "page_view"),
        (unstruct("iglu:com.acme/trialStarted/jsonschema/2-0-0"), "trial_started"),
        (action("product_view"), "product_view"),
        (action("add_to_cart"), "add_to_cart"),
        (action("remove_from_cart"), "remove_from_cart"),
        (action("list_view"), "product_list_view"),
        (action("trns_error"), "payment_failed"),
        (action("checkout_step", described(f"{SHOP}/checkout_step/jsonschema/1-0-0", {"step": 1})), "checkout_started"),
        (action("checkout_step", described(f"{SHOP}/checkout_step/jsonschema/1-0-0", {"step": 2})), "checkout_step"),
        (unstruct("iglu:com.google.analytics.enhanced-ecommerce/action/jsonschema/1-0-0", action="detail"), "product_view"),
        (unstruct("iglu:com.acme/action/jsonschema/1-0-0", action="detail"), "action"),
    ],
)  # fmt: skip
def test_an_event_has_the_name_that_the_presets_know(pipeline, event, name):
    assert told(pipeline, "event", event) == [(name,)]


def test_a_screen_of_an_app_is_a_page_with_its_name_as_title(pipeline):
    screen = unstruct("iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0", name="Basket", id="s1")

    assert told(pipeline, "event, title", {**screen, "page_title": ""}) == [("page_view", "Basket")]


def test_orders_and_refunds_carry_their_money(pipeline):
    google = "iglu:com.google.analytics.enhanced-ecommerce"
    transaction = described(
        f"{SHOP}/transaction/jsonschema/1-0-0", {"transaction_id": "t2", "revenue": 20.5, "currency": "EUR"}
    )
    refund = described(
        f"{SHOP}/refund/jsonschema/1-0-0", {"transaction_id": "t2", "refund_amount": 5, "currency": "EUR"}
    )
    field = described(
        f"{google}/actionFieldObject/jsonschema/1-0-0", {"id": "t3", "revenue": "7.00", "currency": "USD"}
    )

    found = told(
        pipeline,
        "event, value_minor, currency",
        {"event": "transaction", "tr_orderid": "t1", "tr_total": "19.90", "tr_currency": "GBP"},
        {"event": "transaction_item", "ti_orderid": "t1", "ti_price": "9.95", "ti_quantity": "2"},
        action("transaction", transaction),
        action("refund", refund),
        {**unstruct(f"{google}/action/jsonschema/1-0-0", action="purchase"), "contexts": contexts(field)},
        action("add_to_cart", transaction),
    )

    assert found == [
        ("order_placed", 1990, "GBP"),
        ("order_item", None, None),
        ("order_placed", 2050, "EUR"),
        ("order_returned", -500, "EUR"),
        ("order_placed", 700, "USD"),
        ("add_to_cart", None, None),
    ]


# ---------------------------------------------------------------- who it is


def session_context(**data):
    return described("iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2", data)


def test_a_browser_is_its_cookie_and_an_app_its_installation(pipeline):
    app = {"platform": "mob", "domain_userid": "", "domain_sessionid": "", "page_url": "", "useragent": ""}
    session = session_context(userId="i1", sessionId="s1", eventIndex=7)
    mobile = described("iglu:com.snowplowanalytics.snowplow/mobile_context/jsonschema/1-0-3", {"appleIdfv": "v1"})

    found = told(
        pipeline,
        "anonymous_id, device_id, visit_id, seq, device",
        {},
        {"domain_userid": ""},
        {**app, "contexts": contexts(session)},
        {**app, "contexts": contexts(mobile)},
        {"contexts": contexts(session_context(userId=BROWSER, sessionId="s2"))},
        {"domain_userid": "", "network_userid": "00000000-0000-0000-0000-000000000000", "user_id": "u1"},
    )

    assert found == [
        (BROWSER, None, SESSION, None, "desktop"),
        (NETWORK, None, SESSION, None, "desktop"),
        (None, "i1", "s1", 7, "mobile"),
        (None, "v1", None, None, "mobile"),
        (BROWSER, None, SESSION, None, "desktop"),
        (None, None, SESSION, None, "desktop"),
    ]


def test_the_collector_s_cookie_names_no_app_and_no_server(pipeline):
    pipeline.put("good/part-00000", tsv({"platform": "srv", "domain_userid": ""})).load()

    assert pipeline.rows("SELECT reason FROM raw.quarantine") == [("missing_identity",)]


def test_an_address_of_mail_in_the_shop_s_user_is_evidence_and_stays_hidden(pipeline):
    user = described(f"{SHOP}/user/jsonschema/1-0-0", {"id": "u1", "email": "Ann@Shop.example", "is_guest": False})

    email, properties = told(pipeline, "email, properties", {"contexts": contexts(user)})[0]

    assert email == keyed("ann@shop.example", b"key")
    column = "contexts_com_snowplowanalytics_snowplow_ecommerce_user_1"
    assert json.loads(properties)[column] == [{"id": "u1", "is_guest": False}]


def test_a_cookie_and_an_app_of_one_user_are_one_customer(pipeline, tmp_path):
    app = {"platform": "mob", "domain_userid": "", "contexts": contexts(session_context(userId="i1", sessionId="s1"))}
    other = {"domain_userid": "d1f7c1a0-0002"}
    told(pipeline, "event", {}, {"user_id": "u1"}, {**app, "user_id": "u1"}, app, other)
    (tmp_path / "journey.yaml").write_text("preset: ecommerce\n", encoding="utf-8")

    engine = LocalEngine(pipeline.warehouse, read_configuration(tmp_path / "journey.yaml"))
    with pipeline.warehouse.opened():
        engine.identity()
        engine.timeline()

    found = pipeline.rows("SELECT list(event_id ORDER BY event_id) FROM core.events GROUP BY customer_id ORDER BY 1")
    assert found == [(["e000", "e001", "e002", "e003"],), (["e004"],)]


@pytest.mark.parametrize(
    ("event", "is_bot"),
    [
        ({}, False),
        ({"useragent": "Googlebot/2.1"}, True),
        ({"br_type": "Robot"}, True),
        ({"derived_contexts": contexts(described("iglu:com.iab.snowplow/spiders_and_robots/jsonschema/1-0-0", {"spiderOrRobot": True}))}, True),
        ({"derived_contexts": contexts(described("iglu:com.iab.snowplow/spiders_and_robots/jsonschema/1-0-0", {"spiderOrRobot": False}))}, False),
        ({"derived_contexts": contexts(described("iglu:nl.basjes/yauaa_context/jsonschema/1-0-4", {"agentClass": "Robot Mobile"}))}, True),
    ],
)  # fmt: skip
def test_robots_are_those_of_the_agent_and_of_the_enrichments(pipeline, event, is_bot):
    assert told(pipeline, "is_bot", event) == [(is_bot,)]


# ---------------------------------------------------------------- what is kept


def test_the_event_s_own_data_are_properties_and_contexts_stay_whole(pipeline):
    plan = described("iglu:com.acme/plan/jsonschema/1-0-0", {"name": "pro", "limits": {"seats": 5, "days": None}})
    event = {
        **unstruct("iglu:com.acme/trial_started/jsonschema/1-0-0", days=14, app_id="inner"),
        "contexts": contexts(plan, plan),
    }

    assert properties_of(pipeline, event) == [
        {
            "app_id": "shop", "platform": "web", "domain_sessionidx": "3", "days": 14, "data_app_id": "inner",
            "event_vendor": "com.snowplowanalytics.snowplow",
            "contexts_com_acme_plan_1": [{"name": "pro", "limits": {"seats": 5}}] * 2,
        }
    ]  # fmt: skip


def test_nothing_personal_becomes_a_property(pipeline):
    secret = "secret"
    form = unstruct(
        "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0",
        formId="signup",
        elements=[{"name": "company", "value": secret, "nodeName": "INPUT"}],
    )
    click = unstruct(
        "iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1",
        targetUrl="https://acme.example/a?token=secret#secret",
        elementContent=secret,
        elementId="buy",
    )
    person = described(
        "iglu:com.acme/person/jsonschema/1-0-0",
        {"firstName": secret, "E-Mail": secret, "contact": {"phone_number": secret}, "note": "secret@acme.example"},
    )
    places = described("iglu:com.snowplowanalytics.snowplow/geolocation_context/jsonschema/1-1-0", {"latitude": 1.5})
    headers = described("iglu:org.ietf/http_header/jsonschema/1-0-0", {"name": "X-Forwarded-For", "value": secret})
    timing = described("iglu:org.w3/PerformanceTiming/jsonschema/1-0-0", {"loadEventEnd": 4711})
    labels = {"event": "struct", "se_action": "send", "se_label": "secret@acme.example", "se_property": "footer"}

    found = properties_of(
        pipeline,
        form,
        click,
        {"contexts": contexts(person), "derived_contexts": contexts(places, headers, timing)},
        labels,
    )

    assert "secret" not in str(found)
    assert "203.0.113.7" not in str(pipeline.rows("FROM raw.web_events"))
    assert (found[0]["formId"], found[0]["elements"]) == ("signup", [{"name": "company", "nodeName": "INPUT"}])
    assert (found[1]["targetUrl"], found[1]["elementId"]) == ("https://acme.example/a", "buy")
    assert {name for name in found[2] if name.startswith("contexts")} == {"contexts_com_acme_person_1"}
    assert found[3]["se_property"] == "footer"


@pytest.mark.parametrize("broken", [
    "{", '{"schema": "x"}', '{"data": [{"schema": "acme", "data": {}}]}', "[1]",
    '{"data": [{"schema": "iglu:com.acme/a/jsonschema/1-0-0", "data": {"a": NaN}}]}',
])  # fmt: skip
def test_contexts_that_are_none_are_quarantined(pipeline, broken):
    pipeline.put("good/part-00000", tsv({"contexts": broken}, {"event_id": "e2"})).load()

    assert pipeline.rows("SELECT row, reason FROM raw.quarantine") == [(1, "parse_error")]


def test_half_a_character_is_replaced(pipeline):
    event = unstruct("iglu:com.acme/a/jsonschema/1-0-0", note="a\ud83db")

    assert properties_of(pipeline, event)[0]["note"] == "a?b"


# ---------------------------------------------------------------- JSON and Parquet

COLUMN = "com_snowplowanalytics_snowplow"
SDK_EVENT = {
    **{name: None for name in COLUMNS if name not in ("contexts", "derived_contexts", "unstruct_event")},
    **{name: value.replace(" ", "T") + "Z" if name.endswith("tstamp") else value for name, value in WEB.items()},
    "domain_sessionidx": 3,
    "event": "unstruct",
    "event_name": "trial_started",
    f"contexts_{COLUMN}_web_page_1": [{"id": "p1"}],
    f"contexts_{COLUMN}_client_session_1": [{"userId": BROWSER, "sessionId": SESSION, "eventIndex": 4}],
    "contexts_com_acme_plan_1": [{"name": "pro", "seats": 5}],
    "unstruct_event_com_acme_trial_started_1": {"days": 14, "firstName": "Ann"},
}
SAME_EVENT = {
    **unstruct("iglu:com.acme/trial_started/jsonschema/1-0-0", days=14, firstName="Ann"),
    "contexts": contexts(
        described(PAGE, {"id": "p1"}),
        described("iglu:com.acme/plan/jsonschema/1-0-0", {"name": "pro", "seats": 5}),
        session_context(userId=BROWSER, sessionId=SESSION, eventIndex=4),
    ),
}


def test_an_event_is_the_same_as_tsv_as_json_and_as_parquet(pipeline):
    loaded = {
        name: [value]
        for name, value in SDK_EVENT.items()
        if value is not None and not name.endswith("client_session_1")
    }
    loaded[f"contexts_{COLUMN}_client_session_1"] = [[{"user_id": BROWSER, "session_id": SESSION, "event_index": 4}]]
    times = pl.col("^.*_tstamp$").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
    frame = pl.DataFrame(loaded).with_columns(
        times, load_tstamp=pl.lit("2026-03-02"), unstruct_event_com_acme_other_1=None
    )
    frame.write_parquet(pipeline.landing / "good" / "part-2.parquet")
    pipeline.put("good/part-0.txt", tsv(SAME_EVENT)).put("good/part-1.json.gz", sdk_json(SDK_EVENT))

    pipeline.load()

    assert sorted(outcome for _, _, outcome in pipeline.outcomes()) == ["duplicate", "duplicate", "loaded"]
    properties = json.loads(pipeline.rows("SELECT properties FROM raw.web_events")[0][0])
    assert (properties["days"], properties["page_view_id"]) == (14, "p1")
    assert properties["contexts_com_acme_plan_1"] == [{"name": "pro", "seats": 5}]


def test_a_table_in_capitals_with_json_as_text_is_read_too(pipeline):
    frame = pl.DataFrame(
        {
            "EVENT_ID": ["e1"],
            "EVENT": ["unstruct"],
            "EVENT_NAME": ["trial_started"],
            "COLLECTOR_TSTAMP": [datetime(2026, 3, 2, 10)],
            "DOMAIN_USERID": [BROWSER],
            "CONTEXTS_COM_ACME_PLAN_1": ['[{"name": "pro"}]'],
            "UNSTRUCT_EVENT_COM_ACME_TRIAL_STARTED_1_0_0": ['{"days": 14}'],
            "USER_IPADDRESS": ["203.0.113.7"],
        }
    )
    frame.write_parquet(pipeline.landing / "good" / "x.parquet")

    pipeline.load()

    row = pipeline.rows("SELECT event, anonymous_id, properties FROM raw.web_events")[0]
    assert (*row[:2], json.loads(row[2])) == (
        "trial_started", BROWSER, {"days": 14, "contexts_com_acme_plan_1": [{"name": "pro"}]},
    )  # fmt: skip


def test_other_columns_of_a_table_are_properties_unless_the_journey_leaves_them_out(tmp_path):
    (tmp_path / "landing" / "good").mkdir(parents=True)
    pipeline = Workspace(tmp_path, web={**SOURCE, "left_out": ["hidden", "contexts_com_acme_person_1"]})
    event = {**SDK_EVENT, "cohort": "b", "hidden": "x", "contexts_com_acme_person_1": [{"name": "Ann"}]}

    pipeline.put("good/x.jsonl", sdk_json(event)).load()

    properties = json.loads(pipeline.rows("SELECT properties FROM raw.web_events")[0][0])
    assert properties["cohort"] == "b"
    assert not {"hidden", "contexts_com_acme_person_1", "user_ipaddress"} & set(properties)


# ---------------------------------------------------------------- books


def test_natural_duplicates_are_duplicates_and_synthetic_ones_conflicts(pipeline):
    natural = {"collector_tstamp": "2026-03-02 10:05:00.000", "dvce_sent_tstamp": "2026-03-02 11:04:57.500",
               "etl_tstamp": "2026-03-02 10:06:00.000", "network_userid": "other"}  # fmt: skip
    synthetic = {"page_url": "https://www.acme.example/other", "page_urlpath": "/other"}

    pipeline.put("good/part-00000", tsv({}, natural, synthetic)).load()

    assert sorted(outcome for _, _, outcome in pipeline.outcomes()) == ["conflict", "duplicate", "loaded"]
    assert pipeline.rows("SELECT count(*) FROM raw.web_events") == [(1,)]


def test_rows_in_any_order_and_in_any_files_are_the_same_events(tmp_path):
    rows = [
        tsv({"event_id": f"e{number}", "dvce_created_tstamp": f"2026-03-02 11:00:0{number}.000"})
        for number in (0, 1, 2)
    ]
    for folder in ("whole", "split"):
        (tmp_path / folder / "landing" / "good").mkdir(parents=True)
    whole = Workspace(tmp_path / "whole", web=SOURCE).put("good/a", "".join(rows))
    split = (
        Workspace(tmp_path / "split", web=SOURCE).put("good/b", rows[2] + rows[0]).put("good/c.gz", rows[1] + rows[2])
    )

    whole.load()
    split.load()

    assert whole.tables() == split.tables()
    assert len(whole.tables()["raw.web_events"]) == 3


def test_pings_extend_the_session_that_a_page_view_opened(pipeline):
    def moment(event_id, minute, event="page_view"):
        at = f"2026-03-02 10:{minute:02}:00.000"
        times = dict.fromkeys(("collector_tstamp", "dvce_created_tstamp", "dvce_sent_tstamp"), at)
        return {**times, "event_id": event_id, "event": event, "event_name": event}

    pings = [moment("e0", 0, "page_ping"), moment("e2", 30, "page_ping"), moment("e3", 55, "page_ping")]
    pipeline.put("good/part-00000", tsv(*pings, moment("e1", 5))).load()

    raw = pipeline.warehouse.query(
        "SELECT *, anonymous_id AS customer_id, anonymous_id AS visitor_id FROM raw.web_events"
    )
    timeline = build_timeline(raw.lazy(), journey=Journey()).collect()
    session = summarise_sessions(timeline.lazy(), journey=Journey()).collect().row(0, named=True)

    assert timeline["session_id"].is_null().to_list() == [True, False, False, False]
    assert (session["event_count"], session["is_bounce"], session["duration_seconds"]) == (1, True, 50 * 60)
