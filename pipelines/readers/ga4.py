"""GA4: rows of the BigQuery export of Google Analytics 4 (tables events_YYYYMMDD), as NDJSON or Parquet."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.readers.native import Native
from transforms.distinct import expr_per_distinct
from transforms.mapping import json_text, snake_case

EVENTS = {
    "screen_view": "page_view",
    "view_item": "product_view",
    "view_item_list": "product_list_view",
    "select_item": "product_list_click",
    "view_promotion": "promo_view",
    "select_promotion": "promo_click",
    "view_cart": "cart_viewed",
    "begin_checkout": "checkout_started",
    "add_shipping_info": "shipping_entered",
    "add_payment_info": "payment_entered",
    "purchase": "order_placed",
    "ecommerce_purchase": "order_placed",
    "in_app_purchase": "order_placed",
    "refund": "order_returned",
    "app_store_refund": "order_returned",
    "app_store_subscription_convert": "subscription_started",
    "app_store_subscription_renew": "subscription_renewed",
    "app_store_subscription_cancel": "subscription_cancelled",
    "sign_up": "signed_up",
    "view_search_results": "search",
    "generate_lead": "form_submitted",
    "form_submit": "form_submitted",
    "form_start": "form_started",
    "share": "social_shared",
    "ad_impression": "in_app_ad_shown",
    "ad_click": "in_app_ad_clicked",
}
ORDERS = ("purchase", "ecommerce_purchase")
RETURNS = ("refund", "app_store_refund")
VALUED_IN_USD = ("in_app_purchase",)
APPS = ("ANDROID", "IOS")

CLICK_IDS = ("gclid", "dclid", "gbraid", "wbraid")
CAMPAIGN = ("source", "medium", "campaign", "term", "content")
BATCH = ("batch_page_id", "batch_ordering_id", "batch_event_index")
LEFT_OUT = (
    *CAMPAIGN, *CLICK_IDS, *BATCH, "page_location", "page_title", "page_referrer", "ga_session_id", "gclsrc", "srsltid",
    "firebase_screen", "firebase_screen_class", "firebase_screen_id", "firebase_previous_id", "traffic_type", "user_id",
    "debug_mode", "engaged_session_event",
)  # fmt: skip
TEXTS = ("transaction_id", "session_engaged")
PROPERTIES = {
    "app_version": "app_info.version",
    "city": "geo.city",
    "first_user_campaign": "traffic_source.name",
    "first_user_medium": "traffic_source.medium",
    "first_user_source": "traffic_source.source",
    "language": "device.language",
    "os": "device.operating_system",
    "platform": "platform",
    "region": "geo.region",
    "stream_id": "stream_id",
    "transaction_id": "ecommerce.transaction_id",
}

ABSENT = r"^\s*(?:\((?:not set|data deleted|not provided|other)\)|<(?:Other|obfuscated)>|)\s*$"
NO_CAMPAIGN = r"^\s*\(.*\)\s*$"
NUMBER = r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
CURRENCY = r"^[A-Za-z]{3}$"
EMAIL = r"[^\s@<>\x22]+(?:@|%40)[^\s@<>\x22]+\.[A-Za-z]{2,}"
PERSONAL_LINK = r"^(?i:mailto|tel|sms):"
PERSONAL_KEY = (
    r"(?i)^name$|(?:^|_)(?:e_?mail|phone|telephone|(?:first|last|full|sur|user|customer)_?name|address|street|postal_?code|post_?code|"
    r"zip(?:_?code)?|ip|birth_?(?:date|day)|[a-z]*token|password)(?:_address|_number|_override)?$"
)
QUERY = r"^(https?://(?:[^/?#@]*@)?[^?#]*|/[^?#]*)[?#].*$"
USER_INFO = r"^(https?://)[^/?#@]*@"

ITEM_FORMS = (
    (r"\x22[A-Za-z0-9_]+\x22:(?:null|\[\]|\x22\x22|\x22\((?:not set|data deleted|other)\)\x22|\x22<Other>\x22),?", ""),
    (r",\}", "}"),
    (r"(\x22(?:quantity|int_value)\x22:)\x22(-?[0-9]+)\x22", "${1}${2}"),
    (r"([A-Za-z0-9_]\x22:-?[0-9]+)\.0([,}])", "${1}${2}"),
    (r"\{\},|,\{\}", ""),
)
VALUE_KINDS = ("string_value", "int_value", "double_value", "float_value")
VALUE = pl.Struct(dict.fromkeys(VALUE_KINDS, pl.String))
PARAMETERS = pl.List(pl.Struct({"key": pl.String, "value": VALUE}))

COLUMNS = (
    "event_date", "event_timestamp", "event_name", "event_params", "event_value_in_usd", "event_bundle_sequence_id", *BATCH,
    "user_id", "user_pseudo_id", "user_properties", "items", *PROPERTIES.values(),
    "device.browser", "device.web_info.browser", "device.web_info.hostname", "event_dimensions.hostname", "geo.country",
    "device.category",
    *(f"collected_traffic_source.manual_{name}" for name in ("source", "medium", "campaign_name", "term", "content")),
    "collected_traffic_source.gclid", "collected_traffic_source.dclid",
    "ecommerce.purchase_revenue", "ecommerce.purchase_revenue_in_usd", "ecommerce.refund_value", "ecommerce.refund_value_in_usd",
)  # fmt: skip
COMPUTED = (
    "day", "event_id", "event", "seq", "anonymous_id", "device_id", "user_id", "email", "visit_id", "url", "hostname", "title",
    "referrer", *(f"utm_{name}" for name in CAMPAIGN), "device", "browser", "country", "is_internal", "value", "currency",
)  # fmt: skip


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """The computed columns and the properties of rows of the export."""
    parameters, misshapen = parameters_of(rows["raw:event_params"])
    users, users_misshapen = parameters_of(rows["raw:user_properties"])
    wrong = [
        pl.when(pl.lit(misshapen)).then(pl.lit("type_conflict:event_params")),
        pl.when(pl.lit(users_misshapen)).then(pl.lit("type_conflict:user_properties")),
    ]
    given = rows.with_columns(
        problem=pl.coalesce("problem", *wrong),
        **{f"param:{name}": parameters.first(name, rows.height) for name in NAMED},
    )
    valued = given.with_columns(_money())
    fields = {**_what(), **_who(), **_page(), **_campaign(), **_device()}
    complete = valued.with_columns(value.alias(f"raw:@{name}") for name, value in fields.items())
    properties = _properties(valued, parameters, users)
    return complete.with_columns(properties.alias("json:*")).drop(
        name for name in complete.columns if name.startswith("param:")
    )


# ---------------------------------------------------------------- parameters


@dataclass(frozen=True)
class Parameters:
    """Parameters of many rows, each with its row's place: place, key, value (text), is_text."""

    frame: pl.DataFrame

    def first(self, key: str, height: int) -> pl.Series:
        """For each row the first value that it gives for a key."""
        found = self.frame.filter(pl.col("key") == key).reverse()
        empty = pl.Series(pl.repeat(None, height, dtype=pl.String, eager=True))
        return empty.scatter(found["place"], found["value"])


def parameters_of(texts: pl.Series) -> tuple[Parameters, pl.Series]:
    """The parameters that JSON lists of {key, value: {string_value, int_value, …}} hold, and which texts are no such list."""
    lists, misshapen = _decoded(texts)
    exploded = pl.DataFrame(
        {"place": pl.int_range(texts.len(), dtype=pl.Int64, eager=True), "parameter": lists}
    ).explode("parameter", empty_as_null=False, keep_nulls=False)
    parameter = pl.col("parameter").struct
    values = {name: parameter.field("value").struct.field(name) for name in VALUE_KINDS}
    frame = exploded.select(
        "place",
        key=parameter.field("key"),
        value=pl.coalesce(values.values()),
        is_text=values["string_value"].is_not_null(),
    )
    return Parameters(frame.drop_nulls(["key", "value"])), misshapen


def _decoded(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    is_list = texts.str.starts_with("[").fill_null(False)
    lists = texts.to_frame("text").select(pl.when(is_list).then("text")).to_series()
    misshapen = texts.is_not_null() & (texts != "") & ~is_list
    try:
        return lists.str.json_decode(PARAMETERS), misshapen.fill_null(False)
    except pl.exceptions.ComputeError:
        fits = pl.Series([text is None or _fits(json.loads(text)) for text in lists], dtype=pl.Boolean)
        whole = lists.to_frame("text").select(pl.when(fits).then("text")).to_series()
        return whole.str.json_decode(PARAMETERS), (misshapen | ~fits).fill_null(False)


def _fits(parameters: Iterable[Any]) -> bool:
    """True for parameters as the export writes them."""
    return all(
        parameter is None
        or (
            isinstance(parameter, Mapping)
            and not isinstance(parameter.get("key"), list | dict)
            and isinstance(parameter.get("value") or {}, Mapping)
            and not any(isinstance((parameter.get("value") or {}).get(kind), list | dict) for kind in VALUE_KINDS)
        )
        for parameter in parameters
    )


# ---------------------------------------------------------------- fields

NAMED = (
    *CAMPAIGN, *CLICK_IDS, *BATCH, "page_location", "page_title", "page_referrer", "ga_session_id", "firebase_screen",
    "firebase_screen_class", "traffic_type", "currency", "value",
)  # fmt: skip


def column(name: str) -> pl.Expr:
    """A column of the export, null where it is empty or a placeholder."""
    return _meant(pl.col(f"raw:{name}"))


def param(name: str) -> pl.Expr:
    """An event parameter, null where it is empty or a placeholder."""
    return _meant(pl.col(f"param:{name}"))


def _meant(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(ABSENT)).then(text)


def _number(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(NUMBER)).then(text)


def _what() -> dict[str, pl.Expr]:
    name = pl.col("raw:event_name").str.strip_chars()
    batch = [_number(pl.coalesce(f"raw:{part}", f"param:{part}")) for part in BATCH]
    _, ordering, index = (part.cast(pl.Int64, strict=False) for part in batch)
    bundle = pl.col("raw:event_bundle_sequence_id").fill_null("")
    return {
        "day": pl.col("raw:event_date").str.replace_all("-", "", literal=True).str.extract(r"^\s*([0-9]{8})\s*$"),
        "event_id": pl.concat_str(
            pl.col("raw:user_pseudo_id").fill_null(""), "raw:event_timestamp", name, bundle, *batch, separator=":"
        ),
        "event": name.replace_strict(EVENTS, default=snake_case(name), return_dtype=pl.String),
        "seq": (ordering * 1_000_000 + index).cast(pl.String),
        "value": pl.col("param:@value"),
        "currency": pl.col("param:@currency"),
    }


def _who() -> dict[str, pl.Expr]:
    visitor, user = pl.col("raw:user_pseudo_id"), column("user_id")
    is_app = pl.col("raw:platform").str.to_uppercase().is_in(APPS).fill_null(False)
    is_email = user.str.contains(EMAIL).fill_null(False)
    return {
        "anonymous_id": pl.when(~is_app).then(visitor),
        "device_id": pl.when(is_app).then(visitor),
        "user_id": pl.when(~is_email).then(user),
        "email": pl.when(is_email).then(user),
        "visit_id": pl.concat_str(visitor, param("ga_session_id"), separator="."),
        "is_internal": pl.when(pl.col("param:traffic_type") == "internal").then(pl.lit("true")),
    }


def _page() -> dict[str, pl.Expr]:
    return {
        "url": _with_click(param("page_location").str.replace(r"#.*$", "")),
        "hostname": pl.coalesce(column("device.web_info.hostname"), column("event_dimensions.hostname")),
        "title": pl.coalesce(param("page_title"), param("firebase_screen"), param("firebase_screen_class")),
        "referrer": param("page_referrer"),
    }


def _with_click(url: pl.Expr) -> pl.Expr:
    """The address with the names of the click parameters that the export holds beside it."""
    for name in CLICK_IDS:
        beside = param(name)
        if name in ("gclid", "dclid"):
            beside = pl.coalesce(beside, column(f"collected_traffic_source.{name}"))
        mark = pl.when(url.str.contains("?", literal=True)).then(pl.lit("&")).otherwise(pl.lit("?"))
        is_missing = beside.is_not_null() & ~url.str.contains(f"[?&]{name}=")
        url = pl.when(is_missing).then(pl.concat_str(url, mark, pl.lit(f"{name}=1"))).otherwise(url)
    return url


def _campaign() -> dict[str, pl.Expr]:
    """How the visitor came with this event: what was collected with it, else its parameters; (direct) / (none) stay."""
    collected = {
        name: column(f"collected_traffic_source.manual_{'campaign_name' if name == 'campaign' else name}")
        for name in CAMPAIGN
    }
    is_collected = pl.any_horizontal(collected[name].is_not_null() for name in ("source", "medium", "campaign"))
    said = {name: pl.when(is_collected).then(collected[name]).otherwise(param(name)) for name in CAMPAIGN}
    is_direct = said["source"].str.strip_chars() == "(direct)"
    named = {
        name: pl.when(~said[name].str.contains(NO_CAMPAIGN)).then(said[name])
        for name in ("campaign", "term", "content")
    }
    medium = pl.when(is_direct).then(pl.lit("(none)")).otherwise(said["medium"])
    return {f"utm_{name}": value for name, value in {"source": said["source"], "medium": medium, **named}.items()}


def _device() -> dict[str, pl.Expr]:
    return {
        "device": column("device.category"),
        "browser": pl.coalesce(column("device.web_info.browser"), column("device.browser")),
        "country": column("geo.country"),
    }


# ---------------------------------------------------------------- money


def _money() -> list[pl.Expr]:
    """Amount and currency of an event: an order's revenue, a return's refund, else the parameter `value` with its currency.

    Without a currency the figure in US dollars counts; an order that has none either is in the journey's currency.
    """
    name = pl.col("raw:event_name").str.strip_chars()
    is_order, is_return = name.is_in(ORDERS).fill_null(False), name.is_in(RETURNS).fill_null(False)
    revenue, refund = _amount("ecommerce.purchase_revenue"), _amount("ecommerce.refund_value")
    own = pl.coalesce(pl.when(is_order).then(revenue), pl.when(is_return).then(refund), _number(pl.col("param:value")))
    own = pl.when(~name.is_in(VALUED_IN_USD).fill_null(False)).then(own)
    in_usd = pl.coalesce(
        pl.when(is_order).then(_amount("ecommerce.purchase_revenue_in_usd")),
        pl.when(is_return).then(_amount("ecommerce.refund_value_in_usd")),
        _amount("event_value_in_usd"),
    )
    currency = pl.when(pl.col("param:currency").str.contains(CURRENCY)).then("param:currency")
    is_own = own.is_not_null() & currency.is_not_null()
    is_usd = ~is_own & in_usd.is_not_null()
    is_bare = (is_order | is_return) & ~is_own & ~is_usd
    return [
        pl.when(is_own | is_bare).then(own).when(is_usd).then(in_usd).alias("param:@value"),
        pl.when(is_own).then(currency).when(is_usd).then(pl.lit("USD")).alias("param:@currency"),
    ]


def _amount(name: str) -> pl.Expr:
    return _number(pl.col(f"raw:{name}"))


# ---------------------------------------------------------------- properties


def _properties(rows: pl.DataFrame, parameters: Parameters, users: Parameters) -> pl.Series:
    """What is kept beside the fields, a JSON object of each row: parameters, user properties, some columns, items."""
    has_money, frame = rows["param:@value"].is_not_null(), parameters.frame
    is_money = frame["key"].is_in(["value", "currency"]) & has_money.gather(frame["place"])
    own = frame.filter(~frame["key"].is_in(LEFT_OUT) & ~is_money)
    about_users = users.frame.with_columns(key=pl.concat_str(pl.lit("user_"), "key"))
    places = pl.DataFrame({"place": pl.int_range(rows.height, dtype=pl.Int64, eager=True)})
    columns = [
        places.with_columns(key=pl.lit(key), value=rows[f"raw:{name}"], is_text=pl.lit(True))
        for key, name in PROPERTIES.items()
    ]
    told = pl.concat([own, about_users, *columns])
    kept = expr_per_distinct(pl.col("value"), {"text": _kept(pl.col("value"))}, schema={"text": pl.String})
    values = told.filter(~_is_personal(pl.col("key"))).with_columns(value=kept.struct.field("text")).drop_nulls("value")
    items = places.with_columns(key=pl.lit("items"), json=rows["raw:items"]).select(
        "place", "key", _items(pl.col("json"))
    )
    return _objects(pl.concat([values.select("place", "key", _json()), items.drop_nulls("json")]), rows.height)


def _is_personal(key: pl.Expr) -> pl.Expr:
    """True for names of parameters that hold names, addresses, numbers or tokens of people."""
    said = expr_per_distinct(key, {"is": pl.col("value").str.contains(PERSONAL_KEY)}, schema={"is": pl.Boolean})
    return said.struct.field("is")


def _kept(value: pl.Expr) -> pl.Expr:
    """What is kept of a value: no placeholder, no e-mail address, no link to one, of other links no query and no user."""
    address = value.str.replace(QUERY, "${1}").str.replace(USER_INFO, "${1}")
    refused = pl.any_horizontal(address.str.contains(pattern) for pattern in (ABSENT, EMAIL, PERSONAL_LINK))
    return pl.when(~refused).then(address)


def _json() -> pl.Expr:
    is_number = ~pl.col("is_text") & pl.col("value").str.contains(NUMBER) & ~pl.col("key").is_in(TEXTS)
    return pl.when(is_number).then("value").otherwise(json_text(pl.col("value"))).alias("json")


def _items(text: pl.Expr) -> pl.Expr:
    """The items as the export's two kinds of file agree on them: no absent members, whole numbers as numbers."""
    for pattern, replacement in ITEM_FORMS:
        text = text.str.replace_all(pattern, replacement)
    return (
        pl.when(text.str.starts_with("[") & text.str.contains("[{]"))
        .then(text.str.replace_all(EMAIL, ""))
        .alias("json")
    )


def _objects(members: pl.DataFrame, height: int) -> pl.Series:
    """The text of a JSON object of each row, its members by key; of a key that comes twice the first value."""
    empty = pl.Series(pl.repeat(None, height, dtype=pl.String, eager=True))
    if members.is_empty():
        return empty
    keys = members["key"].unique().sort()
    names = [json.dumps(key, ensure_ascii=False) for key in keys]
    rank = pl.col("key").replace_strict(keys, range(keys.len()), return_dtype=pl.Int64)
    name = pl.col("key").replace_strict(keys, names, return_dtype=pl.String)
    ordered = members.with_columns(order=pl.col("place") * keys.len() + rank).sort("order", maintain_order=True)
    objects = (
        ordered.filter(pl.col("order") != pl.col("order").shift(fill_value=-1))
        .with_columns(member=pl.concat_str(name, pl.lit(":"), "json"))
        .group_by("place", maintain_order=True)
        .agg(pl.concat_str(pl.lit("{"), pl.col("member").str.join(","), pl.lit("}")).alias("object"))
    )
    return empty.scatter(objects["place"], objects["object"])


GA4 = Native(
    name="ga4",
    version=1,
    reads=("ndjson", "parquet"),
    mappings={
        "": {
            "whole": {
                "by": ["@day"],
                "exported_at": [
                    "%Y%m%dT%H%M%S",
                    "%Y%m%dT%H%M",
                    "%Y-%m-%dT%H:%M:%S",
                    "%Y-%m-%dT%H-%M-%S",
                    "%Y-%m-%dT%H:%M",
                    "%Y-%m-%dT%H-%M",
                    "%Y-%m-%dT%H%M",
                    "_20??????_%Y%m%d",
                    "exported?%Y-%m-%d",
                    "exported?%Y%m%d",
                ],
                "provisional": ["*events_intraday_*", "*events_fresh_*"],
            },
            "fields": {name: f"@{name}" for name in COMPUTED if name != "day"}
            | {"occurred_at": {"from": "event_timestamp", "format": "epoch_us"}},
            "properties": "*",
        }
    },
    derived={**{f"@{name}": COLUMNS for name in COMPUTED}, "*": COLUMNS},
    derive=derive,
    marks={
        "": (("event_name", "event_timestamp", "user_pseudo_id"), ("event_name", "event_timestamp", "event_params"))
    },
)
