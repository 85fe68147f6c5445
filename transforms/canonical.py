"""Canonical rows: mapped fields as typed columns that mean the same for every source, with a verdict on each row."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Literal
from urllib.parse import unquote_plus

import phonenumbers
import polars as pl

from transforms.agents import agent_columns
from transforms.channel_rules import RULES
from transforms.contracts import IDENTIFIERS, KEY
from transforms.distinct import expr_per_distinct, per_distinct
from transforms.hashing import SEPARATOR, fast_key
from transforms.mapping import DATED, TIME_FIELDS, latest_instant

REASONS = (
    "encoding", "too_large", "parse_error", "wrong_columns", "missing_time", "bad_time", "future_time", "missing_identity",
    "type_conflict",
)  # fmt: skip
CLOCK_SOURCES = ("corrected", "declared", "created_at", "received_at")

JUNK = ("null", "undefined", "none", "nan", "n/a", "anonymous", "unknown", "guest", "[object object]", "-1")
JUNK_SHAPES = r"^(?:[0-]*0[0-]*|\{.*\}|\$\{.*\}|%.+%|<.*>)$"
REPEATED = 8
SALESFORCE_ID = r"^(?:001|003|006|00Q|500)[A-Za-z0-9]{12}$"
HAS_LETTER = "^.{3}.*[A-Za-z]"
SALESFORCE_FIELDS = ("crm_contact_id", "crm_lead_id", "account_id", "record_id")
SALESFORCE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

ADDRESS = (
    r"^(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#@]*@)?(?<host>[^/?#:]+)[^/?#]*)?(?<path>[^?#]*)(?:\?(?<query>[^#]*))?"
)
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


def canonical_rows(mapped: pl.LazyFrame, *, rules: Rules) -> pl.LazyFrame:
    """Type, normalise and judge what rows say.

    In:  mapped rows (transforms/mapping.py).
    Out: one row per row in: file, row, variant, text, whole, the canonical columns without source, row_key and file, `modified_at`,
         `evident_at`, `reason` and `field` (null for a good row; `blank` for a blank one), `content`, `sort_at`, `tie`.

    Sources: semantics.md §2 (clocks, content), §3 (reasons), §4 (values).
    """
    timed = mapped.with_columns(_identifiers(rules)).pipe(_with_clock).pipe(_with_address).pipe(agent_columns)
    valued = timed.with_columns(_plain_fields(rules)).pipe(_with_money, rules).with_columns(_verdict(rules))
    return valued.select(
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


def _identifiers(rules: Rules) -> list[pl.Expr]:
    found = [_identifier(name, rules) for name in (*IDENTIFIERS, "account_id", "record_id")]
    structured = [
        pl.when(_is_structured(name)).then(pl.lit(name)) for name in (*IDENTIFIERS, "record_id", "event_id", "event")
    ]
    wrong = pl.coalesce(structured) if rules.has_typed_values else pl.lit(None, pl.String)
    return [*found, wrong.alias("structured")]


def _is_structured(name: str) -> pl.Expr:
    """True where a JSON object or list stands for the text of one value."""
    return pl.col(name).str.contains(JSON_VALUE) & pl.col(name).str.contains(r"[\]}]\s*$")


def _identifier(name: str, rules: Rules) -> pl.Expr:
    if name in rules.dropped:
        return pl.lit(None, pl.String).alias(name)
    return _changed(name, partial(_normalised, name=name, rules=rules)).alias(name)


def _normalised(text: pl.Expr, *, name: str, rules: Rules) -> pl.Expr:
    value = text.str.strip_chars()
    value = pl.when(~is_junk(value, namespace=name, rules=rules)).then(value)
    if name == "email":
        value = per_distinct(value.str.to_lowercase(), lambda text: keyed(text, rules.hmac_key))
    if name == "phone":
        value = per_distinct(value, lambda text: _keyed_phone(text, rules))
    if name in rules.hidden:
        value = per_distinct(value, lambda text: keyed(text, rules.hmac_key))
    if name in SALESFORCE_FIELDS:
        short = pl.when(value.str.contains(SALESFORCE_ID) & value.str.contains(HAS_LETTER)).then(value)
        value = pl.coalesce(per_distinct(short, salesforce_id), value)
    return value


def is_junk(value: pl.Expr, *, namespace: str, rules: Rules) -> pl.Expr:
    """True for values that name nobody: null words, unresolved templates, all-zero ids, one character 8 times or more."""
    lower = value.str.to_lowercase()
    words = {*JUNK, *(word.lower() for key in ("all", namespace) for word in rules.junk.get(key, ()))}
    repeated = (value.str.len_chars() >= REPEATED) & (value.str.strip_chars(value.str.head(1)) == "")
    junk = (value == "") | lower.is_in(sorted(words)) | value.str.contains(JUNK_SHAPES) | repeated
    valid = [word for key in ("all", namespace) for word in rules.valid.get(key, ())]
    return junk & ~value.is_in(valid) if valid else junk


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


def _with_address(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Split addresses into host, path and campaign; no query is kept."""
    is_url = pl.col("url").is_not_null()
    address = expr_per_distinct(pl.coalesce("url", "path"), _address_parts(), schema=ADDRESS_PARTS)
    return (
        rows.with_columns(
            address.alias("address"), _changed("path", _without_query), _changed("referrer", _without_secrets)
        )
        .unnest("address")
        .with_columns(
            hostname=pl.coalesce(_clean_host(pl.col("hostname")), "address_host", pl.when(is_url).then("bare_host")),
            path=pl.coalesce(pl.when(is_url).then("path"), pl.when(is_url).then("bare_path"), "address_path"),
            **{name: pl.coalesce(name, f"query_{name}") for name in UTM},
        )
    )


ADDRESS_PARTS: dict[str, type[pl.DataType]] = dict.fromkeys(
    ("address_host", "address_path", "bare_host", "bare_path", "click_id", *(f"query_{name}" for name in UTM)),
    pl.String,
)


def _address_parts() -> dict[str, pl.Expr]:
    """The parts of an address; `bare_` ones where the host stands without the slashes before it."""
    address = pl.col("value").str.extract_groups(ADDRESS)
    host, path, query = (address.struct.field(name) for name in ("host", "path", "query"))
    bare = pl.when(host.is_null()).then(path)
    return {
        "address_host": _clean_host(host),
        "address_path": _rooted(path),
        "bare_host": _clean_host(bare.str.extract(BARE_HOST)),
        "bare_path": _rooted(bare.str.replace(BARE_HOST, "/")),
        "click_id": _click_parameter(query),
        **{f"query_{name}": _query_value(query, name) for name in UTM},
    }


def _click_parameter(query: pl.Expr) -> pl.Expr:
    """The name of the click parameter of a query, in lower case: the first of an ad, else the first of another kind."""
    ads = [name for name, click in RULES.click_ids.items() if click.kind == "ad"]
    others = [name for name in RULES.click_ids if name not in ads]
    found = [query.str.extract(rf"(?i)(?:^|&)({'|'.join(map(re.escape, names))})=[^&]") for names in (ads, others)]
    return pl.coalesce(*found).str.to_lowercase()


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


def _plain_fields(rules: Rules) -> list[pl.Expr]:
    internal = pl.col("hostname").is_in([host.lower() for host in rules.internal_hosts])
    texts = [pl.col(name).str.strip_chars() for name in ("event", "event_id", "object", "state", "visit_id")]
    return [
        *[pl.when(text != "").then(text) for text in texts],
        pl.col("seq").str.strip_chars().cast(pl.Int64, strict=False).alias("seq"),
        pl.col("seq").is_not_null().alias("seq:given"),
        pl.coalesce(_truth("is_bot"), "agent_is_bot", pl.lit(False)).alias("is_bot"),
        pl.coalesce(_truth("is_internal"), internal, pl.lit(False)).alias("is_internal"),
        *[
            (pl.col(name).is_not_null() & _truth(name).is_null()).alias(f"{name}:wrong")
            for name in ("is_bot", "is_internal")
        ],
        pl.coalesce(pl.col("device").str.strip_chars().str.to_lowercase(), "agent_device").alias("device"),
        pl.coalesce("browser", "agent_browser").alias("browser"),
    ]


def _truth(name: str) -> pl.Expr:
    return (
        pl.col(name).str.strip_chars().str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    )


def _with_money(rows: pl.LazyFrame, rules: Rules) -> pl.LazyFrame:
    """Money in minor units: decimals by the currency's ISO exponent; what is given back is negative."""
    given = pl.col("value").is_not_null() | pl.col("value_minor").is_not_null()
    currency = pl.col("currency").str.strip_chars().str.to_uppercase().fill_null(rules.currency)
    minor = _minor_units(pl.col("value").str.strip_chars(), pl.col("currency"))
    counted = pl.col("value_minor").str.strip_chars().cast(pl.Int64, strict=False)
    amount = pl.coalesce(counted, pl.when(minor.abs() < GREATEST_MINOR).then(minor))
    amount = pl.when(pl.col("event") == "order_returned").then(-amount.abs()).otherwise(amount)
    known = pl.col("value_minor").is_not_null()
    return (
        rows.with_columns(currency=pl.when(given).then(currency), money_given=given)
        .with_columns(value_minor=amount)
        .with_columns(
            (pl.col("money_given") & ~known).alias("value:wrong"),
            (known & ~pl.col("currency").str.contains("^[A-Z]{3}$")).alias("currency:wrong"),
            currency=pl.when(known).then("currency"),
        )
    )


def _minor_units(value: pl.Expr, currency: pl.Expr) -> pl.Expr:
    """Text of an amount in minor units; each distinct text is read once."""
    exponents = {f"by_{exponent}": exponent for exponent in sorted({2, *EXPONENTS.values()})}
    text = pl.col("value")
    read = {
        name: pl.coalesce(_exact_minor(text, exponent), _rounded_minor(text, exponent))
        for name, exponent in exponents.items()
    }
    amounts = expr_per_distinct(value, read, schema=dict.fromkeys(exponents, pl.Int64))
    exponent_of = currency.replace_strict(EXPONENTS, default=2, return_dtype=pl.Int64)
    return pl.coalesce(
        pl.when(exponent_of == exponent).then(amounts.struct.field(name)) for name, exponent in exponents.items()
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


def _verdict(rules: Rules) -> list[pl.Expr]:
    """Why a row cannot be used, the first reason that applies, and the field concerned."""
    is_event = pl.col("variant") > 0
    unread = pl.coalesce(
        pl.when(pl.col(f"{name}:given") & pl.col(_read(name)).is_null()).then(pl.lit(name)) for name in DATED
    )
    untimed = is_event & ~pl.any_horizontal(f"{name}:given" for name in TIME_FIELDS if name != "sent_at")
    future = is_event & pl.col("received_at").is_null() & (pl.col("occurred_at") > latest_instant(rules.complete_to))
    conflict = _conflict(rules, is_event)
    problem = pl.col("problem")
    early = pl.when(~problem.str.starts_with("type_conflict")).then(problem)
    reason = pl.coalesce(
        early.str.extract("^([a-z_]+)"),
        pl.when(untimed).then(pl.lit("missing_time")),
        pl.when(unread.is_not_null()).then(pl.lit("bad_time")),
        pl.when(future).then(pl.lit("future_time")),
        pl.when(_nobody(rules, is_event) & pl.col("structured").is_null()).then(pl.lit("missing_identity")),
        pl.when(conflict.is_not_null() | problem.is_not_null()).then(pl.lit("type_conflict")),
    )
    concerned = pl.coalesce(
        early.str.extract(":(.*)$"),
        pl.when(early.is_not_null()).then(pl.lit("")),
        pl.when(untimed).then(pl.lit("occurred_at")),
        unread,
        pl.when(future).then(pl.lit("occurred_at")),
        pl.when(_nobody(rules, is_event) & pl.col("structured").is_null()).then(
            pl.lit("record_id" if rules.is_record else "")
        ),
        conflict,
        problem.str.extract(":(.*)$"),
    )
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


def _conflict(rules: Rules, is_event: pl.Expr) -> pl.Expr:
    """The first field whose value is not of its type."""
    wrong = {
        "event": is_event & pl.col("event").is_null(),
        "seq": pl.col("seq:given") & pl.col("seq").is_null(),
        **{name: pl.col(f"{name}:wrong") for name in ("value", "currency", "is_bot", "is_internal")},
        **({"whole": is_event & pl.col("whole").is_null()} if rules.is_part else {}),
    }
    return pl.coalesce("structured", *[pl.when(test).then(pl.lit(name)) for name, test in wrong.items()])


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
    numbered = pl.struct(part.alias(str(number)) for number, part in enumerate(parts))
    return numbered.map_batches(_key_of_parts, return_dtype=KEY, is_elementwise=True)


def _key_of_parts(parts: pl.Series) -> pl.Series:
    """fast_key of the members of a struct; a run of members without any value is written as its separators at once."""
    frame = parts.struct.unnest()
    pieces: list[pl.Expr] = []
    for is_absent, run in groupby(frame.columns, key=lambda name: frame[name].null_count() == frame.height):
        names = list(run)
        pieces += [pl.lit(SEPARATOR * (len(names) - 1))] if is_absent else [pl.col(name) for name in names]
    return frame.select(fast_key(*pieces).alias(parts.name)).to_series()


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
