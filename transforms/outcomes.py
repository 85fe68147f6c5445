"""Outcomes: what becomes of each physical row, and which row of several with one key is kept."""

from dataclasses import dataclass

import polars as pl

from transforms.canonical import LONGEST, REASONS, SUMMARY_FROM, state_key
from transforms.contracts import KEY
from transforms.erasure import SUPPRESSED
from transforms.hashing import digest_id, fast_key
from transforms.mapping import Source, is_plural

ROWS_PER_FILE = 1 << 40
PLACE = pl.col("file").cast(pl.Int64) * ROWS_PER_FILE + pl.col("row")
CONTENDER = ("row_key", "sort_at", "content", "tie")


def row_summary(canonical: pl.DataFrame, *, source: Source) -> pl.DataFrame:
    """One row per physical row: what it is known by, and the verdict on it.

    In:  canonical rows (transforms/canonical.py).
    Out: file, row, text, reason, field, event_id, object, record_id, whole, content, sort_at, tie; in order of (file, row).

    Of several events of one row the first reason in the order of REASONS counts; a row that should tell of an event and
    tells of none has no time.
    """
    known_by = ["event_id", "object", "record_id", "whole"]
    columns = ["file", "row", "text", "reason", "field", *known_by, "content", "sort_at", "tie"]
    if not is_plural(source):
        return _in_row_order(canonical.select(columns))
    rank = pl.col("reason").replace_strict(REASONS, range(len(REASONS)), default=-1, return_dtype=pl.Int32)
    events = canonical["variant"] > 0
    summary = (
        canonical.with_columns(rank=pl.when(pl.col("reason").is_not_null()).then(rank), is_event=events)
        .sort("file", "row", "variant")
        .group_by("file", "row", maintain_order=True)
        .agg(
            pl.col("text").drop_nulls().first(),
            pl.col("reason", "field").sort_by("rank", nulls_last=True).first(),
            pl.col(known_by).first(),
            pl.col("content").cast(pl.String).implode().list.join(" ").alias("contents"),
            pl.col("sort_at").max() if source.record else pl.col("sort_at").filter("is_event").min(),
            pl.col("tie").min(),
            pl.col("is_event").sum().alias("events"),
        )
        .with_columns(content=fast_key("contents"))
    )
    untimed = pl.col("reason").is_null() & (pl.col("events") == 0) & pl.lit(_must_tell(source))
    return summary.with_columns(
        reason=pl.when(untimed).then(pl.lit("missing_time")).otherwise("reason"),
        field=pl.when(untimed).then(pl.lit("occurred_at")).otherwise("field"),
        sort_at=pl.col("sort_at").fill_null(LONGEST),
        text=pl.when(pl.col("reason").is_not_null() | untimed).then("text"),
    ).select(columns)


def _in_row_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows by (file, row); as they come from the readers they already are."""
    return rows if rows.select(PLACE).to_series().is_sorted() else rows.sort("file", "row")


def _must_tell(source: Source) -> bool:
    """True when a row without an event is a row without a time."""
    if source.record and source.record.undated == "keep":
        return False
    return bool(source.events) if source.events is not None else source.record is None


def with_keys(rows: pl.DataFrame, *, name: str, source: Source, earlier: pl.DataFrame) -> pl.DataFrame:
    """Add `row_id` and `row_key` (null for rows that cannot be used) to row summaries.

    `earlier` holds content and how many rows of that content were loaded before; it counts only for `identical_rows: keep`.
    A record is known by object and id, an event by its id; a row without an id by its content, with `keep` also by its
    place among equal rows. An id counts within its whole, so that no version of one whole meets rows of another.
    """
    good = pl.col("reason").is_null()
    if source.record:
        row_id = pl.concat_str("object", "record_id", separator=":")
    else:
        own = pl.lit(None, pl.String) if source.group else pl.col("event_id")
        all_named = not source.group and rows.filter(good)["event_id"].null_count() == 0
        row_id = own if all_named else pl.coalesce(own, _content_id(source))
        rows = _with_ordinals(rows, earlier) if source.identical_rows == "keep" else rows
    row_id = pl.concat_str("whole", row_id, separator=":") if source.whole else row_id
    content = pl.lit(2**64 - 1, KEY) - pl.col("content") if source.record else pl.col("content")
    return rows.with_columns(row_id=pl.when(good).then(row_id), content=pl.when(good).then(content)).with_columns(
        row_key=pl.when(good).then(fast_key(pl.lit(name), "row_id"))
    )


def _content_id(source: Source) -> pl.Expr:
    ordinal = [pl.col("ordinal")] if source.identical_rows == "keep" else []
    return digest_id(pl.col("content"), *ordinal)


def _with_ordinals(rows: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    place = pl.int_range(1, pl.len() + 1).over(pl.when(pl.col("reason").is_null()).then("content"))
    return rows.join(earlier, on="content", how="left", maintain_order="left").with_columns(
        ordinal=place + pl.col("seen").fill_null(0)
    )


@dataclass(frozen=True)
class Settlement:
    """Which rows are kept.

    `outcomes`: the incoming rows with their outcome; `displaced`: row_key and content of the new winner of each key whose
    loaded row has to give way.
    """

    outcomes: pl.DataFrame
    displaced: pl.DataFrame


def settle(rows: pl.DataFrame, held: pl.DataFrame, *, source: Source) -> Settlement:
    """Give every incoming row its outcome.

    In:  rows with keys; `held`: row_key, content, sort_at and tie of the loaded rows that share a key with them.
    Of the rows of one key the smallest (sort_at, content, tie) is loaded; rows of its content are duplicates, the others
    are conflicts, or superseded: versions of a record, rows of a summary. Source: semantics.md §2, duplicates and records.
    """
    is_superseded = pl.lit(source.record is not None) | (pl.col("sort_at") >= SUMMARY_FROM)
    losing = pl.when(is_superseded).then(pl.lit("superseded")).otherwise(pl.lit("conflict"))
    good = rows.filter(pl.col("row_key").is_not_null())
    contested = pl.concat([good.filter(pl.col("row_key").is_duplicated())["row_key"], held["row_key"]]).unique()
    if contested.is_empty():
        return Settlement(
            rows.with_columns(_verdict_outcome(pl.lit("loaded"))), rows.select("row_key", "content").clear()
        )
    new = good.filter(pl.col("row_key").is_in(contested.implode())).select(*CONTENDER, "file", "row")
    old = held.select(*CONTENDER, file=pl.lit(None, new.schema["file"]), row=pl.lit(None, pl.Int64))
    order = [*CONTENDER, "file", "row"]
    winners = (
        pl.concat([old, new]).sort(order, nulls_last=False).unique("row_key", keep="first", maintain_order=True)
    ).select("row_key", winner="content", winner_file="file", winner_row="row")
    ranked = rows.join(winners, on="row_key", how="left", maintain_order="left")
    outcome = (
        pl.when(
            pl.col("winner").is_null()
            | ((pl.col("file") == pl.col("winner_file")) & (pl.col("row") == pl.col("winner_row")))
        )
        .then(pl.lit("loaded"))
        .when(pl.col("content") == pl.col("winner"))
        .then(pl.lit("duplicate"))
        .otherwise(losing)
    )
    displaced = winners.filter(pl.col("winner_row").is_not_null() & pl.col("row_key").is_in(held["row_key"].implode()))
    return Settlement(
        ranked.with_columns(_verdict_outcome(outcome)).drop("winner", "winner_file", "winner_row"),
        displaced.select("row_key", content="winner"),
    )


def together(settled: pl.DataFrame, outdated: pl.DataFrame) -> pl.DataFrame:
    """Rows with their outcome, and those of wholes that a newer version replaces, in order of (file, row)."""
    if outdated.is_empty():
        return settled
    superseded = outdated.with_columns(outcome=pl.lit("superseded"))
    return pl.concat([settled, superseded], how="diagonal").sort("file", "row")


def _verdict_outcome(outcome: pl.Expr) -> pl.Expr:
    bad = pl.col("reason").is_not_null()
    judged = pl.when(bad).then(pl.lit("quarantined")).otherwise(outcome)
    is_said = pl.col("reason").is_in(["blank", SUPPRESSED])
    return pl.when(is_said).then("reason").otherwise(judged).alias("outcome")


def events_of(canonical: pl.DataFrame, loaded: pl.DataFrame, *, source: Source) -> pl.DataFrame:
    """The events of loaded rows, with the ids they are known by.

    In:  canonical rows; loaded: file, row, row_id, row_key.
    Out: canonical columns with `event_id` and row_key; one row per event.

    An event of a record is known by object, record, state (or event) and time; of several events of a row each has its number;
    a line item is known by its group, one without a group by itself.
    """
    events = canonical.filter(pl.col("variant") > 0) if is_plural(source) else canonical
    kept = _of_rows(events, loaded) if is_plural(source) else _of_own_rows(events, loaded)
    if source.record:
        event_id = state_key()
    elif source.group:
        event_id = pl.coalesce("event_id", "row_id")
    elif source.events is not None and len(source.events) > 1:
        event_id = pl.concat_str("row_id", pl.col("variant").cast(pl.String), separator="#")
    else:
        event_id = pl.col("row_id")
    named = kept.with_columns(event_id=event_id)
    if source.record:
        named = named.sort("row_key", "variant").unique(["row_key", "event_id"], keep="first", maintain_order=True)
    return named


def _of_rows(canonical: pl.DataFrame, loaded: pl.DataFrame) -> pl.DataFrame:
    """The canonical rows of some physical rows, with what these are known by."""
    return canonical.join(loaded, on=["file", "row"], how="inner", maintain_order="left")


def _of_own_rows(canonical: pl.DataFrame, loaded: pl.DataFrame) -> pl.DataFrame:
    """The same where each physical row has one canonical row and both are in order, which saves a join."""
    kept = canonical.filter(canonical.select(PLACE).to_series().is_in(loaded.select(PLACE).to_series().implode()))
    if kept.select("file", "row").equals(loaded.select("file", "row")):
        return kept.hstack(loaded.drop("file", "row"))
    return _of_rows(canonical, loaded)


def records_of(canonical: pl.DataFrame, loaded: pl.DataFrame) -> pl.DataFrame:
    """The records that loaded rows are: one row per record, with the earliest time from which it is evidence.

    In:  canonical rows of a record source; loaded: file, row, row_id, row_key. Out: canonical columns with evident_at.
    """
    kept = _of_rows(canonical, loaded)
    dated = kept.filter(pl.col("variant") > 0).group_by("row_key").agg(first_at=pl.col("occurred_at").min())
    itself = kept.filter(pl.col("variant") == 0).join(dated, on="row_key", how="left", maintain_order="left")
    return itself.with_columns(evident_at=pl.coalesce("occurred_at", "first_at", "modified_at"))
