"""The local engine: transforms on buckets of whole customers, one after the other, on this machine.

Customer ids are hexadecimal digests, evenly spread, so a bucket is a range of ids: reading one is a range scan of tables
that are stored in order of customer, and memory is that of one bucket however long the history is.
"""

import io
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.engines.increments import (
    ENTRANTS,
    GROUPS,
    built,
    built_last,
    data_version,
    find_changes,
    forget_attempts,
    forget_following,
    note_built,
    note_searched,
    remember_moved,
    rules_version,
    searched_before,
    touch_following,
    touch_open,
)
from pipelines.engines.per_customer import PER_CUSTOMER
from pipelines.settings import Configuration
from pipelines.warehouse import Connection, Warehouse, ask, insert, lazily, quoted, run, scalar, sql_text
from transforms.contracts import STATE_EVIDENCE, STATE_IDENTIFIERS, STATE_TIMELINE, TABLES, Table
from transforms.events import TIMELINE_INPUT, build_timeline
from transforms.funnel_stream import columns_needed, spans_customers
from transforms.funnels import funnel_entrant_groups, funnel_entrants
from transforms.identity import (
    NOTHING_RETRACTED,
    assign_shared_visitors,
    collect_evidence,
    collect_identifiers,
    merge_evidence,
    merge_identifiers,
    own_events,
    resolve_identity,
    shared_identifications,
)
from transforms.journey import Funnel, Identity, Journey, with_those_asked_for
from transforms.segments import columns_told, segments_at_entry
from transforms.stages import matches

OWNED = (*TIMELINE_INPUT, "fingerprint", "is_web")
IS_TOUCHED = "customer_id IN (SELECT customer_id FROM state.touched WHERE name = $name)"

Merge = Callable[[Iterable[pl.LazyFrame]], pl.LazyFrame]


@dataclass(frozen=True)
class Bucket:
    """The customers whose id lies in [low, high); of them, when a table is named, those touched by a change to it."""

    low: str
    high: str
    touched_of: str | None = None


@dataclass(frozen=True)
class Evidence:
    """A ledger of edges between identifiers, and the identifiers seen, of some rows."""

    edges: pl.DataFrame
    identifiers: pl.DataFrame


@dataclass(frozen=True)
class LocalEngine:
    """Runs transforms over the build file."""

    warehouse: Warehouse
    configuration: Configuration

    def per_customer(self, writes: str) -> dict[str, int]:
        """Bring one table of PER_CUSTOMER up to date, bucket by bucket: for every customer, or for those that were touched.

        Returns the number of rows of the table. One transaction: the table is whole, old or new.
        """
        made = PER_CUSTOMER[writes]
        settings = made.rules(self.configuration.journey)
        rules = rules_version(settings)
        with self.warehouse.writing() as connection:
            touched_of = writes if built(connection, writes, rules) else None
            take_back(connection, writes, touched_of)
            for bucket in self._buckets(connection, touched_of):
                frames = {name: read_bucket(connection, table, bucket) for name, table in made.reads.items()}
                insert(connection, TABLES[writes], made.transform(**frames, **settings).collect())
            note_built(connection, writes, rules)
            return row_counts(connection, writes)

    # ------------------------------------------------------------ who is who

    def identity(self, *, retracted: pl.DataFrame = NOTHING_RETRACTED) -> dict[str, int]:
        """Rewrite who is who: gather the evidence of all events and records, part by part, and resolve it.

        `retracted` has the pair_id of identifiers that somebody has taken apart.
        """
        identity, room = self.configuration.journey.identity, self.configuration.engine.bucket_rows
        with self.warehouse.writing() as connection:
            records = connection.sql("FROM raw.crm_records").pl().lazy()
            every = joined(
                [
                    self._web_evidence(connection),
                    gathered(connection, "core/crm_evidence.sql", identity=identity, room=room),
                    evidence(pl.LazyFrame(), records, identity=identity),
                ]
            )
            resolution = resolve_identity(every.edges, every.identifiers.lazy(), identity=identity, retracted=retracted)
            remember_moved(connection, resolution.identity_map)
            frames = {
                "core.identity_edges": resolution.edges,
                "core.identity_map": resolution.identity_map,
                "core.customer_aliases": resolution.aliases,
            }
            return {name: rewrite(connection, TABLES[name], frame) for name, frame in frames.items()}

    def _web_evidence(self, connection: Connection) -> Evidence:
        """What all web events show.

        It is kept from run to run; as long as none of the events it came from is gone, only fresh ones are read.
        """
        identity, room = self.configuration.journey.identity, self.configuration.engine.bucket_rows
        name, rules, now = "core.identity_edges", rules_version({"identity": identity}), data_version(connection)
        extent = find_changes(connection)
        kept, timeline = built(connection, name, rules), built_last(connection, "core.events")
        if kept and timeline and kept["data_version"] == timeline["data_version"] and not extent.gone_web:
            before = Evidence(
                *(connection.sql(f"FROM {table.name}").pl() for table in (STATE_EVIDENCE, STATE_IDENTIFIERS))
            )
            found = joined([before, gathered(connection, "state/fresh_evidence.sql", identity=identity, room=room)])
        else:
            found = gathered(connection, "core/web_evidence.sql", identity=identity, room=room)
        rewrite(connection, STATE_EVIDENCE, found.edges.drop("status"))
        rewrite(connection, STATE_IDENTIFIERS, found.identifiers)
        note_built(connection, name, rules, data_version=now)
        return found

    # ------------------------------------------------------------ the timeline

    def timeline(self, *, vanished: Callable[[pl.DataFrame], None] = lambda _sessions: None) -> dict[str, int]:
        """Bring core.events up to date: give events to their customers, then build each customer's timeline.

        When little has changed since it was last built, only customers are built whose events have changed or moved.
        `vanished` is told session_id, source and event_id of sessions that are no longer there, before anything is kept.
        """
        name, rules = "core.events", rules_version({"journey": self.configuration.journey})
        with self.warehouse.writing() as connection:
            extent, now = find_changes(connection), data_version(connection)
            is_kept = built(connection, name, rules) is not None and extent.is_small
            owned = self._touched_events(connection) if is_kept else self._all_events(connection)
            self._build(connection, owned)
            vanished(connection.sql(sql_text("state/vanished_sessions.sql")).pl())
            note_built(connection, name, rules, data_version=now)
            return row_counts(connection, name)

    def _all_events(self, connection: Connection) -> Iterator[pl.DataFrame]:
        """Take back all timelines; the events of all customers."""
        run(connection, "state/all_sessions.sql")
        run(connection, "state/take_back_all.sql")
        forget_following(connection)
        run(connection, "core/all_events.sql")
        yield from self._owned(connection)

    def _touched_events(self, connection: Connection) -> Iterator[pl.DataFrame]:
        """Take back the timelines of customers for whom something has changed; all events of these customers."""
        run(connection, "state/wanted.sql")
        run(connection, "state/picked_events.sql")
        found = list(self._owned(connection))
        owners = [frame.select("fingerprint", "customer_id") for frame in found]
        run(connection, "state/touched.sql", owned=pl.concat([STATE_TIMELINE.empty().drop("is_web"), *owners]))
        run(connection, "state/touched_sessions.sql")
        run(connection, "state/take_back.sql")
        touch_following(connection)
        touched = connection.sql("FROM touched").pl()["customer_id"].implode()
        yield from (frame.filter(pl.col("customer_id").is_in(touched)) for frame in found)
        yield from self._owned(connection)

    def _build(self, connection: Connection, owned: Iterable[pl.DataFrame]) -> None:
        """Build the timelines of whole customers from all of their events, bucket by bucket."""
        folder = self.warehouse.path.parent / "buckets"
        shutil.rmtree(folder, ignore_errors=True)
        count = self._bucket_count(scalar(connection, sql_text("core/event_total.sql")))
        for part, frame in enumerate(owned):
            write_buckets(frame, folder, part, count)
        for bucket in sorted(folder.glob("*")):
            events = pl.scan_parquet(sorted(bucket.glob("*.parquet")))
            timeline = build_timeline(events, journey=self.configuration.journey)
            insert(connection, TABLES["core.events"], timeline.collect())
            insert(connection, STATE_TIMELINE, events.select(list(STATE_TIMELINE.schema)).collect())
        shutil.rmtree(folder, ignore_errors=True)

    def _owned(self, connection: Connection) -> Iterator[pl.DataFrame]:
        """What the timeline reads of `candidates`, with their customer, in parts; shared visitors' events last, all at once."""
        identity = self.configuration.journey.identity
        shared: list[pl.DataFrame] = []
        reader = connection.sql(sql_text("core/owner_candidates.sql")).arrow(self.configuration.engine.bucket_rows)
        for batch in reader:
            frame = pl.DataFrame(batch)
            is_shared = (pl.col("visitor_status") == "shared").fill_null(False)
            shared.append(by_itself(frame.filter(is_shared)))
            owned = own_events(frame.lazy().filter(~is_shared), identity=identity)
            yield owned.select(OWNED).collect()
        if shared:
            told = shared_identifications(
                connection.sql("FROM core.identity_edges").pl().lazy(),
                connection.sql("FROM core.identity_map").pl().lazy(),
            )
            sessions = self.configuration.journey.sessions
            owned = assign_shared_visitors(
                pl.concat(shared).lazy(),
                identity=identity,
                visit_timeout=sessions.timeout,
                passive=sessions.passive_kinds,
                extending=sessions.extending,
                identifications=told,
            )
            yield owned.select(OWNED).collect()

    # ------------------------------------------------------------ funnels

    def funnels(self, funnels: Sequence[Funnel], *, horizons: Mapping[str, datetime | None]) -> dict[str, int]:
        """Bring the counted attempts of every funnel, and the groups of their breakdowns, up to date.

        A funnel that was searched by the same rules, to a horizon that was no later, is searched again for customers that
        were touched, and for those to whom the later horizon may matter. Customers and sessions are worked on bucket by
        bucket; what spans customers is read whole, and always anew.
        """
        timeout = str(self.configuration.journey.sessions.timeout)
        rules = {
            funnel.name: rules_version({"funnel": funnel, "timeout": timeout, **self._segment_settings(funnel)})
            for funnel in funnels
        }
        with self.warehouse.writing() as connection:
            kept = searched_before(connection, funnels, rules, horizons)
            again = [funnel for funnel in funnels if funnel.name in kept]
            for funnel in again:
                touch_open(connection, funnel, before=kept[funnel.name], now=horizons[funnel.name])
        anew = [funnel for funnel in funnels if funnel.name not in kept]
        with self.warehouse.writing() as connection:
            forget_attempts(connection, list(kept))
            self._search(connection, [funnel for funnel in anew if not spans_customers(funnel)], horizons, None)
            self._search_whole(connection, [funnel for funnel in anew if spans_customers(funnel)], horizons)
            self._search(connection, again, horizons, ENTRANTS)
            note_searched(connection, rules, horizons)
            return row_counts(connection, ENTRANTS, GROUPS)

    def _search(
        self,
        connection: Connection,
        funnels: Sequence[Funnel],
        horizons: Mapping[str, datetime | None],
        touched_of: str | None,
    ) -> None:
        """Search funnels of customers and sessions, of all customers or of those touched."""
        for bucket in self._buckets(connection, touched_of) if funnels else ():
            self._add_attempts(connection, read_bucket(connection, "core.events", bucket), funnels, horizons)

    def _search_whole(
        self, connection: Connection, funnels: Sequence[Funnel], horizons: Mapping[str, datetime | None]
    ) -> None:
        """Search funnels over the events of all customers at once."""
        if funnels:
            is_of_accounts = all(funnel.unit == "account" and not funnel.segments for funnel in funnels)
            events = "FROM core.events WHERE account_id IS NOT NULL" if is_of_accounts else "FROM core.events"
            self._add_attempts(connection, lazily(connection, events), funnels, horizons)

    def _segment_settings(self, funnel: Funnel) -> dict[str, Any]:
        """What else decides the groups of a funnel that has breakdowns by segments."""
        journey = self.configuration.journey
        if not funnel.segments:
            return {}
        return {"segments": with_those_asked_for(funnel.segments, journey.segments), "stages": journey.stage_names}

    def _add_attempts(
        self,
        connection: Connection,
        events: pl.LazyFrame,
        funnels: Sequence[Funnel],
        horizons: Mapping[str, datetime | None],
    ) -> None:
        for name, frame in attempts_of(events, funnels, horizons, journey=self.configuration.journey):
            insert(connection, TABLES[name], frame)

    # ------------------------------------------------------------ buckets

    def _buckets(self, connection: Connection, touched_of: str | None) -> Iterator[Bucket]:
        """Ranges of customers, all of them or those touched; none when nobody was touched."""
        if touched_of is None:
            count = self._bucket_count(scalar(connection, "SELECT count(*) FROM core.events"))
        else:
            extent = ask(connection, "state/touched_extent.sql", {"name": touched_of}).row(0, named=True)
            count = self._bucket_count(extent["events"]) if extent["customers"] else 0
        edges = ["", *(f"{number * 16**8 // count:08x}" for number in range(1, count)), "g"]
        yield from (Bucket(low, high, touched_of) for low, high in pairwise(edges) if count)

    def _bucket_count(self, events: int) -> int:
        return max(1, -(-events // self.configuration.engine.bucket_rows))


def attempts_of(
    events: pl.LazyFrame, funnels: Sequence[Funnel], horizons: Mapping[str, datetime | None], *, journey: Journey
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The counted attempts of each funnel, and the groups of its breakdowns: the name of a table, and rows of it."""
    read, timeout = events.select(columns_read(funnels, journey)).collect().lazy(), journey.sessions.timeout
    for funnel in funnels:
        horizon = horizons[funnel.name]
        entrants = funnel_entrants(read, funnel, horizon=horizon, session_timeout=timeout).collect()
        yield ENTRANTS, entrants
        in_segments = segments_at_entry(
            entrants.lazy(), read, names=funnel.segments, segments=journey.segments, stages=journey.stage_names,
            matches=matches,
        ) if funnel.segments else None  # fmt: skip
        groups = funnel_entrant_groups(
            read, entrants.lazy(), funnel, horizon=horizon, session_timeout=timeout, in_segments=in_segments
        )
        yield GROUPS, groups.collect()


def columns_read(funnels: Sequence[Funnel], journey: Journey) -> list[str]:
    """The columns of core.events that finding the attempts at these funnels reads."""
    by_segments = [name for funnel in funnels for name in funnel.segments]
    told = columns_told(by_segments, journey.segments, matches=matches) if by_segments else set()
    return sorted(told.union(*(columns_needed(funnel) for funnel in funnels)))


# ---------------------------------------------------------------- evidence in parts


def evidence(events: pl.LazyFrame, records: pl.LazyFrame, *, identity: Identity) -> Evidence:
    """What some events and records show of who is who."""
    edges = collect_evidence(events, records, identity=identity).collect()
    return Evidence(edges, collect_identifiers(events, records).collect())


def gathered(connection: Connection, statement: str, *, identity: Identity, room: int) -> Evidence:
    """What the events of a query show, read so many rows at a time."""
    nothing = pl.LazyFrame()
    none = evidence(nothing, nothing, identity=identity)
    edges, identifiers = [none.edges], [none.identifiers]
    for batch in connection.sql(sql_text(statement)).arrow(room):
        found = evidence(pl.DataFrame(batch).lazy(), nothing, identity=identity)
        edges = folded([*edges, found.edges], merge_evidence, room=room)
        identifiers = folded([*identifiers, found.identifiers], merge_identifiers, room=room)
    return Evidence(together(edges, merge_evidence), together(identifiers, merge_identifiers))


def joined(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of several sets of rows as one."""
    edges = together([part.edges for part in parts], merge_evidence)
    return Evidence(edges, together([part.identifiers for part in parts], merge_identifiers))


def folded(parts: list[pl.DataFrame], merge: Merge, *, room: int) -> list[pl.DataFrame]:
    """The parts, put together once those after the first outgrow it and the room there is."""
    later = sum(part.height for part in parts[1:])
    return [together(parts, merge)] if later > max(room, parts[0].height) else parts


def together(parts: list[pl.DataFrame], merge: Merge) -> pl.DataFrame:
    """One frame of all parts."""
    return merge(part.lazy() for part in parts).collect()


# ---------------------------------------------------------------- tables


def rewrite(connection: Connection, table: Table, frame: pl.DataFrame) -> int:
    """Put these rows in place of a table's, within the transaction at hand."""
    connection.execute(f"DELETE FROM {quoted(table.name)}")
    return insert(connection, table, frame)


def take_back(connection: Connection, name: str, touched_of: str | None) -> None:
    """Delete a table's rows: all of them, or those of customers touched by a change to it."""
    if touched_of is None:
        connection.execute(f"DELETE FROM {quoted(name)}")
    else:
        connection.execute(f"DELETE FROM {quoted(name)} WHERE {IS_TOUCHED}", {"name": touched_of})


def row_counts(connection: Connection, *names: str) -> dict[str, int]:
    """How many rows each of these tables holds."""
    return {name: scalar(connection, f"SELECT count(*) FROM {quoted(name)}") for name in names}


def read_bucket(connection: Connection, table: str, bucket: Bucket) -> pl.LazyFrame:
    """The rows of one bucket's customers, as of the last commit; only the columns that the transform asks for are read."""
    sql = f"FROM {quoted(table)} WHERE customer_id >= $low AND customer_id < $high"
    parameters = {"low": bucket.low, "high": bucket.high}
    if bucket.touched_of is None:
        return lazily(connection, sql, parameters)
    return lazily(connection, f"{sql} AND {IS_TOUCHED}", {**parameters, "name": bucket.touched_of})


def by_itself(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows in memory of their own: a few rows of a large frame would keep the texts of all of it."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return pl.read_ipc(buffer.getvalue())


def write_buckets(owned: pl.DataFrame, folder: Path, part: int, count: int) -> None:
    """Spread owned events over the bucket folders, by the leading digits of their customer."""
    number = pl.col("customer_id").str.slice(0, 8).str.to_integer(base=16) * count // 16**8
    for (bucket,), rows in (
        owned.with_columns(bucket=number).partition_by("bucket", as_dict=True, include_key=False).items()
    ):
        target = folder / f"{bucket:05d}"
        target.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(target / f"{part:05d}.parquet", compression="lz4")
