"""Access logs of web servers: Apache's and nginx's combined format, the common one, and both with a host before them."""

import re
from typing import Any

import polars as pl

from pipelines.readers.native import Native
from transforms.distinct import per_distinct
from transforms.mapping import json_object, json_text

IP = r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+"
QUOTED = r'(?:[^"\\]|\\.)*'
LINE = (
    rf"^(?:(?<vhost>\S+) (?<client>{IP})|(?<address>\S+)) \S+ (?<user>.*?) \[(?<time>[^\]]*)\] "
    rf'"(?<request>{QUOTED})" (?<status>\d{{3}}|-) (?<bytes>\d+|-)'
    rf'(?: "(?<referrer>{QUOTED})" "(?<agent>{QUOTED})")?(?<rest>(?: +(?:[^\s"]*"{QUOTED}"|[^\s"]+))*)\s*$'
)
REQUEST = r"^(?<method>[A-Z][A-Z_-]*) (?<target>.+?)(?: (?<protocol>HTTP/[0-9.]+))?$"
FORWARDED = rf'^ +"((?:{IP}))(?::\d+)?(?: *,[^"]*)?"'
WHOLE_ADDRESS = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?<host>[^/?#]*)(?<path>.*)$"
EXTENSION = r"\.([a-z0-9]{1,11})$"
ROBOTS_FILE = "/robots.txt"
SERVICE_FILES = "/.well-known/"
NO_ADDRESS = ("-", "unix:", "")

ASSETS = (
    "css", "js", "mjs", "map", "wasm", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "woff", "woff2", "ttf",
    "otf", "eot", "mp4", "webm", "m3u8", "mp3", "ogg", "wav", "json", "xml", "txt", "webmanifest",
)  # fmt: skip
DOWNLOADS = (
    "pdf", "epub", "csv", "doc", "docx", "odt", "xls", "xlsx", "ods", "ppt", "pptx", "zip", "gz", "tgz", "bz2", "xz", "7z", "rar",
    "exe", "msi", "dmg", "pkg", "deb", "rpm", "apk", "iso", "ics",
)  # fmt: skip
SHOWN = ("200", "203", "304")
GONE = ("404", "410")
REFUSED = ("401", "403", "429", "451")

MAPPING: dict[str, Any] = {
    "kind": "web",
    "fields": {
        "event": "@event",
        "occurred_at": {"from": "@time", "format": "%d/%b/%Y:%H:%M:%S %z"},
        "anonymous_id": "@visitor",
        "user_id": "@user",
        "email": "@mail",
        "hostname": "@host",
        "path": "@target",
        "referrer": "@referrer",
        "user_agent": "@agent",
        "is_bot": "@is_bot",
    },
    "properties": "*",
    "pii": {"anonymous_id": "hmac"},
}


def derive(rows: pl.DataFrame) -> pl.DataFrame:
    """Take the lines apart.

    In:  row, text, problem.
    Out: the same rows with `raw:@name` for the names of MAPPING, and json:* with method, status, bytes and protocol; a line
         of another form gets the problem parse_error.
    """
    usable = pl.when(pl.col("problem").is_null()).then("text")
    lines = rows.select(line=usable.str.extract_groups(LINE)).unnest("line")
    asked = lines.select(
        _unescaped(pl.col("request")).str.extract_groups(REQUEST).alias("request"),
        pl.coalesce(pl.col("rest").str.extract(FORWARDED), "client", "address").str.to_lowercase().alias("address"),
        _said("user").alias("user"),
        _said("agent").fill_null("").alias("agent"),
        _said("referrer").alias("referrer"),
        pl.col("vhost").str.replace(r":\d*$", "").alias("vhost"),
        pl.col("agent").is_not_null().alias("tells_agent"),
        pl.col("time", "status", "bytes"),
    ).unnest("request")
    placed = asked.with_columns(whole=pl.col("target").str.extract_groups(WHOLE_ADDRESS)).unnest("whole")
    placed = placed.with_columns(
        host=pl.coalesce("vhost", pl.when(pl.col("host") != "").then(pl.col("host").str.replace(r":\d*$", ""))),
        target=_rooted(pl.coalesce("path", "target")),
    ).with_columns(page=pl.col("target").str.replace(r"[?#].*$", "").str.to_lowercase())
    columns = placed.select(
        pl.when(pl.col("time").is_not_null()).then(_event()).alias("raw:@event"),
        pl.col("time").alias("raw:@time"),
        _visitor().alias("raw:@visitor"),
        pl.when(~_is_mail()).then("user").alias("raw:@user"),
        pl.when(_is_mail()).then("user").alias("raw:@mail"),
        pl.col("host").alias("raw:@host"),
        pl.col("target").alias("raw:@target"),
        pl.col("referrer").alias("raw:@referrer"),
        pl.when(pl.col("agent") != "").then("agent").alias("raw:@agent"),
        pl.when(_is_surely_a_robot()).then(pl.lit("true")).alias("raw:@is_bot"),
        _properties().alias("json:*"),
    )
    is_other = pl.col("problem").is_null() & pl.col("raw:@time").is_null()
    whole = rows.hstack(columns)
    return whole.with_columns(problem=pl.when(is_other).then(pl.lit("parse_error")).otherwise("problem"))


def _said(name: str) -> pl.Expr:
    """A field without its escapes; null for the dash and for an empty one."""
    text = _unescaped(pl.col(name))
    return pl.when(~text.is_in(["-", "", '""'])).then(text)


def _unescaped(text: pl.Expr) -> pl.Expr:
    escaped = pl.when(text.str.contains("\\", literal=True)).then(text)
    return pl.coalesce(per_distinct(escaped, unescaped), text)


def unescaped(text: str) -> str:
    r"""The text that a server wrote with escapes: \" and \\, and \xHH for bytes of UTF-8."""
    plain = {"n": b"\n", "t": b"\t", "r": b"\r", "b": b"\b", "v": b"\v", "f": b"\f"}

    def byte(found: re.Match[bytes]) -> bytes:
        code = found[1].decode("latin-1")
        return bytes.fromhex(code[1:]) if len(code) == 3 else plain.get(code, found[1])

    return re.sub(rb"\\(x[0-9A-Fa-f]{2}|.)", byte, text.encode()).decode("utf-8", "replace")


def _rooted(target: pl.Expr) -> pl.Expr:
    """The path and query asked for, with one slash before it; null for what is no path (`*`, a host to connect to)."""
    rooted = pl.when(target == "").then(pl.lit("/")).otherwise(target.str.replace("^/+", "/"))
    return pl.when(rooted.str.contains(r"^[/?]")).then(rooted)


def _visitor() -> pl.Expr:
    """Address and agent, which together stand for a browser; canonical rows hold their keyed hash."""
    known = ~pl.col("address").is_in(list(NO_ADDRESS))
    return pl.when(known).then(pl.concat_str("address", pl.lit(" "), "agent"))


def _is_mail() -> pl.Expr:
    return pl.col("user").str.contains("@", literal=True)


def _is_surely_a_robot() -> pl.Expr:
    """True for who reads the rules for robots, or hides the name of the program where logs tell it."""
    return (pl.col("page") == ROBOTS_FILE) | (pl.col("tells_agent") & (pl.col("agent") == ""))


def _event() -> pl.Expr:
    """What a request was: the answer to a page that somebody asked for, or the work of a program."""
    extension = pl.col("page").str.extract(EXTENSION)
    is_asset = extension.is_in(list(ASSETS)) | pl.col("page").str.starts_with(SERVICE_FILES)
    is_get, status = pl.col("method") == "GET", pl.col("status")
    return (
        pl.when(pl.col("method").is_in(["GET", "HEAD"]) & is_asset)
        .then(pl.lit("asset_request"))
        .when(is_get & status.is_in(list(SHOWN)) & extension.is_in(list(DOWNLOADS)))
        .then(pl.lit("content_downloaded"))
        .when(is_get & status.is_in(list(SHOWN)))
        .then(pl.lit("page_view"))
        .when(is_get & status.str.starts_with("3"))
        .then(pl.lit("http_redirect"))
        .when(is_get & status.is_in(list(GONE)))
        .then(pl.lit("page_not_found"))
        .when(is_get & status.is_in(list(REFUSED)))
        .then(pl.lit("page_refused"))
        .when(is_get & status.str.starts_with("5"))
        .then(pl.lit("page_error"))
        .otherwise(pl.lit("http_request"))
    )


def _properties() -> pl.Expr:
    numbers = {name: pl.col(name).str.extract(r"^0*(\d+)$") for name in ("status", "bytes")}
    texts = {name: json_text(pl.col(name)) for name in ("method", "protocol")}
    return json_object({**texts, **numbers})


ACCESS_LOG = Native(
    name="access_log",
    version=1,
    reads=("lines",),
    mappings={"": MAPPING},
    derived={spec if isinstance(spec, str) else spec["from"]: () for spec in MAPPING["fields"].values()} | {"*": ()},
    derive=derive,
)
