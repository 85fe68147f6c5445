"""Snowplow: enriched events as the pipeline writes them (TSV), as its Analytics SDKs and loaders do (JSON, Parquet)."""

from typing import Any

import polars as pl

from pipelines.readers.native import Native
from pipelines.readers.self_describing import FREE_TEXT, KEPT, MAIL, SELF_DESCRIBING, Told, told
from transforms.distinct import distinct_places
from transforms.mapping import json_object, json_text, snake_case

COLUMNS = (
    "app_id", "platform", "etl_tstamp", "collector_tstamp", "dvce_created_tstamp", "event", "event_id", "txn_id",
    "name_tracker", "v_tracker", "v_collector", "v_etl", "user_id", "user_ipaddress", "user_fingerprint", "domain_userid",
    "domain_sessionidx", "network_userid", "geo_country", "geo_region", "geo_city", "geo_zipcode", "geo_latitude",
    "geo_longitude", "geo_region_name", "ip_isp", "ip_organization", "ip_domain", "ip_netspeed", "page_url", "page_title",
    "page_referrer", "page_urlscheme", "page_urlhost", "page_urlport", "page_urlpath", "page_urlquery", "page_urlfragment",
    "refr_urlscheme", "refr_urlhost", "refr_urlport", "refr_urlpath", "refr_urlquery", "refr_urlfragment", "refr_medium",
    "refr_source", "refr_term", "mkt_medium", "mkt_source", "mkt_term", "mkt_content", "mkt_campaign", "contexts",
    "se_category", "se_action", "se_label", "se_property", "se_value", "unstruct_event", "tr_orderid", "tr_affiliation",
    "tr_total", "tr_tax", "tr_shipping", "tr_city", "tr_state", "tr_country", "ti_orderid", "ti_sku", "ti_name",
    "ti_category", "ti_price", "ti_quantity", "pp_xoffset_min", "pp_xoffset_max", "pp_yoffset_min", "pp_yoffset_max",
    "useragent", "br_name", "br_family", "br_version", "br_type", "br_renderengine", "br_lang", "br_features_pdf",
    "br_features_flash", "br_features_java", "br_features_director", "br_features_quicktime", "br_features_realplayer",
    "br_features_windowsmedia", "br_features_gears", "br_features_silverlight", "br_cookies", "br_colordepth",
    "br_viewwidth", "br_viewheight", "os_name", "os_family", "os_manufacturer", "os_timezone", "dvce_type",
    "dvce_ismobile", "dvce_screenwidth", "dvce_screenheight", "doc_charset", "doc_width", "doc_height", "tr_currency",
    "tr_total_base", "tr_tax_base", "tr_shipping_base", "ti_currency", "ti_price_base", "base_currency", "geo_timezone",
    "mkt_clickid", "mkt_network", "etl_tags", "dvce_sent_tstamp", "refr_domain_userid", "refr_device_tstamp",
    "derived_contexts", "domain_sessionid", "derived_tstamp", "event_vendor", "event_name", "event_format",
    "event_version", "event_fingerprint", "true_tstamp",
)  # fmt: skip
LOADED = ("load_tstamp", "geo_location", "collector_date", "event_date")

EVENTS = {
    "page_view": "page_view",
    "page_ping": "page_ping",
    "transaction": "order_placed",
    "transaction_item": "order_item",
}
KINDS = (*EVENTS, "struct", "unstruct", "ad_impression")
NAMED = {"submit_form": "form_submitted", "screen_view": "page_view", "site_search": "search"}
MAPPING: dict[str, Any] = {
    "kind": "web",
    "quote": "none",
    "columns": COLUMNS,
    "aliases": {name: name for name in COLUMNS},
    "fields": {
        "event_id": "event_id",
        "event": "@event",
        "occurred_at": "@declared_at",
        "created_at": "dvce_created_tstamp",
        "sent_at": "@sent_at",
        "received_at": "collector_tstamp",
        "seq": "@seq",
        "anonymous_id": "@browser_id",
        "device_id": "@device_id",
        "user_id": "user_id",
        "email": "@email",
        "visit_id": {"first": ["domain_sessionid", "@session_id"]},
        "url": "page_url",
        "hostname": "page_urlhost",
        "path": "page_urlpath",
        "title": {"first": ["page_title", "@title"]},
        "referrer": "page_referrer",
        "utm_source": "mkt_source",
        "utm_medium": "mkt_medium",
        "utm_campaign": "mkt_campaign",
        "utm_term": "mkt_term",
        "utm_content": "mkt_content",
        "user_agent": "useragent",
        "device": "@device",
        "browser": "@browser",
        "country": "geo_country",
        "is_bot": "@is_bot",
        "value": "@value",
        "currency": "@currency",
    },
    "properties": "*",
    "left_out": (*(name for name in COLUMNS if name not in SELF_DESCRIBING), *LOADED),
}
READ = (
    "event", "event_name", "true_tstamp", "derived_tstamp", "dvce_created_tstamp", "dvce_sent_tstamp", "domain_userid",
    "network_userid", "platform", "useragent", "dvce_type", "br_family", "br_type", "tr_total", "tr_currency", *KEPT, *FREE_TEXT,
    "*",
)  # fmt: skip
COMPUTED = (
    "@event", "@declared_at", "@sent_at", "@seq", "@browser_id", "@device_id", "@email", "@session_id", "@title", "@device",
    "@browser", "@is_bot", "@value", "@currency", "*",
)  # fmt: skip


# ---------------------------------------------------------------- what a row says


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """Read the self-describing parts of each row, and name the event.

    In:  row, text, problem, the columns READ as `raw:`, json:* with contexts and event of a row: as columns of
         self-describing JSON (TSV), or by schema (`contexts_…_1`, `unstruct_event_…_1`: JSON, Parquet).
    Out: the same rows with the `raw:@name` of COMPUTED; json:* is the properties. A row whose contexts or event are no JSON
         gets the problem parse_error.
    """
    known, places = distinct_places(rows["json:*"])
    read = pl.DataFrame([told(text) for text in known], schema=dict.fromkeys(Told._fields, pl.String), orient="row")
    complete = rows.hstack(read.select(pl.all().gather(places).name.prefix("told:")))
    is_broken = pl.col("problem").is_null() & pl.col("told:is_broken").is_not_null()
    return complete.with_columns(
        _event().alias("raw:@event"),
        _declared_at().alias("raw:@declared_at"),
        pl.when(_given("true_tstamp").is_null()).then(_given("dvce_sent_tstamp")).alias("raw:@sent_at"),
        pl.col("told:event_index").alias("raw:@seq"),
        _browser_id().alias("raw:@browser_id"),
        pl.when(pl.col("told:device_id").ne_missing(_given("domain_userid")))
        .then("told:device_id")
        .alias("raw:@device_id"),
        pl.col("told:email").alias("raw:@email"),
        pl.col("told:session_id").alias("raw:@session_id"),
        pl.col("told:title").alias("raw:@title"),
        _device().alias("raw:@device"),
        pl.when(_given("useragent").is_null()).then(_given("br_family")).alias("raw:@browser"),
        pl.when(_given("br_type").str.contains("(?i)robot")).then(pl.lit("true")).otherwise("told:is_bot").alias("raw:@is_bot"),
        _of_order("tr_total", "told:value").alias("raw:@value"),
        _of_order("tr_currency", "told:currency").alias("raw:@currency"),
        _properties(rows).alias("json:*"),
        problem=pl.when(is_broken).then(pl.lit("parse_error")).otherwise("problem"),
    ).drop(f"told:{name}" for name in Told._fields)  # fmt: skip


def _given(name: str) -> pl.Expr:
    text = pl.col(f"raw:{name}").str.strip_chars()
    return pl.when(text != "").then(text)


def _event() -> pl.Expr:
    """Snowplow's own events by kind; structured ones by their action, self-describing ones by their schema's name."""
    name = _given("event_name")
    kind = pl.coalesce(_given("event"), pl.when(name.is_in(list(KINDS))).then(name), pl.lit("unstruct"))
    structured = pl.coalesce(_given("se_action"), _given("se_category"), pl.lit("struct"))
    described = pl.coalesce("told:event", name.replace_strict(NAMED, default=name), "told:schema")
    return (
        pl.when(kind.is_in(list(EVENTS)))
        .then(kind.replace_strict(EVENTS, default=None, return_dtype=pl.String))
        .when(kind == "struct")
        .then(snake_case(structured))
        .when(kind == "unstruct")
        .then(snake_case(described))
        .otherwise(snake_case(kind))
    )


def _declared_at() -> pl.Expr:
    """The time that the business says is true; Snowplow's own correction only where the device gave no time to correct."""
    corrected = pl.when(_given("dvce_created_tstamp").is_null()).then(_given("derived_tstamp"))
    return pl.coalesce(_given("true_tstamp"), corrected)


def _browser_id() -> pl.Expr:
    """The site's cookie; on the web else the collector's. Apps and servers get a new one of the latter at any time."""
    return pl.coalesce(_given("domain_userid"), pl.when(_given("platform") == "web").then(_given("network_userid")))


def _device() -> pl.Expr:
    """The kind of device, where no user agent tells it."""
    kinds = {"computer": "desktop", "mobile": "mobile", "tablet": "tablet", "mob": "mobile", "tv": "tv"}
    said = pl.coalesce(_given("dvce_type"), _given("platform")).str.to_lowercase()
    known = said.replace_strict(kinds, default=None, return_dtype=pl.String)
    return pl.when(_given("useragent").is_null()).then(known)


def _of_order(column: str, told: str) -> pl.Expr:
    return pl.when(_given("event") == "transaction").then(_given(column)).otherwise(told)


def _properties(rows: pl.DataFrame) -> pl.Expr:
    """Snowplow's own fields that say more, where a row of the frame has them, then what the event and its contexts say."""
    free = {name: pl.when(~_given(name).str.contains(MAIL.pattern)).then(_given(name)) for name in FREE_TEXT}
    values = {**{name: _given(name) for name in KEPT}, **free}
    is_used = rows.select(_given(name).is_not_null().any().alias(name) for name in values).row(0, named=True)
    own = json_object({name: json_text(value) for name, value in values.items() if is_used[name]})
    both = pl.concat_str(own.str.head(-1), pl.lit(","), pl.col("told:properties").str.slice(1))
    return pl.coalesce(both, own, "told:properties")


SNOWPLOW_EVENTS = Native(
    name="snowplow",
    version=1,
    reads=("tsv", "ndjson", "parquet"),
    mappings={"": MAPPING},
    derived=dict.fromkeys(COMPUTED, READ),
    derive=derive,
    marks={"": (("event_id", "collector_tstamp", "domain_userid"), ("event_id", "collector_tstamp", "event_vendor"))},
)
