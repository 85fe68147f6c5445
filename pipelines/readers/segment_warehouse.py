"""Segment and RudderStack warehouses: one table a kind of call and one a tracked event, with names in snake_case."""

from typing import Any

import polars as pl

from pipelines.readers.native import Computed, Native, computing
from pipelines.readers.segment import HANDSETS, TRACKS, TRACKS_IN_SNAKE_CASE
from transforms.mapping import Source, snake_case, text_of, wanted

CONTEXT = (
    "context_app_name", "context_app_version", "context_os_name", "context_locale", "context_timezone", "context_library_name",
    "context_referrer_type", "context_referrer_id", "context_active",
)  # fmt: skip
MONEY = ("total", "revenue", "value", "currency")
LOADED = (
    "context_*", "uuid", "uuid_ts", "loaded_at", "channel", "rudder_id", "event", "event_text", "group_id", "request_ip", "ip", "__*",
)  # fmt: skip
LETTERS = (
    "first_name", "last_name", "firstname", "lastname", "address*", "shipping_address*", "billing_address*", "recipient",
    "share_message", "review_body", "password", "token",
)  # fmt: skip
NAMES = ("name", "username", "birthday", "description", "avatar")


def _track() -> pl.Expr:
    """The event of a track: by the name that was sent, else by that of its table."""
    sent = text_of("event_text").str.strip_chars()
    known = sent.replace_strict(TRACKS, default=None, return_dtype=pl.String)
    stored = text_of("event").str.strip_chars()
    return pl.coalesce(known, snake_case(sent), snake_case(stored).replace(TRACKS_IN_SNAKE_CASE))


def _device() -> pl.Expr:
    """The kind of device that an app is on; a browser says it by its user agent."""
    kind = (
        text_of("context_device_type").str.to_lowercase().replace_strict(HANDSETS, default=None, return_dtype=pl.String)
    )
    is_tablet = text_of("context_device_model").str.to_lowercase().str.starts_with("ipad")
    return pl.when(kind.is_not_null() & is_tablet).then(pl.lit("tablet")).otherwise(kind)


def _former_user() -> pl.Expr:
    """The earlier user id of an alias: its browser names itself, so the other earlier id is no browser's."""
    previous, browser = text_of("previous_id"), text_of("anonymous_id")
    return pl.when(previous != browser).then(previous)


COMPUTED = {
    "@track": Computed(("event", "event_text"), _track()),
    "@device": Computed(("context_device_type", "context_device_model"), _device()),
    "@browser": Computed(("previous_id", "anonymous_id"), pl.coalesce(text_of("anonymous_id"), text_of("previous_id"))),
    "@merged_into": Computed(("previous_id", "anonymous_id"), _former_user()),
}

IDS = {
    "event_id": "id",
    "anonymous_id": "anonymous_id",
    "user_id": "user_id",
    "device_id": {"first": ["context_device_id", "context_device_advertising_id"]},
    "account_id": "context_group_id",
    "visit_id": "context_session_id",
}
CLOCKS = {
    "occurred_at": "timestamp",
    "created_at": "original_timestamp",
    "sent_at": "sent_at",
    "received_at": "received_at",
}
WAYS = {
    "url": {"first": ["context_page_url", "url"]},
    "path": {"first": ["context_page_path", "path"]},
    "title": {"first": ["context_page_title", "title"]},
    "referrer": {
        "first": ["context_page_referrer", "referrer", "context_referrer_url", "context_referrer_link"],
    },
    "utm_source": "context_campaign_source",
    "utm_medium": "context_campaign_medium",
    "utm_campaign": "context_campaign_name",
    "utm_term": "context_campaign_term",
    "utm_content": "context_campaign_content",
    "user_agent": "context_user_agent",
    "device": "@device",
    "country": "context_location_country",
}
PEOPLE = {
    "email": {"first": ["email", "context_traits_email"]},
    "phone": {"first": ["phone", "context_traits_phone"]},
}


Said = dict[str, Any]


def _calls(fields: Said, *, left_out: tuple[str, ...] = ()) -> Said:
    """The mapping of a table of calls."""
    return {
        "fields": {**IDS, **CLOCKS, **WAYS, **fields},
        "properties": ("*", *MONEY, *CONTEXT),
        "left_out": (*LOADED, *LETTERS, *left_out),
    }


TRACK = _calls({"event": "@track", **PEOPLE, "value": {"first": ["total", "revenue", "value"]}, "currency": "currency"})
PAGE = _calls({"event": {"value": "page_view"}, "title": {"first": ["context_page_title", "title", "name"]}})
VERSION_TIMES = ("received_at", "uuid_ts", "loaded_at", "sent_at", "timestamp", "original_timestamp")
MAPPINGS: dict[str, Said] = {
    "tracks": {**TRACK, "is_summary": True},
    "pages": PAGE,
    "screens": PAGE,
    "identifies": _calls({"event": {"value": "identify"}, **PEOPLE}, left_out=NAMES),
    "groups": _calls({"event": {"value": "group"}, "account_id": "group_id"}, left_out=("description",)),
    "aliases": {
        "fields": {**IDS, **CLOCKS, **WAYS, "event": {"value": "alias"}, "anonymous_id": "@browser"},
        "properties": {"previous_id": "previous_id", "merged_into": "@merged_into"},
    },
    "users": {
        "kind": "crm",
        "record": {"object": "user", "id": "id", "modified_at": {"first": VERSION_TIMES[:3]}},
        "fields": {"user_id": "id", **PEOPLE},
        "properties": "*",
        "left_out": (*LOADED, *LETTERS, *NAMES, *VERSION_TIMES),
    },
    "accounts": {
        "kind": "crm",
        "record": {"object": "account", "id": "id", "modified_at": {"first": VERSION_TIMES[:3]}},
        "fields": {"account_id": "id"},
        "properties": "*",
        "left_out": (*LOADED, *LETTERS, "description", *VERSION_TIMES),
    },
}


def _in_any_case(mapping: Said) -> Said:
    """The mapping, for columns in capitals too, as Snowflake writes them."""
    asked = wanted(Source.model_validate({"format": "csv", "files": "any", **mapping}))
    computed = (column for each in COMPUTED.values() for column in each.columns)
    names = {name for name in (*asked.columns, *asked.left_out, *computed) if name[0] != "@" and name[-1] != "*"}
    return {**mapping, "aliases": {name: name for name in sorted(names)}}


SEGMENT_WAREHOUSE = Native(
    name="segment_warehouse",
    version=1,
    reads=("csv", "parquet", "ndjson"),
    mappings={table: _in_any_case(mapping) for table, mapping in MAPPINGS.items()},
    other_tables=_in_any_case(TRACK),
    derived={name: computed.columns for name, computed in COMPUTED.items()},
    derive=computing(COMPUTED),
    marks={
        "tracks": (("id", "event", "event_text", "received_at"),),
        "groups": (("id", "group_id", "received_at"),),
        "aliases": (("id", "previous_id", "received_at"),),
    },
)
