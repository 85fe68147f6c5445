"""Guessing: what unknown files are, from their first rows, as the sources of a first journey.yaml."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import readers
from pipelines.errors import DataError, UnreadableFile
from pipelines.readers.native import COMPRESSED
from pipelines.readers.text import blocks, lines_of
from transforms.mapping import PERSONAL, Source, Wanted
from transforms.times import parsed_times

SAMPLED = 1_000
DEEPEST = 3
SNIFFED_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")
ENOUGH = 0.9
OWN_SHARE = 0.1
TITLES = 10

SYNONYMS: dict[str, tuple[str, ...]] = {
    "event_id": ("eventid", "messageid", "hitid", "uuid", "guid", "id", "orderid", "orderno", "ordernumber", "transactionid", "rowid"),
    "event": ("event", "eventname", "eventtype", "action", "activity", "activitytype", "type", "name"),
    "occurred_at": (
        "occurredat", "timestamp", "eventtime", "eventtimestamp", "time", "datetime", "ts", "createdat", "orderedat", "orderdate",
        "date", "created", "eventdate", "purchasedat", "purchasedate", "createddate", "transactiontimestamp", "day",
    ),
    "user_id": ("userid", "customerid", "customerno", "customernumber", "memberid", "user", "customer", "clientnumber", "householdid", "uid"),
    "anonymous_id": ("anonymousid", "anonid", "cookieid", "cookie", "visitorid", "clientid", "distinctid", "fullvisitorid"),
    "device_id": ("deviceid", "device_id", "idfa", "gaid"),
    "email": ("email", "mail", "emailaddress", "customeremail", "useremail", "invoicemail"),
    "phone": ("phone", "phonenumber", "mobile", "mobilephone", "telephone"),
    "account_id": ("accountid", "companyid", "organizationid", "organisationid", "groupid", "account", "company"),
    "visit_id": ("sessionid", "visitid", "session"),
    "url": ("url", "pageurl", "pagelocation", "currenturl", "href"),
    "path": ("path", "pagepath", "page", "urlpath"),
    "hostname": ("hostname", "host"),
    "title": ("title", "pagetitle"),
    "referrer": ("referrer", "referer", "pagereferrer"),
    "utm_source": ("utmsource", "trafficsource", "campaignsource"),
    "utm_medium": ("utmmedium", "campaignmedium"),
    "utm_campaign": ("utmcampaign", "campaign", "campaignname"),
    "user_agent": ("useragent", "agent"),
    "device": ("devicetype", "devicecategory", "device"),
    "browser": ("browser", "browsername"),
    "country": ("country", "countrycode"),
    "value": ("value", "total", "amount", "revenue", "ordertotal", "grandtotal", "totalprice", "salesvalue", "price"),
    "currency": ("currency", "currencycode"),
}  # fmt: skip
WHO = ("user_id", "email", "phone", "anonymous_id", "device_id")
TELLING = (
    r"name|mail|phone|mobile|street|address|city|zip|postal|birth|ssn|passw|token|secret|iban|card|^ip$|_ip$|ip_|clientip|"
    r"note|comment|message|text|body|subject|description|review|remark|memo|feedback|answer"
)
LINES = {"row": pl.Int64, "text": pl.String, "problem": pl.String}
FORMATS = ("iso", "epoch_s", "epoch_ms", "epoch_us", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y %H:%M:%S",
           "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d")  # fmt: skip


@dataclass(frozen=True)
class Sniffed:
    """A file's kind, how its fields are parted, and its first rows: a text column for each column or nested path."""

    path: Path
    kind: str
    rows: pl.DataFrame
    delimiter: str = ","


@dataclass(frozen=True)
class Guess:
    """What a file seems to be: a format of journey.yaml, of which table, and what else has to be said."""

    path: Path
    format: str
    table: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    hosts: Mapping[str, int] = field(default_factory=dict)
    currencies: Mapping[str, int] = field(default_factory=dict)


def guess(path: Path) -> Guess:
    """What a file is; raises UnreadableFile when it is nothing that can be read."""
    sniffed = sniff(path)
    found = _known_product(sniffed) or _by_columns(sniffed)
    return replace(found, hosts=_hosts(sniffed.rows), currencies=_currencies(sniffed.rows))


def currency(guesses: Iterable[Guess]) -> str | None:
    """The currency that most rows with one name; None when none does."""
    seen: Counter[str] = Counter()
    for found in guesses:
        seen.update(found.currencies)
    return seen.most_common(1)[0][0] if seen else None


def _currencies(rows: pl.DataFrame) -> dict[str, int]:
    """Rows by the currency that they name."""
    named = [name for name in rows.columns if _plain(name.rsplit(".", 1)[-1]) in SYNONYMS["currency"]]
    seen: Counter[str] = Counter()
    for name in named:
        codes = rows[name].str.strip_chars().str.to_uppercase().drop_nulls()
        seen.update(codes.filter(codes.str.contains("^[A-Z]{3}$")).to_list())
    return dict(seen)


def own_hosts(guesses: Iterable[Guess]) -> list[str]:
    """The hosts of most pages in the files: those of the business, most frequent first."""
    seen: Counter[str] = Counter()
    for found in guesses:
        seen.update(found.hosts)
    return [host for host, pages in seen.most_common(5) if pages >= OWN_SHARE * seen.total()]


def _hosts(rows: pl.DataFrame) -> dict[str, int]:
    """Pages by host, from the columns named like the address of a page."""
    named = [
        name
        for name in rows.columns
        if _plain(name.rsplit(".", 1)[-1]) in SYNONYMS["url"] or "page_url" in name.lower()
    ]
    hosts = (
        pl.concat([rows[name].str.extract(r"^https?://([^/:?#]+)").str.to_lowercase().alias("host") for name in named])
        if named
        else None
    )
    return {} if hosts is None else dict(hosts.drop_nulls().value_counts().iter_rows())


def files_below(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those in the folders named, hidden ones left out; raises DataError for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist; name the files of your export, or their folder")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [file for file in inside if file.is_file() and not file.name.startswith(".")]
    return found


# ---------------------------------------------------------------- looking at a file


def sniff(path: Path) -> Sniffed:
    """The kind of a file and its first rows; raises UnreadableFile."""
    if _bare_name(path).endswith(".parquet"):
        return Sniffed(path, "parquet", _parquet(path))
    lines = _first_lines(path)
    told = [line for line in lines if line.strip()]
    if not told:
        raise UnreadableFile("it is empty")
    objects = [item for item in map(_object, told) if item is not None]
    if len(objects) * 2 > len(told):
        return Sniffed(path, "ndjson", _table([dict(_flat(item)) for item in objects]))
    delimiter, titles = _delimiter(told)
    if not delimiter or _of_native_lines(told) or _of_native_width(told):
        return Sniffed(path, "lines", pl.DataFrame({"line": told}))
    return Sniffed(path, "tsv" if delimiter == "\t" else "csv", _records(told[titles:], delimiter), delimiter)


def _first_lines(path: Path) -> list[str]:
    block = next(blocks(path, size=SNIFFED_BYTES), b"")
    return lines_of(block)["text"].head(SAMPLED).to_list()


def _object(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _flat(item: Mapping[str, Any], above: str = "", depth: int = 1) -> Iterator[tuple[str, str | None]]:
    """Values by dotted path, as text; objects that lie too deep as JSON."""
    for key, value in item.items():
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _flat(value, f"{above}{key}.", depth + 1)
        else:
            text = value if isinstance(value, str) else json.dumps(value) if value is not None else None
            yield f"{above}{key}", text


def _table(rows: list[dict[str, str | None]]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    )


def _delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """The delimiter that parts most lines into as many fields, and into most, and how many title lines stand above; "" for none."""
    best = (0, "", 0)
    for delimiter in DELIMITERS:
        counts = [_width(line, delimiter) - 1 for line in lines]
        fields = max(Counter(filter(None, counts)).items(), key=lambda item: (item[1], item[0]), default=(0, 0))[0]
        titles = next((place for place, count in enumerate(counts) if count >= fields), 0)
        is_alike = titles <= TITLES and sum(count >= fields for count in counts[titles:]) * 2 > (len(counts) - titles)
        if is_alike and fields > best[0]:
            best = (fields, delimiter, titles)
    return best[1:]


def _width(line: str, delimiter: str) -> int:
    """How many fields a line has; one that cannot be taken apart is one."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 1


def _of_native_lines(lines: Sequence[str]) -> str | None:
    """The format that can take most of the lines apart, such as the log of a web server."""
    rows = pl.DataFrame({"row": range(len(lines)), "text": lines, "problem": None}, schema=LINES)
    for native in readers.NATIVE.values():
        if native.reads == ("lines",) and native.derive(rows)["problem"].null_count() >= ENOUGH * len(lines):
            return native.name
    return None


def _of_native_width(lines: Sequence[str]) -> str | None:
    """The format without a header that has as many columns as most of the lines."""
    widths = Counter(line.count("\t") + 1 for line in lines)
    for native in readers.NATIVE.values():
        columns = (native.mapping("") or {}).get("columns", ())
        if columns and "tsv" in native.reads and widths[len(columns)] >= ENOUGH * len(lines):
            return native.name
    return None


def _records(lines: Sequence[str], delimiter: str) -> pl.DataFrame:
    """The records of a table, the first of which names the columns; raises UnreadableFile for one without rows."""
    try:
        header, *records = csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise UnreadableFile(f"its fields cannot be told apart ({error})") from error
    names = [name.strip() for name in header]
    rows = [dict(zip(names, record, strict=True)) for record in records if len(record) == len(names)]
    if not rows:
        raise UnreadableFile("it has no rows")
    return _table([{name: value for name, value in row.items() if name} for row in rows])


def _parquet(path: Path) -> pl.DataFrame:
    """The first rows of a Parquet file as text; raises UnreadableFile."""
    source = Source.model_validate({"format": "parquet", "files": "x", "fields": {"event": {"value": "x"}}})
    columns = readers.columns_of(path, source) or []
    part = next(readers.read(path, source, Wanted(tuple(columns))), None)
    if part is None:
        raise UnreadableFile("it has no rows")
    named = part.filter(pl.col("problem").is_null()).head(SAMPLED).select(f"raw:{column}" for column in columns)
    return named.rename(lambda name: name.removeprefix("raw:"))


def _bare_name(path: Path) -> str:
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name


# ---------------------------------------------------------------- formats of known products


def _known_product(sniffed: Sniffed) -> Guess | None:
    """The format and table whose marks the columns bear; of several, the one that knows most of the columns."""
    if sniffed.kind == "lines":
        lines = sniffed.rows["line"].to_list()
        name = _of_native_lines(lines) or _of_native_width(lines)
        return Guess(sniffed.path, name) if name else None
    columns = {_plain(name) for name in sniffed.rows.columns}
    columns |= {_plain(name.split(".")[0]) for name in sniffed.rows.columns}
    found = [
        (_known_share(native, table, columns), native.name, table)
        for native in readers.NATIVE.values()
        for table, marks in native.marks.items()
        if sniffed.kind in native.reads and any(set(map(_plain, all_of)) <= columns for all_of in marks)
    ]
    if not found:
        return None
    _, format, table = max(found)
    said = {"delimiter": sniffed.delimiter} if sniffed.kind == "csv" and sniffed.delimiter != "," else {}
    return Guess(sniffed.path, format, table, said)


def _known_share(native: readers.Native, table: str, columns: set[str]) -> float:
    """The share of the columns that the format's mapping of a table names."""
    mapping = native.mapping(table) or {}
    known = {_plain(str(name)) for said in ("aliases", "fields") for name in _names(mapping.get(said, {}))}
    known |= {_plain(str(name)) for name in mapping.get("aliases", ())}
    return len(columns & known) / max(1, len(columns))


def _names(said: Any) -> Iterator[str]:
    """All texts inside a mapping."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for item in said.values():
            yield from _names(item)
    elif isinstance(said, list | tuple):
        for item in said:
            yield from _names(item)


# ---------------------------------------------------------------- files of nobody's making


def _by_columns(sniffed: Sniffed) -> Guess:
    """A mapping by the names of the columns, as far as their values agree; raises UnreadableFile without a time or anybody."""
    if sniffed.kind == "lines":
        raise UnreadableFile("its lines are neither JSON objects, nor a table, nor those of a format that is known")
    fields: dict[str, Any] = {}
    for name in SYNONYMS:
        column = _column_for(name, sniffed.rows, taken=set(_names(fields)))
        if column is not None:
            fields[name] = column
    doubts: list[str] = []
    told = _time_format(sniffed.rows, fields.pop("occurred_at", None))
    if told is None:
        raise UnreadableFile(f"no column with a time; it has: {', '.join(sniffed.rows.columns)[:300]}")
    column, format = told
    fields["occurred_at"] = column if format == "iso" else {"from": column, "format": format}
    if "%d/%m" in format or "%m/%d" in format:
        doubts.append(f"{column} is read as {format}: day and month may stand the other way round")
    if "event" not in fields:
        fields["event"] = {"value": _event_of(sniffed.path)}
        doubts.append(f"no column names the event; each row is taken for '{fields['event']['value']}'")
    if not any(name in fields for name in WHO):
        doubts.append("no column names a customer; map one of user_id, email, anonymous_id")
    said: dict[str, Any] = {"fields": _ordered(fields)}
    if sniffed.kind == "csv" and sniffed.delimiter != ",":
        said["delimiter"] = sniffed.delimiter
    if "anonymous_id" not in fields and "url" not in fields and "path" not in fields:
        said["kind"] = "crm"
    properties = [name for name in sniffed.rows.columns if _may_be_kept(name, sniffed.rows[name], fields)]
    if properties:
        said["properties"] = properties
    return Guess(sniffed.path, sniffed.kind, "", said, tuple(doubts))


def _column_for(field_name: str, rows: pl.DataFrame, *, taken: set[str]) -> str | None:
    """The column whose name says the field, by the order of the names; one without values says nothing."""
    plain = {_plain(name): name for name in reversed(rows.columns) if name not in taken}
    ends = {_plain(name.rsplit(".", 1)[-1]): name for name in reversed(rows.columns) if name not in taken}
    for synonym in SYNONYMS[field_name]:
        column = plain.get(synonym) or ends.get(synonym)
        if column is not None and rows[column].null_count() < rows.height and _fits(field_name, rows[column]):
            return column
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _fits(field_name: str, values: pl.Series) -> bool:
    """False where the values speak against the name."""
    told = values.drop_nulls().filter(values.drop_nulls() != "")
    if told.is_empty():
        return False
    if field_name == "value":
        return told.cast(pl.Float64, strict=False).null_count() == 0
    if field_name == "email":
        return told.str.contains("@", literal=True).sum() >= ENOUGH * told.len()
    if field_name == "event":
        return told.n_unique() <= max(50, told.len() // 5)
    if field_name == "event_id":
        return told.n_unique() == told.len()
    if field_name in ("user_id", "anonymous_id", "device_id", "account_id"):
        return not told.str.contains("@", literal=True).any()
    return True


def _time_format(rows: pl.DataFrame, first: str | None) -> tuple[str, str] | None:
    """A column that holds times, the one named like a time first, and their format."""
    named = [name for name in rows.columns if re.search(r"(time|date|datum|_at$|at$|_on$|day|ts$)", name.lower())]
    for column in dict.fromkeys([*([first] if first else []), *named, *rows.columns]):
        told = rows.select(pl.col(column).str.strip_chars().alias("text")).filter(pl.col("text") != "")
        may_be_number = column == first or column in named
        for format in FORMATS if may_be_number else [format for format in FORMATS if "epoch" not in format]:
            read = told.select(parsed_times(pl.col("text"), format=format, zone="UTC", date_zone="UTC").alias("time"))[
                "time"
            ]
            if told.height and read.drop_nulls().len() >= ENOUGH * told.height and _is_recent(read):
                return column, format
    return None


def _is_recent(times: pl.Series) -> bool:
    """True when most of the times lie in the age of the web."""
    return bool(times.drop_nulls().dt.year().is_between(1990, 2100).all())


def _event_of(path: Path) -> str:
    words = re.sub(r"[^a-z]+", "_", _bare_name(path).rsplit(".", 1)[0].lower()).strip("_")
    return "order_placed" if re.search(r"order|purchase|transaction|sale", words) else words or "event"


def _may_be_kept(name: str, values: pl.Series, fields: Mapping[str, Any]) -> bool:
    """True for a column that is not mapped, and whose name and values do not speak of a person: no names, no free text."""
    if name in set(_names(fields)) or name.lower() in PERSONAL or re.search(TELLING, name.lower()):
        return False
    told = values.drop_nulls()
    return not told.str.contains(r"@|^[\[{]|^\+?[0-9][0-9 ()/-]{8,}$|^[0-9]{1,3}(\.[0-9]{1,3}){3}$").any() and not (
        told.str.contains(r"\S+ \S+ \S+ \S+ \S+").any()
    )


def _ordered(fields: Mapping[str, Any]) -> dict[str, Any]:
    order = ["event_id", "event", "occurred_at", *SYNONYMS]
    return {name: fields[name] for name in dict.fromkeys(order) if name in fields}


# ---------------------------------------------------------------- from guesses to sources


@dataclass(frozen=True)
class Planned:
    """A source of journey.yaml, and where each of its files is to land."""

    name: str
    said: dict[str, Any]
    files: list[tuple[Path, str]]
    doubts: list[str]


def planned(guesses: Sequence[Guess]) -> list[Planned]:
    """Sources for files: one a product, and one for each set of files that are read alike."""
    ordered = sorted(guesses, key=_group)
    plans: list[Planned] = []
    for _, alike in groupby(ordered, key=_group):
        plans.append(_plan(list(alike), {plan.name for plan in plans}))
    return plans


def _group(item: Guess) -> tuple[str, str]:
    if item.format in readers.NATIVE:
        return item.format, json.dumps(item.said, sort_keys=True)
    return item.format, json.dumps([item.said, _stem(item.path)], sort_keys=True)


def _plan(alike: list[Guess], taken: set[str]) -> Planned:
    first = alike[0]
    name = _free(first.format if first.format in readers.NATIVE else _stem(first.path), taken)
    landed = [(item.path, "/".join(part for part in (name, item.table, item.path.name) if part)) for item in alike]
    tables = sorted({item.table for item in alike})
    patterns: Any = {table: f"{name}/{table}/*" for table in tables} if tables != [""] else f"{name}/*"
    said = {"format": first.format, "files": patterns, **first.said}
    return Planned(name, said, landed, sorted({doubt for item in alike for doubt in item.doubts}))


def _stem(path: Path) -> str:
    """A file's name without endings, dates and numbers: orders_2026-01.csv.gz is orders."""
    return re.sub(r"[^a-z]+", "_", _bare_name(path).split(".")[0].lower()).strip("_") or "events"


def _free(name: str, taken: set[str]) -> str:
    return next(free for free in (name, *(f"{name}_{number}" for number in range(2, 1_000))) if free not in taken)
