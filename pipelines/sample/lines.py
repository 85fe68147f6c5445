"""Lines: calls as NDJSON text, in the shape of Segment's spec, with a few broken ones."""

import json
from functools import cache

import numpy as np
import polars as pl

from pipelines.sample.catalogue import (
    AGENTS,
    COUPONS,
    CURRENCY,
    HOST,
    PAGES,
    PRODUCTS,
    QUERIES,
    ROBOTS,
    TRACK_NAMES,
    TRAFFIC,
    Kind,
)
from pipelines.sample.clock import Period
from pipelines.sample.draws import Array, hexadecimal
from pipelines.sample.names import email_of, user_id_of
from pipelines.sample.noise import NULL_USER, OWN_USER, UNDEFINED_USER

BROKEN_SHARE = 1e-4
TIME_KEYS = r'"(timestamp|originalTimestamp|sentAt|receivedAt)":"[^"]*",'
MONEY_KEYS = {
    Kind.CART_VIEWED: "value", Kind.CHECKOUT: "value", Kind.SHIPPING: "value", Kind.PAYMENT: "value",
    Kind.CHECKOUT_ERROR: "value", Kind.ORDER: "revenue", Kind.REFUND: "total",
}  # fmt: skip
FORM_NAMES = {Kind.FORM: "newsletter", Kind.DEMO: "business"}
EXTRAS = 8


def call_lines(calls: pl.DataFrame, *, period: Period) -> pl.DataFrame:
    """One line of JSON per call, in the order of the calls. Out: line."""
    made = pl.col("at") - pl.col("latency") + pl.col("skew")
    sent = pl.col("received_at") - pl.col("latency") + pl.col("skew")
    texts = calls.with_columns(
        pl.Series("message_text", hexadecimal(calls["message"].to_numpy())).cast(pl.String),
        pl.Series("visitor_text", hexadecimal(calls["visitor"].to_numpy())).cast(pl.String),
        _from_table("head", heads(), calls["kind"].to_numpy()),
        _from_table("page_text", page_texts(), calls["page"].to_numpy()),
        _from_table("way_text", way_texts(), calls["traffic"].to_numpy() + 1),
        _from_table("agent_text", agent_texts(), calls["agent"].to_numpy()),
        _from_table("opening", openings(), calls["kind"].to_numpy().astype(np.int64) * (len(PRODUCTS) + 1) + calls["product"].to_numpy() + 1),
        _from_table("closing", closings(), calls["kind"].to_numpy().astype(np.int64) * EXTRAS + calls["extra"].to_numpy()),
        made_text=iso(period, made),
        sent_text=iso(period, sent),
        received_text=iso(period, pl.col("received_at")),
        at_text=iso(period, pl.col("at")),
        user_text=_user_text(),
        traits=_traits(),
        order_text=pl.when(pl.col("order") > 0).then(pl.concat_str(pl.col("order").cast(pl.String), pl.lit('"'))).otherwise(pl.lit("")),
        money_text=_money_text(),
    )  # fmt: skip
    return texts.select(
        line=pl.concat_str(
            pl.lit('{"messageId":"ajs-'), "message_text", "head", "visitor_text", "user_text",
            pl.lit('"timestamp":"'), "at_text", pl.lit('","originalTimestamp":"'), "made_text",
            pl.lit('","sentAt":"'), "sent_text", pl.lit('","receivedAt":"'), "received_text",
            pl.lit('","context":{"page":{'), "page_text", "way_text", pl.lit(',"userAgent":"'), "agent_text", pl.lit('"}'),
            "traits", pl.lit(',"properties":{'), "opening", "money_text", "closing", "order_text", pl.lit("}}"),
        )
    )  # fmt: skip


def with_broken_lines(
    rng: np.random.Generator, lines: pl.DataFrame, *, at_least: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The lines with a few broken ones behind their sound twins, and how many of each kind.

    Cut in transmission (no end), or sent by an old tracker that gives no time at all (under a message id of its own).
    """
    size = lines.height
    cut, timeless = np.maximum(rng.binomial(size, BROKEN_SHARE / 2, 2), at_least if size else 0)
    places = pl.Series("place", np.arange(size))
    sound = lines.with_columns(places, rank=pl.lit(0))
    cut_at = rng.integers(0, max(size, 1), cut)
    short = sound[cut_at].with_columns(
        line=pl.col("line").str.head(pl.Series(rng.integers(30, 200, cut))), rank=pl.lit(1)
    )
    old = sound[rng.integers(0, max(size, 1), timeless)].with_columns(
        line=pl.col("line").str.replace_all(TIME_KEYS, "").str.replace('"ajs-', pl.lit('"old-'), literal=True),
        rank=pl.lit(2),
    )
    broken = pl.concat([sound, short, old]).sort("place", "rank", maintain_order=True).select("line")
    return broken, {"cut": int(cut), "without_time": int(timeless)}


def iso(period: Period, at: pl.Expr) -> pl.Expr:
    """Milliseconds since the start as ISO 8601 text."""
    return period.instants(at.cast(pl.Int64)).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")


def _user_text() -> pl.Expr:
    own = pl.concat_str(pl.lit('","userId":"'), user_id_of("person"), pl.lit('",'))
    junk = {NULL_USER: '","userId":"null",', UNDEFINED_USER: '","userId":"undefined",'}
    return (
        pl.when(pl.col("user") == OWN_USER).then(own)
        .when(pl.col("user") == NULL_USER).then(pl.lit(junk[NULL_USER]))
        .when(pl.col("user") == UNDEFINED_USER).then(pl.lit(junk[UNDEFINED_USER]))
        .otherwise(pl.lit('",'))
    )  # fmt: skip


def _traits() -> pl.Expr:
    """Who somebody says they are: the address on identify calls, now and then in capitals."""
    address = email_of("person")
    typed = pl.when(pl.col("message") % 33 == 0).then(address.str.to_uppercase()).otherwise(address)
    told = pl.concat_str(pl.lit(',"traits":{"email":"'), typed, pl.lit('"}'))
    return pl.when(pl.col("kind") == int(Kind.IDENTIFY)).then(told).otherwise(pl.lit(""))


def _money_text() -> pl.Expr:
    cents = (pl.col("value") % 100).cast(pl.String).str.zfill(2)
    amount = pl.concat_str((pl.col("value") // 100).cast(pl.String), pl.lit("."), cents)
    return pl.when(pl.col("kind").is_in([int(kind) for kind in MONEY_KEYS])).then(amount).otherwise(pl.lit(""))


def _from_table(name: str, table: pl.Series, numbers: Array) -> pl.Series:
    return table.gather(numbers.astype(np.int64)).alias(name)


def _inside(**pairs: object) -> str:
    """JSON pairs without the braces."""
    return json.dumps(pairs, separators=(",", ":"))[1:-1]


@cache
def heads() -> pl.Series:
    """By kind: from behind the message id to the anonymous id."""
    rest = {Kind.PAGE: '"type":"page"', Kind.IDENTIFY: '"type":"identify"'}
    rest |= {kind: f'"type":"track","event":"{name}"' for kind, name in TRACK_NAMES.items()}
    return pl.Series([f'",{rest[kind]},"anonymousId":"' for kind in Kind])


@cache
def page_texts() -> pl.Series:
    """By page: path, title and the address up to its query."""
    return pl.Series([f'{_inside(path=path, title=title)},"url":"https://{HOST}{path}' for path, title in PAGES])


@cache
def way_texts() -> pl.Series:
    """By traffic + 1 (0: on the way inside the shop): query, referrer and campaign, closing the page."""
    texts = ['","referrer":""}']
    for way in TRAFFIC:
        campaign = (
            ',"campaign":{' + _inside(source=way.source, medium=way.medium, name=way.campaign) + "}"
            if way.source
            else ""
        )
        texts.append(f'{way.query}",{_inside(referrer=way.referrer)}}}{campaign}')
    return pl.Series(texts)


@cache
def agent_texts() -> pl.Series:
    """By agent: the user agent."""
    return pl.Series([*(text for _, text in AGENTS), *ROBOTS])


@cache
def openings() -> pl.Series:
    """By kind and product + 1: the properties up to an amount."""
    goods = ["", *(_inside(product_id=each.id, name=each.name, category=each.category, price=each.price / 100, currency=CURRENCY)
                   for each in PRODUCTS)]  # fmt: skip
    return pl.Series([_opening(kind, good) for kind in Kind for good in goods])


def _opening(kind: Kind, good: str) -> str:
    if kind in MONEY_KEYS:
        return f'"currency":"{CURRENCY}","{MONEY_KEYS[kind]}":'
    if kind is Kind.ADDED:
        return f'{good},"quantity":1'
    return good if kind in (Kind.PRODUCT_VIEWED, Kind.REMOVED, Kind.REVIEW) else ""


@cache
def closings() -> pl.Series:
    """By kind and extra: the properties behind an amount, up to an order number."""
    return pl.Series([_closing(kind, extra) for kind in Kind for extra in range(EXTRAS)])


def _closing(kind: Kind, extra: int) -> str:
    if kind is Kind.SEARCHED:
        return _inside(query=QUERIES[extra])
    if kind is Kind.COUPON:
        return _inside(coupon=COUPONS[extra % len(COUPONS)])
    if kind in FORM_NAMES:
        return _inside(form=FORM_NAMES[kind])
    if kind in (Kind.ORDER, Kind.REFUND):
        return ',"order_id":"HG-'
    if kind is Kind.CHECKOUT_ERROR:
        return ',"error":"payment_declined"'
    return ""
