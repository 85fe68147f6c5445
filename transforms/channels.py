"""Channels: how a customer came with an event, by GA4's default channel groups (rules: transforms/channel_rules.py)."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from transforms.channel_rules import RULES
from transforms.distinct import per_distinct
from transforms.kernels import distinct_rows

DIRECT = "Direct"
UNASSIGNED = "Unassigned"
CHANNELS: tuple[str, ...] = (*(group["channel"] for group in RULES.groups), UNASSIGNED)

CAMPAIGN = ("given_channel", "utm_source", "utm_medium", "utm_campaign", "click_id")
ARRIVAL = (*CAMPAIGN, "referrer", "hostname")

ADDRESS_HOST = r"(?i)^\s*(?:(?:https?|android-app|ios-app):)?//(?:[^/@?#]*@)?(\[[0-9a-f:.]+\]|[^/:?#\s\[\]]+)"
BARE_HOST = r"^\s*([^/:?#@\s]+\.[^/:?#@\s]+)(?:[/:?#\s]|$)"
COUNTRY = r"\.(?:com?\.)?[a-z]{2,3}$"
FRONT = r"^(?:m|mobile|[a-z]{2})\."
DEEPEST = 6
LISTED = pl.Series(list(RULES.categories))
CATEGORIES = pl.Series(list(RULES.categories.values()))


def with_own_channel(events: pl.LazyFrame, *, ignored_hosts: Sequence[str]) -> pl.LazyFrame:
    """Say how the customer came with each event.

    In:  the columns of `ARRIVAL`, and any others; the hosts that are no referrers, with what lies below them.
    Out: the same rows, in the same order, and `own_channel`; null where nothing says how they came.
    """
    schema = {**events.collect_schema(), "own_channel": pl.String()}
    return events.map_batches(partial(_add_own_channel, ignored_hosts=ignored_hosts), schema=schema)


def _add_own_channel(events: pl.DataFrame, *, ignored_hosts: Sequence[str]) -> pl.DataFrame:
    addresses, address = distinct_rows(events.select("referrer"))
    hosts = addresses.select(referrer_host=host_of("referrer")).to_series().gather(address)
    arrivals, place = distinct_rows(events.select(*CAMPAIGN, "hostname").with_columns(hosts))
    channels = classify(arrivals.lazy(), ignored_hosts=ignored_hosts).collect(engine="in-memory")["own_channel"]
    return events.with_columns(own_channel=channels.gather(place))


def classify(arrivals: pl.LazyFrame, *, ignored_hosts: Sequence[str]) -> pl.LazyFrame:
    """The channel of each way of arriving.

    In:  the columns of `CAMPAIGN`, `hostname`, and `referrer_host` as of `host_of`.
    Out: these, and `own_channel`: the channel the source gives; else the default group of source, medium and campaign.
         Source and medium are each the address's own, else what its click parameter says; where it has none of them, the
         referrer's host. Null where there is none of all these, and no referrer but the page's own host or
         `ignored_hosts` (with what lies below them).
    """
    given = pl.col("given_channel").str.strip_chars()
    says_nothing = pl.all_horizontal(pl.col("source", "medium").is_null())
    is_referrer = says_nothing & ~_is_ignored(pl.col("referrer_host"), ignored_hosts)
    texts = {name: pl.col(name) for name in ("category", "source", "medium", "campaign")}
    said = (
        arrivals.with_columns(
            source=pl.coalesce(_text("utm_source"), _said_by_click("source")),
            medium=pl.coalesce(_text("utm_medium"), _said_by_click("medium")),
            campaign=_text("utm_campaign"),
        )
        .with_columns(referrer=pl.when(is_referrer).then("referrer_host"))
        .with_columns(source=pl.coalesce("source", "referrer"))
        .with_columns(category=source_category(pl.col("source")))
        .with_columns(medium=pl.coalesce("medium", _usual_medium()))
    )
    group = pl.when(~pl.all_horizontal(pl.col("source", "medium", "campaign").is_null())).then(default_group(**texts))
    return said.select(
        *CAMPAIGN, "hostname", "referrer_host", own_channel=pl.coalesce(pl.when(given != "").then(given), group)
    )


def default_group(*, category: pl.Expr, source: pl.Expr, medium: pl.Expr, campaign: pl.Expr) -> pl.Expr:
    """GA4's default channel group of a source (with its category), medium and campaign, all in lower case.

    Unassigned where no group holds. Source: the page named in the rules (`published`), channels for manual traffic.
    """
    texts = {"category": category, "source": source, "medium": medium, "campaign": campaign}
    groups = [pl.when(_holds(group, texts)).then(pl.lit(group["channel"])) for group in RULES.groups]
    return pl.coalesce(*groups, pl.lit(UNASSIGNED))


def source_category(source: pl.Expr) -> pl.Expr:
    """The category of a source in lower case: search, social, video, shopping or assistant; null for others.

    The source itself counts first, then the longest listed `*.host` that it is or lies below, then its `brand.*`: the
    brand in any country, below nothing but `m.`, `mobile.` or a country's two letters.
    """
    bare = source.str.replace(r"^www\.", "")
    hosts = [bare, *(bare.str.extract(rf"^(?:[^.]+\.){{{labels}}}([^.]+\..+)$") for labels in range(1, DEEPEST))]
    stem = pl.when(bare.str.contains(COUNTRY)).then(bare.str.replace(COUNTRY, ""))
    listed_as = [bare, *("*." + host for host in hosts), stem + ".*", stem.str.replace(FRONT, "") + ".*"]
    category = pl.element().replace_strict(LISTED, CATEGORIES, default=None)
    return pl.concat_list(listed_as).list.eval(category).list.drop_nulls().list.first()


def host_of(referrer: str) -> pl.Expr:
    """The host of a column of referrers, in lower case without port and `www.`, international names in ASCII.

    Null where there is none: no text, no address of the web or of an app, a bare word.
    """
    found = pl.coalesce(pl.col(referrer).str.extract(ADDRESS_HOST), pl.col(referrer).str.extract(BARE_HOST))
    return per_distinct(found, plain_host)


def plain_host(host: str) -> str | None:
    """A host in lower case, without `www.`, the dot at its end, and the `*.` of a pattern; in ASCII where it can be."""
    plain = host.strip().lower().removeprefix("*.").removeprefix("www.").rstrip(".")
    if not plain.isascii():
        try:
            plain = plain.encode("idna").decode()
        except UnicodeError:
            return plain
    return plain or None


def contact_medium(event: pl.Expr) -> pl.Expr:
    """The medium of a contact off the site (Email, Phone, …), by the beginning of the event's name; null for others."""
    media = RULES.contact_media.items()
    return pl.coalesce(*(pl.when(event.str.starts_with(prefix)).then(pl.lit(name)) for prefix, name in media))


def _is_ignored(host: pl.Expr, ignored_hosts: Sequence[str]) -> pl.Expr:
    """True where a host is the page's own, or one of those ignored or below it; never null."""
    page = pl.col("hostname").str.replace(r":\d+$", "")
    ignored = sorted({re.escape(plain) for name in ignored_hosts if (plain := plain_host(name))})
    below = host.str.contains(rf"(?:^|\.)(?:{'|'.join(ignored)})$") if ignored else pl.lit(False)
    return (host == per_distinct(page, plain_host)).fill_null(False) | below.fill_null(False)


def _text(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars().str.to_lowercase()
    return pl.when(text != "").then(text)


def _said_by_click(what: str) -> pl.Expr:
    said = {name: getattr(click, what) for name, click in RULES.click_ids.items()}
    return _text("click_id").replace_strict(said, default=None, return_dtype=pl.String)


def _usual_medium() -> pl.Expr:
    """The medium of a source that comes without one: its category's; of any other referrer, a link's."""
    by_category = pl.col("category").replace_strict(RULES.media, default=None, return_dtype=pl.String)
    return pl.coalesce(by_category, pl.when(pl.col("referrer").is_not_null()).then(pl.lit(RULES.medium_of_others)))


def _holds(condition: Mapping[str, Any], texts: Mapping[str, pl.Expr]) -> pl.Expr:
    """True where a group's condition holds; never null."""
    if "all" in condition:
        return pl.all_horizontal([_holds(part, texts) for part in condition["all"]])
    if "any" in condition:
        return pl.any_horizontal([_holds(part, texts) for part in condition["any"]])
    ((what, asked),) = condition.items()
    return texts[what].str.contains(f"^(?:{asked})$").fill_null(False)
