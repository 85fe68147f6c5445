"""Expiry: everything older than may be kept is forgotten for good, by the steps of an erasure, and never comes back.

Whose ids no longer stand for anybody is kept in a file of the journal until the expiry has ended, so that reports can be rid of
them; it is deleted then.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

import polars as pl

from pipelines import readers
from pipelines.desk import Desk
from pipelines.drift import rows_of
from pipelines.erasure import Receipt, Say, checked_desks, merged_rows, receipt_of, refuse_gone, rows_removed, scrubbed
from pipelines.errors import ConfigurationError, DataError, UnreadableFile
from pipelines.ingest import numbered
from pipelines.journal import JOURNAL, SESSIONS
from pipelines.landing import LandedFile, look
from pipelines.people import counted
from pipelines.settings import Workspace
from pipelines.tombstones import (
    BEGUN,
    EXPIRE,
    Step,
    new_erasure_id,
    note,
    now,
    unfinished,
    vanished_events,
    without_events,
)
from pipelines.warehouse import Warehouse, ask, scratch
from transforms.erasure import expired_rows

KEPT = "expired-{}.parquet"
LEAST = timedelta(days=1)


def expire(place: Workspace, older_than: timedelta, *, run: Callable[[], None], say: Say) -> Receipt:
    """Forget everything from before so long ago, and run the night; returns what was done.

    Erasures that were begun and not finished are finished first. Raises, with nothing changed, as `rehearse` does.
    """
    before = instant(older_than)
    if unfinished(place.landing):
        say("finishing an erasure that did not end")
        run()
    expiry_id, at = new_erasure_id(), now()
    files, unread, counts = planned(place, before, say)
    kept = place.landing / JOURNAL / KEPT.format(expiry_id)
    for left in kept.parent.glob(KEPT.format("*")):
        left.unlink()
    concerned(place, before).write_parquet(kept)
    said = {"identifiers": {}, "places": counts, "unread": unread, "before": before.isoformat()}
    note(
        place.landing,
        [
            Step(expiry_id, EXPIRE, at, said={"before": before.isoformat()}),
            *rows_removed(expiry_id, files, at=at),
            Step(expiry_id, BEGUN, at, said=said),
        ],
    )
    run()
    return receipt_of(place, expiry_id)


def rehearse(place: Workspace, older_than: timedelta, *, say: Say) -> Receipt:
    """What `expire` would do, in the same counts; nothing is written.

    Raises ConfigurationError for less than a day, DataError when nothing was loaded yet, and as `journeys erase` does when files or
    rules are not those of the last run.
    """
    before = instant(older_than)
    files, unread, counts = planned(place, before, say)
    gone = set(concerned(place, before)["alias_id"].drop_nulls())
    return Receipt(
        erasure_id=None,
        begun_at=None,
        is_rehearsal=True,
        identifiers={},
        files={file.relative: len(rows) for file, rows in files},
        places=counts,
        reports=scrubbed(place, gone.__contains__, is_rehearsal=True),
        unread=unread,
        before=before.isoformat(),
    )


def instant(older_than: timedelta) -> datetime:
    """The midnight (UTC) so long before today; raises ConfigurationError for less than a day."""
    if older_than < LEAST:
        raise ConfigurationError("--older-than takes a day or more, such as 730d")
    return datetime.combine(datetime.now(UTC).date(), time(), UTC) - older_than


def planned(
    place: Workspace, before: datetime, say: Say
) -> tuple[list[tuple[LandedFile, list[int]]], list[str], dict[str, int]]:
    """The rows that each landed file loses, the files that cannot be read, and how many events and customers are concerned."""
    if not place.build_file.exists():
        raise DataError(f"nothing was loaded yet in {place.root}; load what landed with: journeys run")
    configuration = place.configuration
    with Warehouse(place.build_file, memory=configuration.engine.memory).opened() as connection:
        desks = checked_desks(place, connection)
        landed = look(place.landing, configuration.sources).files
        say(f"reading {counted(len(landed), 'landed file')} for what is from before {before:%Y-%m-%d} …")
        unread: list[str] = []
        found = [(file, old_rows(file, desks[file.source], before, unread)) for file in landed]
        rows = merged_rows(found)
        refuse_gone(place, connection, desks, rows, {file.file_id for file in landed})
        told = connection.sql(
            "SELECT (SELECT count(*) FROM core.events WHERE occurred_at < $before) AS events, "
            "(SELECT count(*) FROM core.customers WHERE last_seen_at < $before) AS customers",
            params={"before": before},
        ).pl()
    counts = {"core.events": int(told["events"][0]), "core.customers": int(told["customers"][0])}
    return [(file, sorted(rows[file.file_id])) for file in landed if rows.get(file.file_id)], unread, counts


def old_rows(file: LandedFile, desks: list[Desk], before: datetime, unread: list[str]) -> set[int]:
    """The rows of a file that have expired; a file that cannot be read is added to `unread`."""
    desk = next((desk for desk in desks if readers.files_of(desk.feed, [file])), None)
    try:
        return (
            {row for part in _canonical(file, desk) for row in expired_rows(part, before=before)["row"]}
            if desk
            else set()
        )
    except UnreadableFile:
        unread.append(file.relative)
        return set()


def _canonical(file: LandedFile, desk: Desk) -> Iterator[pl.DataFrame]:
    """The canonical rows of a file, in parts."""
    with scratch() as connection:
        for part in rows_of(file.path, desk.feed, desk.needed):
            yield desk.read(numbered(part, file, 0), connection)[2]


def concerned(place: Workspace, before: datetime) -> pl.DataFrame:
    """alias_id of customers of whom nothing newer is known; source and event_id of old sessions that the journal tells of."""
    with Warehouse(place.build_file).opened() as connection:
        customers = ask(connection, "ops/expired_customers.sql", {"before": before})
        sessions = ask(
            connection, "ops/expired_sessions.sql", {"before": before}, vanished=vanished_events(place.landing)
        )
    return pl.concat([customers, sessions], how="diagonal")


# ---------------------------------------------------------------- the end


def finish_expiry(place: Workspace, steps: list[Step]) -> tuple[dict[str, str], dict[str, int]]:
    """Take customers that are no more out of kept reports and lists, and old sessions out of the journal.

    Returns what the reports and the journal have lost. Steps of erasures of persons are passed over.
    """
    files = [place.landing / JOURNAL / KEPT.format(step.erasure_id) for step in steps if step.step == EXPIRE]
    there = [file for file in files if file.exists()]
    if not there:
        return {}, {}
    told = pl.concat([pl.read_parquet(file) for file in there])
    known = Warehouse(place.build_file).query(
        "SELECT alias_id FROM core.customer_aliases UNION SELECT customer_id FROM core.customers"
    )
    gone = set(told["alias_id"].drop_nulls()) - set(known["alias_id"])
    reports = scrubbed(place, gone.__contains__, is_rehearsal=False) if gone else {}
    events = set(told.select("source", "event_id").drop_nulls().iter_rows())
    lost = without_events(place.landing, events) if events else 0
    for file in there:
        file.unlink()
    return reports, ({SESSIONS: lost} if lost else {})
