"""Channels: how a customer came with an event, by GA4's default channel groups.

The rules (groups in their published order, lists of sites, click parameters, media of contacts) are data with a
version: `transforms/rules/channels.json`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib import resources
from typing import Any

import polars as pl

from transforms.kernels import distinct_rows

RULES: dict[str, Any] = json.loads(resources.files("transforms").joinpath("rules", "channels.json").read_text("utf-8"))
RULES_VERSION: str = RULES["version"]
DIRECT = "Direct"
UNASSIGNED = "Unassigned"
CHANNELS: tuple[str, ...] = (*(group["channel"] for group in RULES["groups"]), UNASSIGNED)
ANSWERED_CONTACTS: tuple[str, ...] = tuple(RULES["contacts"]["answered"])

ARRIVAL = ("given_channel", "utm_source", "utm_medium", "utm_campaign", "click_id", "referrer", "hostname")


def with_own_channel(events: pl.LazyFrame, *, own_hosts: Sequence[str]) -> pl.LazyFrame:
    """Say how the customer came with each event.

    In:  the columns of `ARRIVAL`, and any others.
    Out: the same rows, in the same order, and `own_channel`; null where nothing says how they came.
    """
    schema = {**events.collect_schema(), "own_channel": pl.String()}
    return events.map_batches(partial(_add_own_channel, own_hosts=own_hosts), schema=schema)


def _add_own_channel(events: pl.DataFrame, *, own_hosts: Sequence[str]) -> pl.DataFrame:
    arrivals, place = distinct_rows(events.select(ARRIVAL))
    channels = classify(arrivals.lazy(), own_hosts=own_hosts).collect(engine="in-memory")["own_channel"]
    return events.with_columns(own_channel=channels.gather(place))


def classify(arrivals: pl.LazyFrame, *, own_hosts: Sequence[str]) -> pl.LazyFrame:
    """The channel of each way of arriving.

    In:  the columns of `ARRIVAL`.
    Out: these, and `own_channel`: the channel the source gives; else the default group of source, medium and campaign,
         where each is the address's own, else what its click parameter says, else what its referrer says. Null where
         there is no campaign data, and no referrer but the page's own host or `own_hosts` (with what lies below them).
    """
    click = _text("click_id")
    host = external_host(pl.col("referrer"), hostname=pl.col("hostname"), own_hosts=own_hosts)
    medium_of_host = pl.when(_text("utm_source").is_null() & click.is_null()).then(_medium_of_site(pl.col("said_host")))
    says_something = pl.any_horizontal(pl.col("said_source", "said_medium", "said_campaign").is_not_null())
    group = default_group(source=pl.col("said_source"), medium=pl.col("said_medium"), campaign=pl.col("said_campaign"))
    given = pl.col("given_channel").str.strip_chars()
    return (
        arrivals.with_columns(said_host=host, said_campaign=_text("utm_campaign"))
        .with_columns(
            said_source=pl.coalesce(_text("utm_source"), _said_by_click(click, "source"), "said_host"),
            said_medium=pl.coalesce(_text("utm_medium"), _said_by_click(click, "medium"), medium_of_host),
        )
        .with_columns(own_channel=pl.coalesce(pl.when(given != "").then(given), pl.when(says_something).then(group)))
        .select(*ARRIVAL, "own_channel")
    )


def default_group(*, source: pl.Expr, medium: pl.Expr, campaign: pl.Expr) -> pl.Expr:
    """GA4's default channel group of a source, medium and campaign, all in lower case; Unassigned where no group holds.

    Source: the page named in the rules (`published`), channels for manual traffic.
    """
    texts = {"source": source, "medium": medium, "campaign": campaign}
    groups = [pl.when(_holds(group, texts)).then(pl.lit(group["channel"])) for group in RULES["groups"]]
    return pl.coalesce(*groups, pl.lit(UNASSIGNED))


def source_is(source: pl.Expr, kind: str) -> pl.Expr:
    """True where the source is a site of a kind: search, social, video, shopping or assistant; never null.

    A site is listed by its names, its hosts (and what lies below them), or its brand under any country.
    """
    sites = RULES["sources"][kind]
    name, host, brand = ("|".join(re.escape(entry) for entry in sites[part]) for part in ("names", "hosts", "brands"))
    patterns = [rf"^(?:{name})$", rf"(?:^|\.)(?:{host})$"]
    if brand:
        patterns.append(rf"^(?:(?:m|mobile|[a-z]{{2}})\.)?(?:{brand})\.(?:com?\.)?[a-z]{{2,3}}$")
    return source.str.replace(r"^www\.", "").str.contains("|".join(patterns)).fill_null(False)


def external_host(referrer: pl.Expr, *, hostname: pl.Expr, own_hosts: Iterable[str]) -> pl.Expr:
    """The host of a referrer in lower case without `www.`, null where it is missing or the business's own."""
    host = _bare_host(referrer.str.extract(r"^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://)?(?:[^/@?#]*@)?([^/:?#\s]+)"))
    own = sorted(re.escape(name.lower().removeprefix("*.").removeprefix("www.")) for name in own_hosts)
    is_own = (host == _bare_host(hostname)).fill_null(False)
    if own:
        is_own = is_own | host.str.contains(rf"(^|\.)({'|'.join(own)})$").fill_null(False)
    return pl.when(~is_own & (host != "")).then(host)


def contact_medium(event: pl.Expr) -> pl.Expr:
    """The medium of a contact off the site (Email, Phone, …), by the beginning of the event's name; null for others."""
    media = RULES["contacts"]["media"]
    return pl.coalesce(*(pl.when(event.str.starts_with(prefix)).then(pl.lit(name)) for prefix, name in media.items()))


def _text(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars().str.to_lowercase()
    return pl.when(text != "").then(text)


def _bare_host(host: pl.Expr) -> pl.Expr:
    return host.str.to_lowercase().str.strip_chars_end(".").str.replace(r"^www\.", "")


def _said_by_click(click: pl.Expr, what: str) -> pl.Expr:
    parameters = {name: said[what] for name, said in RULES["click_ids"].items() if name not in ("note", "other")}
    other = RULES["click_ids"]["other"][what]
    said = click.replace_strict(parameters, default=other, return_dtype=pl.String)
    return pl.when(click.is_not_null()).then(said)


def _medium_of_site(host: pl.Expr) -> pl.Expr:
    media = RULES["referrers"]
    known = [pl.when(source_is(host, kind)).then(pl.lit(media[kind])) for kind in ("search", "assistant")]
    return pl.coalesce(*known, pl.when(host.is_not_null()).then(pl.lit(media["other"])))


def _holds(condition: Mapping[str, Any], texts: Mapping[str, pl.Expr]) -> pl.Expr:
    """True where a group's condition holds; never null."""
    if "all" in condition:
        return pl.all_horizontal([_holds(part, texts) for part in condition["all"]])
    if "any" in condition:
        return pl.any_horizontal([_holds(part, texts) for part in condition["any"]])
    ((what, asked),) = condition.items()
    if what == "kind":
        return source_is(texts["source"], asked)
    return texts[what].str.contains(f"^(?:{asked})$").fill_null(False)
