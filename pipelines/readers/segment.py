"""Segment and RudderStack: the calls of the Segment specification, one a line."""

from dataclasses import replace

import polars as pl

from pipelines.readers.native import Computed, Native, computing
from transforms.mapping import json_joined, json_object, json_text, object_or_null, snake_case, text_of

CALLS = {"page": "page_view", "screen": "page_view", "identify": "identify", "alias": "alias", "group": "group"}
TRACKS = {
    "Product Viewed": "product_view",
    "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart",
    "Wishlist Product Added to Cart": "add_to_cart",
    "Product Reviewed": "review_posted",
    "Cart Viewed": "cart_viewed",
    "Checkout Started": "checkout_started",
    "Payment Info Entered": "payment_entered",
    "Order Completed": "order_placed",
    "Order Refunded": "order_returned",
    "Products Searched": "search",
    "Coupon Applied": "coupon_applied",
    "Signed Up": "signed_up",
    "Signed In": "login",
    "Email Link Clicked": "email_clicked",
    "Live Chat Conversation Started": "chat_started",
}
TRACKS_IN_SNAKE_CASE = {name.lower().replace(" ", "_"): event for name, event in TRACKS.items()}
CONTEXT = {
    "context_app_name": "context.app.name",
    "context_app_version": "context.app.version",
    "context_os_name": "context.os.name",
    "context_locale": "context.locale",
    "context_timezone": "context.timezone",
    "context_library_name": "context.library.name",
    "context_referrer_type": "context.referrer.type",
    "context_referrer_id": "context.referrer.id",
    "context_active": "context.active",
    "context_channel": "channel",
}
HANDSETS = {"ios": "mobile", "android": "mobile", "mobile": "mobile", "tablet": "tablet", "desktop": "desktop"}

TRAITS = ("traits", "context.traits")
NAMES = (
    "name", "firstName", "lastName", "first_name", "last_name", "username", "address", "birthday", "description", "avatar",
)  # fmt: skip
LETTERS = (
    "ip", "firstName", "lastName", "first_name", "last_name", "address", "shipping_address", "billing_address", "recipient",
    "share_message", "review_body", "password", "token",
)  # fmt: skip
PRIVATE = (
    *(f"{owner}.{name}" for owner in TRAITS for name in NAMES),
    *(f"{owner}.{name}" for owner in TRAITS for name in ("ip", "anonymousId", "password", "token")),
    *(f"properties.{name}" for name in LETTERS),
)


# ---------------------------------------------------------------- what a call is


def named_events(kind: str, track: str) -> pl.Expr:
    """The event of a call, by its kind and the name of a track: pages are page_view, known tracks by name, others in snake_case."""
    return pl.struct(pl.col(f"raw:{kind}").alias("kind"), pl.col(f"raw:{track}").alias("track")).map_batches(
        _names_of, return_dtype=pl.String, is_elementwise=True
    )


def _names_of(calls: pl.Series) -> pl.Series:
    """Names of calls, each distinct one worked out once."""
    given = calls.struct.unnest()
    kind = pl.col("kind").str.strip_chars().str.to_lowercase()
    call = kind.replace_strict(CALLS, default=None, return_dtype=pl.String)
    said = pl.when(pl.col("track") != "").then("track").str.strip_chars()
    track = pl.when(kind.is_null() | (kind == "track")).then(said).otherwise(kind)
    known = track.replace_strict(TRACKS, default=None, return_dtype=pl.String)
    names = given.unique().with_columns(name=pl.coalesce(call, known, snake_case(track)))
    named = given.join(names, on=given.columns, how="left", nulls_equal=True, maintain_order="left")
    return named["name"].alias(calls.name)


def _is(*kinds: str) -> pl.Expr:
    return pl.col("raw:type").is_in(kinds).fill_null(False)


def _properties(rows: pl.DataFrame) -> pl.Expr:
    """What was sent with a call, and what its context says of the app; what no call has costs nothing."""
    there = {name for name in rows.columns if rows[name].null_count() < rows.height}
    own, traits, kept_traits = (object_or_null(pl.col(f"json:{name}")) for name in ("properties", *TRAITS))
    sent = [own, traits, *([pl.when(_is("identify")).then(kept_traits)] if "json:context.traits" in there else [])]
    said = pl.coalesce(sent)
    if "raw:traits.name" in there:
        said = json_joined(said, json_object({"name": json_text(pl.when(_is("group")).then(text_of("traits.name")))}))
    previous = {"previous_id": json_text(text_of("previousId")), "merged_into": json_text(_former_user())}
    said = pl.when(_is("alias")).then(json_object(previous)).otherwise(said)
    context = {name: json_text(text_of(path)) for name, path in CONTEXT.items() if f"raw:{path}" in there}
    return json_joined(said, json_object(context)) if context else said


def _former_user() -> pl.Expr:
    """The earlier user id of an alias: its browser names itself, so the other earlier id is no browser's."""
    previous, browser = text_of("previousId"), text_of("anonymousId")
    return pl.when(_is("alias") & browser.is_not_null() & (previous != browser)).then(previous)


def _browser() -> pl.Expr:
    """The browser of a call; that of an alias without one is its earlier id."""
    own = pl.coalesce(text_of("anonymousId"), text_of("context.traits.anonymousId"))
    return pl.coalesce(own, pl.when(_is("alias")).then(text_of("previousId")))


def _device() -> pl.Expr:
    """The kind of device that an app is on; a browser says it by its user agent."""
    kind = (
        text_of("context.device.type").str.to_lowercase().replace_strict(HANDSETS, default=None, return_dtype=pl.String)
    )
    is_tablet = text_of("context.device.model").str.to_lowercase().str.starts_with("ipad")
    return pl.when(kind.is_not_null() & is_tablet).then(pl.lit("tablet")).otherwise(kind)


def _personal(name: str) -> pl.Expr:
    """A personal value; the traits of a group are those of a company."""
    own = pl.when(~_is("group")).then(text_of(f"traits.{name}"))
    return pl.coalesce(own, text_of(f"properties.{name}"), text_of(f"context.traits.{name}"))


def _personal_columns(name: str) -> tuple[str, ...]:
    return ("type", f"traits.{name}", f"properties.{name}", f"context.traits.{name}")


COMPUTED = {
    "@event": Computed(("type", "event"), named_events("type", "event")),
    "@anonymous_id": Computed(("type", "anonymousId", "previousId", "context.traits.anonymousId"), _browser()),
    "@email": Computed(_personal_columns("email"), _personal("email")),
    "@phone": Computed(_personal_columns("phone"), _personal("phone")),
    "@device": Computed(("context.device.type", "context.device.model"), _device()),
    "*": Computed(
        (
            "type", "anonymousId", "previousId", "traits.name", *CONTEXT.values(),
            "json:properties", "json:traits", "json:context.traits",
        ),
        _properties,
    ),
}  # fmt: skip

FIELDS = {
    "event_id": "messageId",
    "event": "@event",
    "occurred_at": "timestamp",
    "created_at": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
    "anonymous_id": "@anonymous_id",
    "device_id": {"first": ["context.device.id", "context.device.advertisingId"]},
    "user_id": "userId",
    "email": "@email",
    "phone": "@phone",
    "account_id": {"first": ["groupId", "context.groupId"]},
    "visit_id": "context.sessionId",
    "url": {"first": ["context.page.url", "properties.url"]},
    "path": {"first": ["context.page.path", "properties.path"]},
    "title": {"first": ["context.page.title", "properties.title", "name"]},
    "referrer": {
        "first": ["context.page.referrer", "properties.referrer", "context.referrer.url", "context.referrer.link"]
    },
    "utm_source": "context.campaign.source",
    "utm_medium": "context.campaign.medium",
    "utm_campaign": "context.campaign.name",
    "utm_term": "context.campaign.term",
    "utm_content": "context.campaign.content",
    "user_agent": "context.userAgent",
    "device": "@device",
    "country": "context.location.country",
    "value": {"first": ["properties.total", "properties.revenue", "properties.value"]},
    "currency": "properties.currency",
}

SEGMENT = Native(
    name="segment",
    version=1,
    reads=("ndjson", "parquet", "csv"),
    mappings={"": {"fields": FIELDS, "properties": "*", "left_out": PRIVATE}},
    derived={name: computed.columns for name, computed in COMPUTED.items()},
    derive=computing(COMPUTED),
    objects=("properties", "traits", "context"),
    marks={"": (("messageId", "type"), ("messageId", "anonymousId"), ("messageId", "userId"))},
)
RUDDERSTACK = replace(SEGMENT, name="rudderstack", marks={})
