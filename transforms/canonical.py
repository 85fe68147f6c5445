"""Canonical rows: mapped fields as typed columns that mean the same for every source, with a verdict on each row."""

import hmac
import re
import string
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Literal
from urllib.parse import unquote_plus

import phonenumbers
import polars as pl

from transforms.agents import agent_columns
from transforms.channel_rules import RULES
from transforms.contracts import IDENTIFIERS, KEY
from transforms.distinct import VALUE, expr_per_distinct, expr_where_needed, per_distinct
from transforms.hashing import SEPARATOR, key_of
from transforms.mapping import DATED, PERSONAL, TIME_FIELDS, latest_instant

REASONS = (
    "encoding", "too_large", "parse_error", "wrong_columns", "missing_time", "bad_time", "future_time", "missing_identity",
    "type_conflict",
)  # fmt: skip
CLOCK_SOURCES = ("corrected", "declared", "created_at", "received_at")

JUNK = ("null", "undefined", "none", "nan", "n/a", "anonymous", "unknown", "guest", "[object object]", "-1")
JUNK_SHAPES = r"^(?:[0-]*0[0-]*|\{.*\}|\$\{.*\}|%.+%|<.*>)$"
REPEATED = 8
ONE_CHARACTER = "|".join(
    f"{re.escape(character)}+" for character in string.digits + string.ascii_letters + string.punctuation
)
MAIL = r"[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
HIDDEN_MAIL = "(e-mail)"
SHOWN = ("path", "title", "referrer", "properties")
SALESFORCE_ID = r"^(?:001|003|006|00Q|500)[A-Za-z0-9]{12}$"
HAS_LETTER = "^.{3}.*[A-Za-z]"
SALESFORCE_FIELDS = ("crm_contact_id", "crm_lead_id", "account_id", "record_id")
SALESFORCE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

PLACE = r"(?s)^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/@]*@)?(?<host>[^/:]+)[^/]*)?(?<path>.*)"
BARE_HOST = r"^([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})/"
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
MINOR_UNITS = {currency: 10**exponent for currency, exponent in EXPONENTS.items()}
BY_EXPONENT = {f"by_{exponent}": exponent for exponent in sorted({2, *EXPONENTS.values()})}
DECIMAL = r"^(?<sign>[+-]?)(?<whole>[0-9]{0,15})(?:\.(?<part>[0-9]*))?$"
GREATEST_MINOR = 2**53
TRUTH = {"true": True, "1": True, "yes": True, "t": True, "false": False, "0": False, "no": False, "f": False}
JSON_VALUE = r"^(?:\{\s*[\x22}]|\[\s*(?:[\x22\[{\d\]-]|true|false|null)).*"
LONGEST = 2**63 - 1
SUMMARY_FROM = 2**62

CONTENT = (
    "event_id", "event", "seq", *IDENTIFIERS, "account_id", "visit_id", "hostname", "path", "title", "referrer", *UTM, "click_id",
    "given_channel", "device", "browser", "country", "is_bot", "is_internal", "object", "record_id", "state", "value_minor",
    "currency", "properties",
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What a source and the journey say about values: name, kind, money, hosts, junk, personal values, completeness.

    Of the identifiers, `dropped` ones are null and `hidden` ones are kept as keyed hashes.
    `is_part`: rows are parts of wholes (transforms/wholes.py), so each has to say of which.
    """

    source: str = ""
    kind: Literal["web", "crm", "spend"] = "web"
    is_record: bool = False
    is_part: bool = False
    is_history: bool = False
    is_summary: bool = False
    has_typed_values: bool = False
    currency: str = "USD"
    internal_hosts: tuple[str, ...] = ()
    country: str = "US"
    junk: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    valid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    hmac_key: bytes = b""
    complete_to: datetime | None = None


def canonical_rows(mapped: pl.LazyFrame, *, rules: Rules, absent: Container[str] = frozenset()) -> pl.LazyFrame:
    """Type, normalise and judge what rows say.

    In:  mapped rows (transforms/mapping.py). `absent`: fields known to be null in all of them, for which nothing is worked out.
    Out: one row per row in: file, row, variant, text, whole, the canonical columns without source, row_key and file, `modified_at`,
         `evident_at`, `reason` and `field` (null for a good row; `blank` for a blank one), `content`, `sort_at`, `tie`.

    Sources: semantics.md §2 (clocks, content), §3 (reasons), §4 (values).
    """
    identified = mapped.with_columns(_identifiers(rules, absent))
    located = identified.pipe(_with_clock).pipe(_with_address, absent).pipe(agent_columns)
    located = located.with_columns(_with_referred_keyed(rules)).with_columns(_without_mail(name) for name in SHOWN)
    valued = located.with_columns(_plain_fields(rules, absent)).pipe(_with_money, rules, absent)
    return valued.with_columns(_verdict(rules, absent)).select(
        "file", "row", "variant", "reason", "field", "modified_at", "whole",
        pl.when(pl.col("reason").is_not_null() | (pl.col("variant") == 0)).then("text").alias("text"),
        _event_id(rules), *[pl.col(name) for name in ("event", "occurred_at", "time_precision", "seq", "received_at", "clock_source")],
        "is_clamped", *IDENTIFIERS, "account_id", "visit_id", "hostname", "path", "title", "referrer", *UTM, "click_id",
        pl.col("channel").alias("given_channel"), "device", "browser", "country", "is_bot", "is_internal",
        "object", "record_id", "state", "value_minor", "currency", "properties",
        pl.coalesce("occurred_at", "modified_at").alias("evident_at"),
        _content(rules).alias("content"),
        _sort_at(rules).alias("sort_at"),
        _tie().alias("tie"),
    )  # fmt: skip


def _event_id(rules: Rules) -> pl.Expr:
    """The id that the source gives; a dated state of a record is known by object, record, state and time."""
    return pl.coalesce("event_id", state_key()).alias("event_id") if rules.is_history else pl.col("event_id")


def state_key() -> pl.Expr:
    """The id of an event that is a dated state of a CRM record (semantics.md §2, records)."""
    instant = pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return pl.concat_str("object", "record_id", pl.coalesce("state", "event"), instant, separator=":")


# ---------------------------------------------------------------- clocks (semantics.md §2)


def _with_clock(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The corrected time of each row, where it comes from, and the time the source itself declares."""
    received, sent, created, declared = (
        pl.col(name) for name in ("received_at", "sent_at", "created_at", "occurred_at")
    )
    corrected = pl.when(sent >= created).then(received - (sent - created))
    times = {"corrected": corrected, "declared": declared, "created_at": created, "received_at": received}
    first = pl.coalesce(pl.when(time.is_not_null()).then(pl.lit(name)) for name, time in times.items())
    is_day = (
        ((pl.col("clock_source") == "declared") & pl.col("occurred_at:day"))
        | ((pl.col("clock_source") == "created_at") & pl.col("created_at:day"))
        | ((pl.col("clock_source") == "received_at") & pl.col("received_at:day"))
    )
    return (
        rows.with_columns(clock_source=first, found_at=pl.coalesce(list(times.values())), declared_at=declared)
        .with_columns(is_clamped=(pl.col("found_at") > received).fill_null(False))
        .with_columns(
            occurred_at=pl.when("is_clamped").then(received).otherwise("found_at"),
            time_precision=pl.when(is_day)
            .then(pl.lit("day"))
            .when(pl.col("found_at").is_not_null())
            .then(pl.lit("instant")),
        )
    )


# ---------------------------------------------------------------- identifiers (semantics.md §4)


def _identifiers(rules: Rules, absent: Container[str]) -> list[pl.Expr]:
    found = [_identifier(name, rules) for name in _those((*IDENTIFIERS, "account_id", "record_id"), absent)]
    told = _those((*IDENTIFIERS, "record_id", "event_id", "event"), absent)
    structured = [pl.when(_is_structured(name)).then(pl.lit(name)) for name in told]
    wrong = pl.coalesce(structured) if rules.has_typed_values and structured else pl.lit(None, pl.String)
    return [*found, wrong.alias("structured")]


def _those(names: Iterable[str], absent: Container[str]) -> list[str]:
    """The fields that are not absent."""
    return [name for name in names if name not in absent]


def _is_structured(name: str) -> pl.Expr:
    """True where a JSON object or list stands for the text of one value."""
    opens = VALUE.str.starts_with("{") | VALUE.str.starts_with("[")
    whole = pl.when(VALUE.str.contains(JSON_VALUE) & VALUE.str.contains(r"[\]}]\s*$")).then(VALUE)
    return expr_where_needed(pl.col(name), needed=opens, changed=whole, elsewhere=pl.lit(None, pl.String)).is_not_null()


def _identifier(name: str, rules: Rules) -> pl.Expr:
    if name in rules.dropped:
        return pl.lit(None, pl.String).alias(name)
    changed = _normalised(VALUE, name=name, rules=rules)
    return expr_where_needed(pl.col(name), needed=_needs_a_look(name, rules), changed=changed).alias(name)


def _needs_a_look(name: str, rules: Rules) -> pl.Expr:
    """True for values that normalising may change: personal and hidden ones, and those that are not plainly an id."""
    if name in PERSONAL or name in rules.hidden:
        return pl.lit(True)
    words = "|".join(re.escape(word) for word in junk_words(name, rules))
    blanks, signs, foreign = r"\s.*|.*\s", r"[{$%<].*|[0-]*", r".*[^\x00-\x7f].*"
    salesforce = "|[a-z0-9]{15}" if name in SALESFORCE_FIELDS else ""
    return VALUE.str.contains(f"(?is)^(?:{words}|{blanks}|{signs}|{foreign}|.*@.*|{ONE_CHARACTER}{salesforce})$")


def _normalised(text: pl.Expr, *, name: str, rules: Rules) -> pl.Expr:
    value = text.str.strip_chars()
    value = pl.when(~is_junk(value, namespace=name, rules=rules)).then(value)
    if name == "email":
        value = per_distinct(value.str.to_lowercase(), lambda text: keyed(text, rules.hmac_key))
    if name == "phone":
        value = per_distinct(value, lambda text: _keyed_phone(text, rules))
    if name in rules.hidden:
        value = per_distinct(value, lambda text: keyed(text, rules.hmac_key))
    elif name not in PERSONAL:
        mail = pl.when(value.str.contains(f"^{MAIL}$")).then(value.str.to_lowercase())
        value = pl.coalesce(per_distinct(mail, lambda text: keyed(text, rules.hmac_key)), value)
    if name in SALESFORCE_FIELDS:
        short = pl.when(value.str.contains(SALESFORCE_ID) & value.str.contains(HAS_LETTER)).then(value)
        value = pl.coalesce(per_distinct(short, salesforce_id), value)
    return value


def identifier_value(text: str, *, namespace: str, rules: Rules) -> str | None:
    """One identifier as it is stored: normalised, keyed where it is personal or hidden; null for one that names nobody."""
    stored: str | None = pl.select(pl.lit(text).alias(namespace)).select(_identifier(namespace, rules)).item()
    return stored


def identifier_values(texts: pl.Series, *, namespace: str, rules: Rules) -> pl.Series:
    """Identifiers as they are stored, in the order of the texts: `identifier_value` of many."""
    return texts.alias(namespace).to_frame().select(_identifier(namespace, rules)).to_series()


def is_junk(value: pl.Expr, *, namespace: str, rules: Rules) -> pl.Expr:
    """True for values that name nobody: null words, unresolved templates, all-zero ids, one character 8 times or more."""
    lower = value.str.to_lowercase()
    repeated = (value.str.len_chars() >= REPEATED) & (value.str.strip_chars(value.str.head(1)) == "")
    junk = (value == "") | lower.is_in(junk_words(namespace, rules)) | value.str.contains(JUNK_SHAPES) | repeated
    valid = [word for key in ("all", namespace) for word in rules.valid.get(key, ())]
    return junk & ~value.is_in(valid) if valid else junk


def junk_words(namespace: str, rules: Rules) -> list[str]:
    """The words that name nobody, in lower case."""
    return sorted({*JUNK, *(word.lower() for key in ("all", namespace) for word in rules.junk.get(key, ()))})


def keyed(text: str, key: bytes) -> str:
    """The HMAC-SHA256 of a normalised personal value, in hexadecimal."""
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def e164(text: str, country: str) -> str | None:
    """A phone number in E.164, null when it cannot be one."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_possible_number(number)
        else None
    )


def salesforce_id(text: str) -> str:
    """A 15-character Salesforce id with its check characters: 18 characters, safe to compare without case."""
    chunks = (text[start : start + 5] for start in (0, 5, 10))
    checks = (sum(1 << place for place, letter in enumerate(chunk) if letter.isupper()) for chunk in chunks)
    return text + "".join(SALESFORCE_ALPHABET[check] for check in checks)


def _keyed_phone(text: str, rules: Rules) -> str | None:
    number = e164(text, rules.country)
    return keyed(number, rules.hmac_key) if number else None


# ---------------------------------------------------------------- addresses


def _with_address(rows: pl.LazyFrame, absent: Container[str]) -> pl.LazyFrame:
    """Split addresses into host, path and campaign; no query is kept."""
    is_url = pl.col("url").is_not_null()
    address = expr_per_distinct(pl.coalesce("url", "path"), _address_parts(), schema=ADDRESS_PARTS)
    changes = {"path": _without_query, "referrer": _without_secrets}
    changed = [_changed(name, changes[name]) for name in _those(changes, absent)]
    return (
        rows.with_columns(address.alias("address"), *changed)
        .unnest("address")
        .unnest("place", "query")
        .with_columns(
            hostname=pl.coalesce(_clean_host(pl.col("hostname")), "address_host", pl.when(is_url).then("bare_host")),
            path=pl.coalesce(pl.when(is_url).then("path"), pl.when(is_url).then("bare_path"), "address_path"),
            **{name: pl.coalesce(name, f"query_{name}") for name in UTM},
        )
    )


QUERY_PARTS: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(
    ("click_id", *(f"query_{name}" for name in UTM)), pl.String
)
PLACE_PARTS: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(
    ("address_host", "address_path", "bare_host", "bare_path"), pl.String
)
ADDRESS_PARTS = {"place": pl.Struct(PLACE_PARTS), "query": pl.Struct(QUERY_PARTS)}


def _address_parts() -> dict[str, pl.Expr]:
    """What stands before the query of an address, and its query, each read once for each distinct text."""
    pieces = VALUE.str.splitn("#", 2).struct.field("field_0").str.splitn("?", 2)
    return {
        "place": expr_per_distinct(pieces.struct.field("field_0"), _place_parts(), schema=PLACE_PARTS),
        "query": expr_per_distinct(pieces.struct.field("field_1"), _query_parts(), schema=QUERY_PARTS),
    }


def _place_parts() -> dict[str, pl.Expr]:
    """Host and path of an address; `bare_` ones where the host stands without the slashes before it."""
    address = pl.col("value").str.extract_groups(PLACE)
    host, path = (address.struct.field(name) for name in ("host", "path"))
    bare = pl.when(host.is_null()).then(path)
    return {
        "address_host": _clean_host(host),
        "address_path": _rooted(path),
        "bare_host": _clean_host(bare.str.extract(BARE_HOST)),
        "bare_path": _rooted(bare.str.replace(BARE_HOST, "/")),
    }


def _query_parts() -> dict[str, pl.Expr]:
    query = pl.col("value")
    return {
        "click_id": _click_parameter(query),
        **{f"query_{name}": _query_value(query, name) for name in UTM},
    }


def _click_parameter(query: pl.Expr) -> pl.Expr:
    """The name of the click parameter of a query, in lower case: the first of an ad, else the first of another kind."""
    ads = [name for name, click in RULES.click_ids.items() if click.kind == "ad"]
    others = [name for name in RULES.click_ids if name not in ads]
    found = [query.str.extract(rf"(?i)(?:^|&)({'|'.join(map(re.escape, names))})=[^&]") for names in (ads, others)]
    return pl.coalesce(*found).str.to_lowercase()


def _without_mail(name: str) -> pl.Expr:
    """A text that people are shown, with the e-mail addresses in it hidden."""
    changed = VALUE.str.replace_all(MAIL, HIDDEN_MAIL)
    return expr_where_needed(pl.col(name), needed=VALUE.str.contains_any(["@", "%40"]), changed=changed).alias(name)


def _with_referred_keyed(rules: Rules) -> pl.Expr:
    """The properties, with an address of whom a referral brought (`referred_id`) as it is stored where it identifies."""
    if "email" in rules.dropped:
        return pl.col("properties")
    told = VALUE.str.json_path_match("$.referred_id").str.strip_chars()
    mail = pl.when(told.str.contains(f"^{MAIL}$")).then(told.str.replace("%40", "@").str.to_lowercase())
    stored = per_distinct(mail, lambda text: keyed(text, rules.hmac_key))
    said = pl.concat_str(pl.lit('"referred_id":"'), stored, pl.lit('"'))
    changed = pl.coalesce(VALUE.str.replace(r'"referred_id"\s*:\s*"[^"]*"', said), VALUE)
    asks = VALUE.str.contains('"referred_id"', literal=True) & VALUE.str.contains_any(["@", "%40"])
    return expr_where_needed(pl.col("properties"), needed=asks, changed=changed).alias("properties")


def _clean_host(host: pl.Expr) -> pl.Expr:
    return host.str.strip_chars().str.to_lowercase()


def _rooted(path: pl.Expr) -> pl.Expr:
    return pl.when(path == "").then(pl.lit("/")).otherwise(path)


def _without_query(path: pl.Expr) -> pl.Expr:
    return _rooted(path.str.replace(r"[?#].*$", ""))


def _without_secrets(address: pl.Expr) -> pl.Expr:
    bare = address.str.replace(r"[?#].*$", "").str.replace(r"//[^/?#@]*@", "//")
    return pl.when(bare != "").then(bare)


def _changed(name: str, change: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """A text column changed, each distinct text once."""
    changed = expr_per_distinct(pl.col(name), {name: change(pl.col("value"))}, schema={name: pl.String})
    return changed.struct.field(name)


def _query_value(query: pl.Expr, name: str) -> pl.Expr:
    raw = query.str.extract(rf"(?:^|&){name}=([^&]+)")
    coded = pl.when(raw.str.contains("[%+]")).then(raw)
    return pl.coalesce(per_distinct(coded, unquote_plus), raw)


# ---------------------------------------------------------------- plain values, money


def _plain_fields(rules: Rules, absent: Container[str]) -> list[pl.Expr]:
    internal = pl.col("hostname").is_in([host.lower() for host in rules.internal_hosts])
    named = _those(("event", "event_id", "object", "state", "visit_id"), absent)
    texts = [pl.col(name).str.strip_chars() for name in named]
    flags = {name: _truth(name, absent) for name in ("is_bot", "is_internal")}
    device = [] if "device" in absent else [pl.col("device").str.strip_chars().str.to_lowercase()]
    return [
        *[pl.when(text != "").then(text) for text in texts],
        _whole_number("seq", absent).alias("seq"),
        pl.col("seq").is_not_null().alias("seq:given"),
        pl.coalesce(flags["is_bot"], "agent_is_bot", pl.lit(False)).alias("is_bot"),
        pl.coalesce(flags["is_internal"], internal, pl.lit(False)).alias("is_internal"),
        *[(pl.col(name).is_not_null() & flag.is_null()).alias(f"{name}:wrong") for name, flag in flags.items()],
        pl.coalesce(*device, "agent_device").alias("device"),
        pl.coalesce("browser", "agent_browser").alias("browser"),
    ]


def _truth(name: str, absent: Container[str]) -> pl.Expr:
    if name in absent:
        return pl.lit(None, pl.Boolean)
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    return text.replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)


def _whole_number(name: str, absent: Container[str]) -> pl.Expr:
    if name in absent:
        return pl.lit(None, pl.Int64)
    return pl.col(name).str.strip_chars().cast(pl.Int64, strict=False)


def _with_money(rows: pl.LazyFrame, rules: Rules, absent: Container[str]) -> pl.LazyFrame:
    """Money in minor units: decimals by the currency's ISO exponent; what is given back is negative."""
    if not _those(("value", "value_minor"), absent):
        never = [pl.lit(False).alias(f"{name}:wrong") for name in ("value", "currency")]
        return rows.with_columns(*never, currency=pl.lit(None, pl.String), value_minor=pl.lit(None, pl.Int64))
    given = pl.col("value").is_not_null() | pl.col("value_minor").is_not_null()
    currency = pl.col("currency").str.strip_chars().str.to_uppercase().fill_null(rules.currency)
    minor = _in_exponent_of(pl.col("currency"), pl.col("amounts"))
    amount = pl.coalesce(_whole_number("value_minor", absent), pl.when(minor.abs() < GREATEST_MINOR).then(minor))
    amount = pl.when(pl.col("event") == "order_returned").then(-amount.abs()).otherwise(amount)
    known = pl.col("value_minor").is_not_null()
    return (
        rows.with_columns(currency=pl.when(given).then(currency), money_given=given, amounts=_minor_units("value"))
        .with_columns(value_minor=amount)
        .with_columns(
            (pl.col("money_given") & ~known).alias("value:wrong"),
            (known & ~pl.col("currency").str.contains("^[A-Z]{3}$")).alias("currency:wrong"),
            currency=pl.when(known).then("currency"),
        )
    )


def _minor_units(name: str) -> pl.Expr:
    """Text of an amount in minor units, by exponent; each distinct text is read once."""
    read = {
        place: pl.coalesce(_exact_minor(VALUE, exponent), _rounded_minor(VALUE, exponent))
        for place, exponent in BY_EXPONENT.items()
    }
    return expr_per_distinct(pl.col(name).str.strip_chars(), read, schema=dict.fromkeys(read, pl.Int64))


def _in_exponent_of(currency: pl.Expr, amounts: pl.Expr) -> pl.Expr:
    exponent_of = currency.replace_strict(EXPONENTS, default=2, return_dtype=pl.Int64)
    return pl.coalesce(
        pl.when(exponent_of == exponent).then(amounts.struct.field(place)) for place, exponent in BY_EXPONENT.items()
    )


def _exact_minor(value: pl.Expr, exponent: int) -> pl.Expr:
    """Decimal text in minor units, half a unit rounded away from zero; null for other text and for more than 15 digits."""
    pieces = value.str.extract_groups(DECIMAL)
    part = pieces.struct.field("part").fill_null("")
    digits = pl.concat_str(
        pl.lit("0"), pieces.struct.field("whole"), part.str.pad_end(exponent, "0").str.head(exponent)
    )
    half = (part.str.slice(exponent, 1).cast(pl.Int64, strict=False) >= 5).fill_null(False)
    size = digits.cast(pl.Int64, strict=False) + half.cast(pl.Int64)
    signed = pl.when(pieces.struct.field("sign") == "-").then(-size).otherwise(size)
    return pl.when(value.str.contains("[0-9]")).then(signed)


def _rounded_minor(value: pl.Expr, exponent: int) -> pl.Expr:
    """Text of a number in another form (1e3) in minor units."""
    minor = (value.cast(pl.Float64, strict=False) * 10.0**exponent).round()
    return pl.when(minor.is_finite()).then(minor).cast(pl.Int64, strict=False)


# ---------------------------------------------------------------- the verdict (semantics.md §3)


def _verdict(rules: Rules, absent: Container[str]) -> list[pl.Expr]:
    """Why a row cannot be used, the first reason that applies, and the field concerned."""
    is_event = pl.col("variant") > 0
    untimed = is_event & ~pl.any_horizontal(f"{name}:given" for name in TIME_FIELDS if name != "sent_at")
    future = is_event & pl.col("received_at").is_null() & (pl.col("occurred_at") > latest_instant(rules.complete_to))
    nobody = _nobody(rules, is_event) & pl.col("structured").is_null()
    structured, problem = pl.col("structured"), pl.col("problem")
    early = pl.when(~problem.str.starts_with("type_conflict")).then(problem)
    tests: list[tuple[str, pl.Expr, pl.Expr]] = [
        ("missing_time", untimed, pl.lit("occurred_at")),
        *[("bad_time", pl.col(f"{name}:given") & pl.col(_read(name)).is_null(), pl.lit(name)) for name in DATED],
        ("future_time", future, pl.lit("occurred_at")),
        ("missing_identity", nobody, pl.lit("record_id" if rules.is_record else "")),
        ("type_conflict", structured.is_not_null(), structured),
        *[("type_conflict", test, pl.lit(name)) for name, test in _conflicts(rules, is_event, absent).items()],
        ("type_conflict", problem.is_not_null(), problem.str.extract(":(.*)$")),
    ]
    reason = pl.coalesce(
        early.str.extract("^([a-z_]+)"), *[pl.when(test).then(pl.lit(name)) for name, test, _ in tests]
    )
    told_early = pl.coalesce(early.str.extract(":(.*)$"), pl.when(early.is_not_null()).then(pl.lit("")))
    concerned = pl.coalesce(told_early, *[pl.when(test).then(field) for _, test, field in tests])
    return [reason.alias("reason"), pl.when(concerned != "").then(concerned).alias("field")]


def _read(name: str) -> str:
    """The column that holds a time field as the source declared it."""
    return "declared_at" if name == "occurred_at" else name


def _nobody(rules: Rules, is_event: pl.Expr) -> pl.Expr:
    """True where a row names nobody; a CRM row may stand on its record id, money spent names nobody."""
    if rules.kind == "spend":
        return pl.lit(False)
    persons = pl.any_horizontal(pl.col(name).is_not_null() for name in IDENTIFIERS)
    if rules.is_record:
        return pl.col("record_id").is_null()
    named = persons | pl.col("record_id").is_not_null() if rules.kind == "crm" else persons
    return is_event & ~named


def _conflicts(rules: Rules, is_event: pl.Expr, absent: Container[str]) -> dict[str, pl.Expr]:
    """By field, where its value is not of its type."""
    flags = _those(("is_bot", "is_internal"), absent)
    money = ("value", "currency") if _those(("value", "value_minor"), absent) else ()
    return {
        "event": is_event & pl.col("event").is_null(),
        "seq": pl.col("seq:given") & pl.col("seq").is_null(),
        **{name: pl.col(f"{name}:wrong") for name in (*money, *flags)},
        **({"whole": is_event & pl.col("whole").is_null()} if rules.is_part else {}),
    }


# ---------------------------------------------------------------- what decides among rows of one key


def _content(rules: Rules) -> pl.Expr:
    """Hash of the canonical fields, the times of sending and receipt left out.

    A row without an id is its content, so a time that only the receipt tells belongs to it.
    """
    own_time = pl.col("event_id").is_null() & (pl.col("clock_source") == "received_at")
    times = [pl.col(name).dt.timestamp("us") for name in ("declared_at", "created_at", "modified_at")]
    seen_at = pl.when(own_time).then(pl.col("occurred_at").dt.timestamp("us"))
    named = [pl.col("channel") if name == "given_channel" else pl.col(name) for name in CONTENT]
    parts = [pl.lit(rules.source), *named, pl.col("time_precision"), *times, seen_at, pl.coalesce("line", "whole")]
    numbered = [part.alias(str(number)) for number, part in enumerate(parts)]
    told = pl.struct(pl.col("reason").is_null().alias("good"), *numbered)
    return told.map_batches(_key_of_parts, return_dtype=KEY, is_elementwise=True)


def _key_of_parts(parts: pl.Series) -> pl.Series:
    """fast_key of the members of a struct; a run of members without any value is written as its separators at once.

    The key of a row that is not good may be null, so only members that some good row lacks are filled with empty text.
    """
    frame = parts.struct.unnest()
    good = frame.drop_in_place("good")
    pieces: list[pl.Expr] = []
    for is_absent, run in groupby(frame.columns, key=lambda name: frame[name].null_count() == frame.height):
        names = list(run)
        pieces += (
            [pl.lit(SEPARATOR * (len(names) - 1))] if is_absent else [_filled(frame[name], good) for name in names]
        )
    key = key_of(pl.concat_str(pieces, separator=SEPARATOR))
    return frame.select(key.alias(parts.name)).to_series()


def _filled(values: pl.Series, good: pl.Series) -> pl.Expr:
    text = pl.col(values.name).cast(pl.String)
    return text.fill_null("") if (values.is_null() & good).any() else text


def _sort_at(rules: Rules) -> pl.Expr:
    """The corrected time; for records minus the modification time, so that the newest version comes first.

    Of versions of one time the one with fewer events that still wait comes first: it was exported later. Rows of a summary come
    after all others, whatever their time.
    """
    if rules.is_record:
        return (pl.col("planned") - pl.col("modified_at").dt.timestamp("us")).fill_null(LONGEST)
    at = pl.col("occurred_at").dt.timestamp("us")
    return at + SUMMARY_FROM if rules.is_summary else at


def _tie() -> pl.Expr:
    """Order among rows of one time and content: by receipt, then by where the time comes from."""
    rank = pl.col("clock_source").replace_strict(
        CLOCK_SOURCES, range(len(CLOCK_SOURCES)), default=0, return_dtype=pl.Int64
    )
    received = pl.col("received_at").dt.timestamp("us") * 8 + rank * 2 + pl.col("is_clamped").cast(pl.Int64)
    return received.fill_null(LONGEST - 8 + rank)
