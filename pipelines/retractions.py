"""Retractions: identifiers that somebody has taken apart, remembered in the journal, and what that changes."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.engines.local import LocalEngine
from pipelines.errors import ConfigurationError, DataError
from pipelines.journal import JOURNAL, RETRACTIONS, append, entries
from pipelines.people import SHOWN, counted, identifier_text
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse, sql_text
from transforms.identity import ENDS, IDENTIFIER, NOTHING_RETRACTED, pair_id


@dataclass(frozen=True)
class Retraction:
    """A line of the journal: two identifiers are not the same person, whatever ties them now or later.

    The pair counts. `edge_id` and `kind` are those of the edge that was named; an edge gets another id when earlier
    evidence of it lands, a pair does not.
    """

    pair_id: str
    from_namespace: str
    from_value: str
    to_namespace: str
    to_value: str
    kind: str
    edge_id: str
    reason: str
    at: str


@dataclass(frozen=True)
class Unmerged:
    """What a retraction changes: the edges of its pair; the customers concerned before and after; what moved between them."""

    retraction: Retraction
    is_rehearsal: bool
    edges: list[dict[str, Any]]
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    moved_events: int
    moved_sessions: int


def retractions(landing: Path, *, until: datetime | None = None) -> list[Retraction]:
    """All retractions, or those before an instant, in order."""
    return list(entries(landing / JOURNAL / RETRACTIONS, Retraction, until=until))


def retracted_pairs(landing: Path, *, until: datetime | None = None) -> pl.DataFrame:
    """The pair_id of all identifiers that were taken apart (before an instant), as `resolve_identity` reads them."""
    pairs = sorted({told.pair_id for told in retractions(landing, until=until)})
    return pl.DataFrame({"pair_id": pairs}, schema=NOTHING_RETRACTED.schema)


def unmerge(place: Workspace, edge: str, *, reason: str, run: Callable[[], None]) -> Unmerged:
    """Note in the journal that the two identifiers of an edge are not the same person, and run the night.

    Raises ConfigurationError without a reason, DataError when no edge has that id (or several begin so), when its pair
    was taken apart before, and when nothing was loaded yet.
    """
    told, edges = _asked(place, edge, reason)
    with _beside(place) as folder:
        _write_owners(Warehouse(place.build_file), Path(folder) / "before")
        append(place.landing / JOURNAL / RETRACTIONS, [told])
        run()
        _write_owners(Warehouse(place.build_file), Path(folder) / "after")
        return _unmerged(told, edges, Path(folder), is_rehearsal=False)


def rehearse(place: Workspace, edge: str, *, reason: str) -> Unmerged:
    """What `unmerge` would change, worked out on a copy of the build file; nothing is kept. Raises as `unmerge` does."""
    told, edges = _asked(place, edge, reason)
    with _beside(place) as folder:
        original, copy = Warehouse(place.build_file), Warehouse(Path(folder) / place.build_file.name)
        with original.opened() as connection:
            connection.execute("CHECKPOINT")
            shutil.copyfile(original.path, copy.path)
        _write_owners(original, Path(folder) / "before")
        retracted = retracted_pairs(place.landing).vstack(pl.DataFrame({"pair_id": [told.pair_id]}))
        with copy.opened():
            engine = LocalEngine(copy, place.configuration)
            engine.identity(retracted=retracted)
            engine.timeline()
            _write_owners(copy, Path(folder) / "after")
        return _unmerged(told, edges, Path(folder), is_rehearsal=True)


def _beside(place: Workspace) -> AbstractContextManager[str]:
    """A folder beside the build file that goes when the block ends."""
    return TemporaryDirectory(prefix="unmerge-", dir=place.build_file.parent)


# ---------------------------------------------------------------- what is asked


def _asked(place: Workspace, edge: str, reason: str) -> tuple[Retraction, list[dict[str, Any]]]:
    """The entry for the journal, and all edges between the two identifiers."""
    if not reason.strip():
        raise ConfigurationError(
            '--reason is empty; say why, for whoever reads it later: --reason "one office computer"'
        )
    if not place.build_file.exists():
        raise DataError(f"nothing was loaded yet in {place.root}; load what landed with: journeys run")
    warehouse = Warehouse(place.build_file)
    with warehouse.opened():
        found = _the_edge(place, warehouse, edge)
        ends = {name: found[name] for name in ENDS}
        pair = pl.DataFrame(ends).select(pair_id()).item()
        _refuse_repeated(place, pair)
        edges = warehouse.query(sql_text("ops/edges_of_pair.sql"), ends).rows(named=True)
    now = datetime.now(UTC).isoformat()
    return Retraction(pair, **ends, kind=found["kind"], edge_id=found["edge_id"], reason=reason.strip(), at=now), edges


def _the_edge(place: Workspace, warehouse: Warehouse, edge: str) -> dict[str, Any]:
    """The one edge whose id is, or begins with, what was given."""
    found = warehouse.query(sql_text("ops/edges_like.sql"), {"edge": edge}).rows(named=True) if edge else []
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row["edge_id"] for row in found[: SHOWN // 2])
        raise DataError(f"several edges begin with '{edge}': {ids}; give more of it")
    for told in reversed(retractions(place.landing)):
        if edge and told.edge_id.startswith(edge):
            _refuse_repeated(place, told.pair_id)
    near = warehouse.query(sql_text("ops/nearest_edge.sql"), {"edge": edge})
    hint = f" (the nearest is {near.item()})" if near.height else ""
    raise DataError(f"no edge '{edge}'{hint}; find the edges of somebody with: journeys why IDENTIFIER")


def _refuse_repeated(place: Workspace, pair: str) -> None:
    """Raise DataError, with when and why, for a pair that was taken apart before."""
    for told in retractions(place.landing):
        if told.pair_id == pair:
            raise DataError(
                f"{identifier_text(told.from_namespace, told.from_value)} and "
                f"{identifier_text(told.to_namespace, told.to_value)} were taken apart on "
                f"{datetime.fromisoformat(told.at):%Y-%m-%d %H:%M} UTC already: {told.reason}"
            )


# ---------------------------------------------------------------- what changes


def _write_owners(warehouse: Warehouse, folder: Path) -> None:
    """Write whose every identifier and every event is."""
    folder.mkdir()
    with warehouse.opened() as connection:
        for name in ("identifier_owners", "event_owners"):
            connection.sql(sql_text(f"ops/{name}.sql")).write_parquet(str(folder / f"{name}.parquet"))


def _unmerged(told: Retraction, edges: list[dict[str, Any]], folder: Path, *, is_rehearsal: bool) -> Unmerged:
    owned = {
        name: pl.scan_parquet(folder / "before" / f"{name}.parquet")
        .rename({"customer_id": "before"})
        .join(
            pl.scan_parquet(folder / "after" / f"{name}.parquet").rename({"customer_id": "after"}),
            on=keys,
            how="left",
        )
        for name, keys in (("identifier_owners", IDENTIFIER), ("event_owners", ("source", "event_id")))
    }
    identifiers = concerned(owned["identifier_owners"], told)
    events = _events_of(owned["event_owners"], identifiers)
    moved = events.filter(pl.col("before") != pl.col("after"))
    return Unmerged(
        told,
        is_rehearsal,
        edges,
        before=_customers(identifiers, events, "before", session="session_id"),
        after=_customers(identifiers, events, "after", session="session_id_right"),
        moved_events=moved.height,
        moved_sessions=moved["session_id"].drop_nulls().n_unique(),
    )


def concerned(owners: pl.LazyFrame, told: Retraction) -> pl.DataFrame:
    """The identifiers that share a customer, before or after, with one of the pair; and those that share one with them.

    In:  namespace, value, before, after: whose each identifier was and is.
    Out: the same columns, in order of namespace and value.
    """
    is_end = pl.any_horizontal(
        (pl.col("namespace") == namespace) & (pl.col("value") == value)
        for namespace, value in ((told.from_namespace, told.from_value), (told.to_namespace, told.to_value))
    )
    found, known = owners.filter(is_end).collect(), 0
    while found.height > known:
        known = found.height
        shares = [pl.col(side).is_in(found[side].drop_nulls().implode()) for side in ("before", "after")]
        found = owners.filter(is_end | pl.any_horizontal(shares)).collect()
    return found.sort(IDENTIFIER)


def _events_of(owners: pl.LazyFrame, identifiers: pl.DataFrame) -> pl.DataFrame:
    """The events of these identifiers' customers before, and of the browsers and devices among them."""
    customers = identifiers["before"].drop_nulls().unique()
    is_device = pl.col("namespace") == "device_id"
    visitor = pl.when(is_device).then(pl.lit("device_id:") + pl.col("value")).otherwise("value")
    visitors = identifiers.filter(pl.col("namespace").is_in(("anonymous_id", "device_id"))).select(visitor).to_series()
    is_theirs = pl.col("before").is_in(customers.implode()) | pl.col("visitor_id").is_in(visitors.implode())
    return owners.filter(is_theirs).collect()


def _customers(identifiers: pl.DataFrame, events: pl.DataFrame, side: str, *, session: str) -> list[dict[str, Any]]:
    """Customers with their identifiers and how many events and sessions they have; those without a customer come last."""
    counted = events.group_by(side).agg(events=pl.len(), sessions=pl.col(session).drop_nulls().n_unique())
    held = identifiers.group_by(side).agg(identifiers=pl.struct(IDENTIFIER).sort_by(IDENTIFIER))
    rows = held.join(counted, on=side, how="left").with_columns(pl.col("events", "sessions").fill_null(0))
    return rows.rename({side: "customer_id"}).sort("customer_id", nulls_last=True).rows(named=True)


# ---------------------------------------------------------------- words


def print_unmerged(change: Unmerged, out: Console) -> None:
    """Print what was, or would be, taken apart: the customers concerned before and after, and what moved."""
    told = change.retraction
    ends = [identifier_text(told.from_namespace, told.from_value), identifier_text(told.to_namespace, told.to_value)]
    kinds = ", ".join(f"{row['kind']} {row['edge_id']}" for row in change.edges)
    lines = [f"{'Would take apart' if change.is_rehearsal else 'Taken apart'}  {ends[0]} and {ends[1]} ({kinds})"]
    for title, customers in (("Before", change.before), ("After", change.after)):
        lines += [f"{title}:", *(_customer_line(row) for row in customers)]
    lines.append(f"Moved: {counted(change.moved_events, 'event')} of {counted(change.moved_sessions, 'session')}.")
    one = _still_one(change)
    if one:
        lines.append(f"Other evidence still makes them one customer; see it with: journeys why {one}")
    if change.is_rehearsal:
        lines.append("Nothing was written.")
    for line in lines:
        out.print(line, markup=False)


def _still_one(change: Unmerged) -> str | None:
    """The customer that both identifiers still point at."""
    told = change.retraction
    ends = {(told.from_namespace, told.from_value), (told.to_namespace, told.to_value)}
    for row in change.after:
        if row["customer_id"] and {(item["namespace"], item["value"]) for item in row["identifiers"]} >= ends:
            return str(row["customer_id"])
    return None


def _customer_line(row: dict[str, Any]) -> str:
    names = [identifier_text(item["namespace"], item["value"]) for item in row["identifiers"]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    held = ", ".join(names[:SHOWN]) + more
    if row["customer_id"] is None:
        return f"  nobody's: {held}"
    counts = f"{counted(row['events'], 'event')}, {counted(row['sessions'], 'session')}"
    return f"  {row['customer_id']}: {counts}; {held}"
