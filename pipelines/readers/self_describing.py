"""Self-describing JSON of Snowplow: what the contexts and the event of a row say, and what is kept of them."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

SELF_DESCRIBING = ("contexts", "derived_contexts", "unstruct_event")
KEPT = (
    "app_id", "platform", "domain_sessionidx", "refr_medium", "refr_source", "mkt_network", "event_vendor", "tr_orderid",
    "tr_affiliation", "tr_tax", "tr_shipping", "ti_orderid", "ti_sku", "ti_name", "ti_category", "ti_price", "ti_quantity",
    "ti_currency", "pp_xoffset_min", "pp_xoffset_max", "pp_yoffset_min", "pp_yoffset_max",
)  # fmt: skip
FREE_TEXT = ("se_category", "se_action", "se_label", "se_property", "se_value")

SHOP_ACTIONS = {
    "transaction": "order_placed", "refund": "order_returned", "trns_error": "payment_failed", "site_search": "search",
    "list_view": "product_list_view", "list_click": "product_list_click",
}  # fmt: skip
GOOGLE_ACTIONS = {
    "detail": "product_view", "add": "add_to_cart", "remove": "remove_from_cart", "checkout": "checkout_step",
    "checkout_option": "checkout_option", "purchase": "order_placed", "refund": "order_returned", "click": "product_list_click",
    "view": "product_list_view", "promo_click": "promo_click",
}  # fmt: skip

SNOWPLOW = "com_snowplowanalytics_snowplow"
SHOP_ACTION = f"{SNOWPLOW}_ecommerce_snowplow_ecommerce_action"
GOOGLE = "com_google_analytics_enhanced_ecommerce"
ROBOTS = ("com_iab_snowplow_spiders_and_robots", "nl_basjes_yauaa_context")
FORMS = tuple(f"{SNOWPLOW}_{name}_form" for name in ("submit", "change", "focus"))
NOT_KEPT = frozenset({
    f"{SNOWPLOW}_web_page", f"{SNOWPLOW}_client_session", f"{SNOWPLOW}_geolocation_context", f"{SNOWPLOW}_ua_parser_context",
    "nl_basjes_yauaa_context", "org_w3_performance_timing", "org_w3_performance_navigation_timing", "org_ietf_http_cookie",
    "org_ietf_http_header", "com_google_analytics_cookies",
})  # fmt: skip
PERSONAL_KEYS = frozenset({
    "email", "emailaddress", "mail", "useremail", "customeremail", "phone", "phonenumber", "telephone", "mobilephone",
    "mobilenumber", "firstname", "lastname", "middlename", "fullname", "givenname", "familyname", "surname", "username",
    "address", "addressline", "streetaddress", "street", "shippingaddress", "billingaddress", "shippingfulladdress",
    "billingfulladdress", "shippingpostcode", "billingpostcode", "postcode", "postalcode", "zip", "zipcode", "ip", "ipaddress",
    "useripaddress", "dateofbirth", "birthdate", "birthday", "dob", "latitude", "longitude", "password", "token",
    "accesstoken", "authtoken", "secret", "iban", "cardnumber", "creditcard", "ssn", "appleidfa", "appleidfv", "androididfa",
    "openidfa", "elementcontent",
})  # fmt: skip
MAIL = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
QUERY = re.compile(r"^([a-z][a-z0-9+.-]*://[^?#]*)[?#].*$", re.IGNORECASE | re.DOTALL)
MAILTO = re.compile(r"^(?:mailto|tel|sms):", re.IGNORECASE)
SCHEMA = re.compile(r"^iglu:([^/]+)/([^/]+)/[^/]+/(\d+)-")
VERSION = re.compile(r"_(\d+)(?:_\d+_\d+)?$")


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


JSON = json.JSONDecoder(parse_constant=_refuse)


class Told(NamedTuple):
    """What the self-describing parts of a row say; `schema` is the event's, `event` its name where the data decides it."""

    schema: str | None = None
    event: str | None = None
    value: str | None = None
    currency: str | None = None
    email: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    event_index: str | None = None
    title: str | None = None
    is_bot: str | None = None
    properties: str | None = None
    is_broken: str | None = None


class Part(NamedTuple):
    """A context or event: its column in JSON and warehouses, its schema without kind and version, its data."""

    column: str
    schema: str
    data: Any


def told(text: str) -> Told:
    """What a row says, whose contexts and event are the members of a JSON object.

    In: members `contexts`, `derived_contexts`, `unstruct_event` (self-describing JSON, also as text), `contexts_…_1` and
        `unstruct_event_…_1` (as Snowplow's SDKs and loaders write them), and any other.
    """
    read = _read(text)
    if "\\ud" in text.lower():
        return Told(*(value and value.encode("utf-8", "replace").decode() for value in read))
    return read


def _read(text: str) -> Told:
    """What `told` says, where text may hold halves of characters that UTF-8 cannot write."""
    try:
        given = JSON.decode(text)
        parts = list(_parts(given))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Told(is_broken="true")
    event = next(
        (part for part in parts if part.column.startswith("unstruct_event_") and isinstance(part.data, dict)), None
    )
    contexts = [part for part in parts if part.column.startswith("contexts_") and isinstance(part.data, dict)]
    first = {part.schema: part.data for part in reversed(contexts)}
    name, order = _shop_event(event, first)
    session, mobile = first.get(f"{SNOWPLOW}_client_session", {}), first.get(f"{SNOWPLOW}_mobile_context", {})
    is_screen = event is not None and event.schema.endswith("_screen_view")
    return Told(
        schema=event.schema if event else None,
        event=name,
        value=_text(order, "revenue", "refund_amount"),
        currency=_text(order, "currency"),
        email=_text(first.get(f"{SNOWPLOW}_ecommerce_user", {}), "email"),
        device_id=_text(session, "userId") or _text(mobile, "appleIdfv", "androidIdfa", "appleIdfa"),
        session_id=_text(session, "sessionId"),
        event_index=_text(session, "eventIndex"),
        title=_text(event.data, "name") if event and is_screen else None,
        is_bot="true" if any(_is_robot(first.get(schema, {})) for schema in ROBOTS) else None,
        properties=_kept(given, event, contexts, first),
    )


def _parts(given: Mapping[str, Any]) -> Iterator[Part]:
    """The contexts and the event of a row. Raises ValueError, LookupError, TypeError or AttributeError for what is none."""
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name in SELF_DESCRIBING:
            data = _decoded(value)["data"]
            kind = "unstruct_event" if name == "unstruct_event" else "contexts"
            for each in data if isinstance(data, list) else [data]:
                yield Part(*_names_of_schema(kind, each["schema"]), each["data"])
        elif _is_described(name):
            data = _decoded(value)
            yield from (Part(*_names_of_column(name), each) for each in (data if isinstance(data, list) else [data]))


def _decoded(value: Any) -> Any:
    return JSON.decode(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _is_described(name: str) -> bool:
    return name.lower().startswith(("contexts_", "unstruct_event_"))


@lru_cache(maxsize=4096)
def _names_of_column(name: str) -> tuple[str, str]:
    """The column's usual name, and its schema."""
    column = VERSION.sub(r"_\1", name.lower())
    return column, VERSION.sub("", column).removeprefix("contexts_").removeprefix("unstruct_event_")


@lru_cache(maxsize=4096)
def _names_of_schema(kind: str, uri: str) -> tuple[str, str]:
    """The column that Snowplow's SDKs and loaders give a schema, and the schema. Raises ValueError."""
    found = SCHEMA.match(uri)
    if found is None:
        raise ValueError(f"no schema: {uri}")
    words = re.sub(r"([^A-Z_])([A-Z])", r"\1_\2", re.sub(r"[.-]", "_", found[2]))
    schema = f"{re.sub(r'[.-]', '_', found[1])}_{words}".lower()
    return f"{kind}_{schema}_{found[3]}", schema


def _shop_event(event: Part | None, first: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The name of an event of Snowplow's or Google's shop schemas, and the data that hold its money."""
    if event is not None and event.schema == SHOP_ACTION:
        action = str(event.data.get("type"))
        step = _text(first.get(f"{SNOWPLOW}_ecommerce_checkout_step", {}), "step")
        kinds = {"transaction": "transaction", "refund": "refund"}
        order = first.get(f"{SNOWPLOW}_ecommerce_{kinds[action]}", {}) if action in kinds else {}
        return _begun(SHOP_ACTIONS.get(action, action), step), order
    if event is not None and event.schema == f"{GOOGLE}_action":
        action = str(event.data.get("action"))
        order = first.get(f"{GOOGLE}_action_field_object", {})
        pays = action in ("purchase", "refund")
        return _begun(GOOGLE_ACTIONS.get(action, action), _text(order, "step")), order if pays else {}
    return None, {}


def _begun(name: str, step: str | None) -> str:
    """The first step of a checkout is its start."""
    return "checkout_started" if name == "checkout_step" and step in (None, "1") else name


def _text(data: Mapping[str, Any], *names: str) -> str | None:
    """The first of several members, under its own name or in snake case, as text."""
    for name in names if data else ():
        value = data.get(name, data.get(_snake(name)))
        if isinstance(value, str | int | float) and value != "":
            return str(value)
    return None


@lru_cache(maxsize=64)
def _snake(name: str) -> str:
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _is_robot(data: Mapping[str, Any]) -> bool:
    """What the IAB's list and YAUAA say."""
    listed = str(_text(data, "spiderOrRobot")).lower() == "true"
    return listed or str(_text(data, "agentClass")).startswith("Robot")


# ---------------------------------------------------------------- what is kept of them


def _kept(given: Mapping[str, Any], event: Part | None, contexts: list[Part], first: Mapping[str, Any]) -> str | None:
    """The event's data member by member, its contexts by column, and other columns, without what is personal."""
    taken = {*KEPT, *FREE_TEXT, "page_view_id"}
    lifted = _clean(event.data, is_form=event.schema in FORMS) if event else {}
    kept = {f"data_{name}" if name in taken else name: value for name, value in lifted.items()}
    for part in contexts:
        if part.schema not in NOT_KEPT:
            kept.setdefault(part.column, []).append(_clean(part.data))
    described = ("contexts_", "unstruct_event_", *SELF_DESCRIBING)
    others = {name: value for name, value in given.items() if not name.lower().startswith(described)}
    kept |= {name: value for name, value in _clean(others).items() if name not in kept}
    page = _text(first.get(f"{SNOWPLOW}_web_page", {}), "id")
    kept |= {"page_view_id": page} if page else {}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True) if kept else None


def _clean(value: Any, *, is_form: bool = False) -> Any:
    """JSON data without nulls, personal members, entries of forms, addresses of mail, and the queries of addresses."""
    if isinstance(value, dict):
        cleaned = {
            name: _clean(member, is_form=is_form)
            for name, member in value.items()
            if not _is_personal(name) and not (is_form and name == "value")
        }
        return {name: member for name, member in cleaned.items() if member is not None}
    if isinstance(value, list):
        return [_clean(member, is_form=is_form) for member in value]
    if isinstance(value, str) and (":" in value or "@" in value):
        bare = QUERY.sub(r"\1", value)
        return None if MAIL.search(bare) or MAILTO.match(bare) else bare
    return value


@lru_cache(maxsize=4096)
def _is_personal(name: str) -> bool:
    return re.sub("[^a-z]", "", name.lower()) in PERSONAL_KEYS
