"""Erasure: a person is forgotten for good: planned, written to the journal, carried out, and told in a receipt.

The journal comes first (tombstones, and which rows each file loses), then files are rewritten, then the night reads them
again and publishes, then what deletion leaves behind in files goes. Each part may be done twice; whatever was not done when
a run was killed, the next run does.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl
from rich.console import Console

from pipelines import readers
from pipelines.desk import Desk, desks_of
from pipelines.drift import rows_of
from pipelines.errors import DataError, UnreadableFile
from pipelines.ingest import NONE_EARLIER, numbered
from pipelines.journal import JOURNAL, append, entries
from pipelines.landing import FILES, REPLAYS, Entry, LandedFile, Replay, content_id, later_judgements, look, replays
from pipelines.people import counted, named, written_as
from pipelines.reported import scrub
from pipelines.rewriting import DRAFT, put_in_place, write_without
from pipelines.settings import Configuration, Workspace
from pipelines.tombstones import (
    BEGUN,
    CUSTOMER,
    FINISHED,
    REMOVE,
    REWRITTEN,
    SESSION,
    TOMBSTONE,
    Step,
    clean_journal,
    event_text,
    new_erasure_id,
    note,
    now,
    of_steps,
    salt_of,
    steps,
    tombstone_of,
    unfinished,
    vanished_events,
)
from pipelines.warehouse import Connection, Warehouse, ask, open_published, quoted, scalar, scratch
from transforms.contracts import IDENTIFIERS, TABLES
from transforms.erasure import Tombstones, digest, erased_rows
from transforms.identity import IDENTIFIER
from transforms.outcomes import row_summary, with_keys

LEAST_DIGITS = 5
NO_PLACES = pl.DataFrame(schema={"file_id": pl.String, "row": pl.Int64})
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
BY_KEY = ("raw.web_events", "raw.crm_events", "raw.crm_records", "raw.line_items")
BY_CUSTOMER = tuple(table.name for table in TABLES.values() if CUSTOMER in table.schema)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be erased: the identifiers and customer ids, and the rows that each landed file loses.

    `sessions`: the keys of the events that opened the person's sessions. `places`: how many rows of each table are concerned.
    `unread`: landed files that cannot be read, so that nobody knows what they hold.
    """

    identifiers: list[tuple[str, str]]
    customers: list[str]
    sessions: list[str]
    files: list[tuple[LandedFile, list[int]]]
    places: dict[str, int]
    unread: list[str]


@dataclass(frozen=True)
class Receipt:
    """What was, or would be, erased, in counts: rows by file, by table and by file of a report; identifiers by namespace.

    `before`: everything from before that instant, instead of a person.
    """

    erasure_id: str | None
    begun_at: str | None
    is_rehearsal: bool
    identifiers: dict[str, int]
    files: dict[str, int]
    places: dict[str, int]
    reports: dict[str, str]
    journal: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    before: str | None = None


# ---------------------------------------------------------------- the two questions


def erase(place: Workspace, asked: str, *, run: Callable[[], None], say: Say) -> Receipt:
    """Forget a person for good, and run the night; returns what was done.

    An erasure that was begun and not finished is finished first. Raises, with nothing changed, as `rehearse` does.
    """
    waiting = {step.erasure_id for step in unfinished(place.landing)}
    if waiting:
        say(f"finishing {counted(len(waiting), 'erasure')} that did not end")
        run()
        known = _erased(place, asked)
        if known is not None and known.erasure_id in waiting:
            return receipt_of(place, known.erasure_id)
    plan = _planned(place, asked, say)
    erasure_id = new_erasure_id()
    note(place.landing, _steps_of(plan, erasure_id, salt_of(place.landing)))
    run()
    return receipt_of(place, erasure_id)


def rehearse(place: Workspace, asked: str, *, say: Say) -> Receipt:
    """What `erase` would do, in the same counts; nothing is written.

    Raises DataError for an identifier that nobody has (with the nearest), that several people share or that was erased before,
    without the key for personal values, and when files or rules are not those of the last run; ConfigurationError for an
    identifier of several namespaces.
    """
    plan = _planned(place, asked, say)
    held = of_steps(_steps_of(plan, "", salt_of(place.landing)))
    return Receipt(
        erasure_id=None,
        begun_at=None,
        is_rehearsal=True,
        identifiers=_by_namespace(plan.identifiers),
        files={file.relative: len(rows) for file, rows in plan.files},
        places=plan.places,
        reports=scrubbed(place, _is_customer(held), is_rehearsal=True),
        unread=plan.unread,
    )


def _by_namespace(identifiers: list[tuple[str, str]]) -> dict[str, int]:
    spaces = [space for space, _ in identifiers]
    return {space: spaces.count(space) for space in sorted(set(spaces))}


def _is_customer(held: Tombstones) -> Callable[[str], bool]:
    """Whether a word is a customer_id of an erased person."""
    return lambda word: held.holds(CUSTOMER, word)


def _steps_of(plan: Plan, erasure_id: str, salt: str) -> list[Step]:
    """The lines with which an erasure begins: all tombstones, all work, and that it has begun."""
    at = now()
    stones = [
        *plan.identifiers,
        *((CUSTOMER, one) for one in plan.customers),
        *((SESSION, one) for one in plan.sessions),
    ]
    told = [tombstone_of(erasure_id, salt, space, value, at=at) for space, value in stones]
    told += rows_removed(erasure_id, plan.files, at=at)
    counts = {"identifiers": _by_namespace(plan.identifiers), "places": plan.places, "unread": plan.unread}
    return [*told, Step(erasure_id, BEGUN, at, said=counts)]


def rows_removed(erasure_id: str, files: list[tuple[LandedFile, list[int]]], *, at: str) -> list[Step]:
    """The lines that say which rows each file loses."""
    return [
        Step(
            erasure_id, REMOVE, at, file_id=file.file_id, rows=rows, path=file.relative,
            said={"source": file.source, "table": file.table},
        )
        for file, rows in files
    ]  # fmt: skip


def receipt_of(place: Workspace, erasure_id: str) -> Receipt:
    """What the journal says of an erasure."""
    told = [step for step in steps(place.landing) if step.erasure_id == erasure_id]
    begun = next(step for step in told if step.step == BEGUN)
    done = next((step.said for step in told if step.step == FINISHED), None)
    if done is None:
        raise DataError("the erasure has begun and has not ended, since the run failed; go on with: journeys run")
    return Receipt(
        erasure_id=erasure_id,
        begun_at=begun.at,
        is_rehearsal=False,
        identifiers=begun.said["identifiers"],
        files={step.path: len(step.rows) for step in told if step.step == REMOVE},
        places=begun.said["places"],
        reports=done["reports"],
        journal=done["journal"],
        unread=begun.said["unread"],
        before=begun.said.get("before"),
    )


# ---------------------------------------------------------------- what is theirs


def _planned(place: Workspace, asked: str, say: Say) -> Plan:
    """All that is the person's. Raises as `rehearse` does."""
    configuration = place.configuration
    if not place.build_file.exists():
        raise DataError(f"nothing was loaded yet in {place.root}; load what landed with: journeys run")
    known = _erased(place, asked)
    if known is not None:
        raise DataError(f"'{asked}' was erased on {known.at[:16].replace('T', ' ')} UTC already")
    with Warehouse(place.build_file, memory=configuration.engine.memory).opened() as connection:
        customer = _customer_of(place, connection, asked)
        desks = checked_desks(place, connection)
        members = ask(connection, "ops/customer_identifiers.sql", {"customer": customer})
        keys = ask(connection, "ops/erased_keys.sql", {"customer": customer}, members=members)
        landed = look(place.landing, configuration.sources).files
        scan = _Scan(desks, members, keys["row_key"])
        say(f"reading {counted(len(landed), 'landed file')} for what is theirs …")
        found = [(file, scan.rows(file)) for file in landed]
        ledger = ask(connection, "ops/erased_places.sql", keys=keys)
        texts = _texts(connection, scan.words())
        rows = merged_rows(found, pl.concat([ledger, texts]))
        refuse_gone(place, connection, desks, rows, {file.file_id for file in landed})
        vanished = vanished_events(place.landing)
        sessions = ask(connection, "ops/erased_sessions.sql", {"customer": customer}, vanished=vanished)
        opened = {event_text(*event) for event in sessions.rows()}
        opened |= {event_text(*event) for event in vanished.rows() if _tells(scan.words(), event[1])}
        places = _counts(place, connection, customer, members, keys, rows)
    aliases = _aliases(place, customer)
    files = [(file, sorted(rows[file.file_id])) for file in landed if rows.get(file.file_id)]
    return Plan(members.select(IDENTIFIER).rows(), aliases, sorted(opened), files, places, scan.unread)


def checked_desks(place: Workspace, connection: Connection) -> dict[str, list[Desk]]:
    """The desks of every source, by whose rules the files were read.

    Raises DataError when a source cannot be read, or its rules have changed since.
    """
    configuration, key = place.configuration, place.hmac_key
    try:
        desks = {
            name: desks_of(name, source, place.landing, journey=configuration.journey, hmac_key=key)
            for name, source in configuration.sources.items()
        }
    except UnreadableFile as error:
        raise DataError(f"{error}; a source that cannot be read cannot be searched") from error
    _refuse_other_rules(place, connection, desks)
    return desks


def _erased(place: Workspace, asked: str) -> Step | None:
    """The tombstone of what is asked for; None when it was not erased."""
    pairs = [*written_as(place, asked), (CUSTOMER, asked.strip())]
    for step in steps(place.landing):
        is_it = step.step == TOMBSTONE and any(
            step.namespace == space and step.digest == digest(step.salt, space, value) for space, value in pairs
        )
        if is_it:
            return step
    return None


def _customer_of(place: Workspace, connection: Connection, asked: str) -> str:
    found = named(place, connection, asked)
    if found.customer_id is None:
        raise DataError(
            f"'{asked}' is {found.status}: several people have it, so it is no person; erase one of them by an identifier of "
            f"their own, see whose they are with: journeys why {asked}"
        )
    return found.customer_id


def _aliases(place: Workspace, customer: str) -> list[str]:
    """Every id under which a customer is or could be known."""
    told = Warehouse(place.build_file).query(
        "SELECT alias_id FROM core.customer_aliases WHERE customer_id = $customer", {"customer": customer}
    )
    return sorted({customer, *told["alias_id"]})


def _refuse_other_rules(place: Workspace, connection: Connection, desks: Mapping[str, list[Desk]]) -> None:
    """Raise DataError when files were read by other rules, or under another key, than those at hand."""
    read = dict(ask(connection, "ingest/known_sources.sql").rows())
    changed = sorted(name for name, of in desks.items() if name in read and of[0].rule_version != read[name])
    if changed:
        raise DataError(
            f"the rules of {', '.join(changed)} (mapping, lookup files, the key for personal values) are not those by which the "
            f"files were read; put them right, or run first: journeys run"
        )


def refuse_gone(
    place: Workspace,
    connection: Connection,
    desks: Mapping[str, list[Desk]],
    rows: Mapping[str, set[int]],
    there: set[str],
) -> None:
    """Raise DataError when a file that has to be rewritten, or read again with those that are, is not there any more."""
    held = connection.sql("SELECT file_id, source, path FROM raw.files ORDER BY path").pl()
    replayed = set(later_judgements(place.landing))
    whole = {
        source
        for file_id, source, _ in held.rows()
        if file_id in rows and source in desks and (_is_read_whole(desks[source][0]) or file_id in replayed)
    }
    gone = [
        path for file_id, source, path in held.rows() if file_id not in there and (file_id in rows or source in whole)
    ]
    if gone:
        raise DataError(
            f"{counted(len(gone), 'loaded file')} that would have to be read again {'is' if len(gone) == 1 else 'are'} no longer "
            f"below {place.landing} ({gone[0]}, …); put them back, then erase"
        )


def _is_read_whole(desk: Desk) -> bool:
    return desk.source.whole is not None or desk.source.identical_rows == "keep"


class _Scan:
    """Looks through landed files for rows that carry identifiers of one person, and notes how these are written there."""

    def __init__(self, desks: Mapping[str, list[Desk]], members: pl.DataFrame, keys: pl.Series) -> None:
        self.desks = desks
        self.keys = keys
        salt = "00"
        pairs = members.select(IDENTIFIER).rows()
        self.stones = Tombstones(
            {salt: frozenset(digest(salt, *pair) for pair in pairs)}, frozenset(space for space, _ in pairs)
        )
        self.held = {name: [value for space, value in pairs if space == name] for name in IDENTIFIERS}
        self.written = {value for space, value in pairs if space not in ("email", "phone")}
        self.unread: list[str] = []

    def rows(self, file: LandedFile) -> set[int]:
        """The rows of a file that carry an identifier of the person."""
        desk = next((desk for desk in self.desks[file.source] if readers.files_of(desk.feed, [file])), None)
        if desk is None:
            return set()
        found: set[int] = set()
        try:
            with scratch() as connection:
                for part in rows_of(file.path, desk.feed, desk.needed):
                    _, mapped, canonical = desk.read(numbered(part, file, 0), connection)
                    found |= set(erased_rows(canonical, self.stones)["row"]) | self._by_key(canonical, desk)
                    self._note_written(mapped, canonical)
        except UnreadableFile:
            self.unread.append(file.relative)
        return found

    def _by_key(self, canonical: pl.DataFrame, desk: Desk) -> set[int]:
        """Rows of the person's events in older versions of a whole, of which the ledger keeps no keys."""
        if desk.source.whole is None:
            return set()
        summary = row_summary(canonical, source=desk.source)
        keyed = with_keys(summary, name=desk.name, source=desk.source, earlier=NONE_EARLIER)
        return set(keyed.filter(pl.col("row_key").is_in(self.keys.implode()))["row"])

    def _note_written(self, mapped: pl.DataFrame, canonical: pl.DataFrame) -> None:
        for name, values in self.held.items():
            if values:
                is_theirs = canonical[name].is_in(values).fill_null(value=False)
                self.written |= {text.strip() for text in mapped[name].filter(is_theirs).drop_nulls().unique()}

    def words(self) -> str | None:
        """A regular expression that finds the person's identifiers as words of a text; None when none can be told by itself.

        A short number is no word: it may be anything.
        """
        told = {text for text in self.written if len(text) > 1 and not (text.isdigit() and len(text) < LEAST_DIGITS)}
        told |= {quote(text, safe="") for text in told}
        if not told:
            return None
        return rf"(?i)(^|[^A-Za-z0-9])({'|'.join(_escaped(text) for text in sorted(told))})($|[^A-Za-z0-9])"


def _escaped(text: str) -> str:
    """A text as a regular expression that both Python and the warehouse read."""
    return "".join(char if char.isalnum() or not char.isascii() else f"\\x{{{ord(char):x}}}" for char in text)


def _texts(connection: Connection, words: str | None) -> pl.DataFrame:
    """The rows in quarantine whose text names the person."""
    if words is None:
        return NO_PLACES
    return ask(connection, "ops/erased_texts.sql", {"words": words})


def _tells(words: str | None, text: str) -> bool:
    return words is not None and pl.select(pl.lit(text).str.contains(words)).item() is True


def merged_rows(found: list[tuple[LandedFile, set[int]]], told: pl.DataFrame = NO_PLACES) -> dict[str, set[int]]:
    """The rows of each file, by its id; files without any are left out."""
    rows = {file.file_id: set(own) for file, own in found if own}
    for file_id, row in told.rows():
        rows.setdefault(file_id, set()).add(row)
    return rows


def _counts(
    place: Workspace,
    connection: Connection,
    customer: str,
    members: pl.DataFrame,
    keys: pl.DataFrame,
    rows: Mapping[str, set[int]],
) -> dict[str, int]:
    """How many rows of each table, of those that hold any, are the person's; of the published warehouse all together."""
    held = [(file_id, row) for file_id, own in rows.items() for row in own]
    places = pl.DataFrame(held, schema={"file_id": pl.String, "row": pl.Int64}, orient="row")
    counts = {"raw.row_outcomes": places.height}
    counts["raw.quarantine"] = int(ask(connection, "ops/erased_quarantine.sql", places=places).item())
    listed = keys["row_key"].to_list()
    for name in BY_KEY:
        counts[name] = scalar(
            connection, f"SELECT count(*) FROM {quoted(name)} WHERE row_key IN $keys", {"keys": listed}
        )
    counts["core.identity_edges"] = int(ask(connection, "ops/erased_edges.sql", members=members).item())
    counts |= _of_customer(connection, customer)
    if place.published.exists():
        with open_published(place.published) as published:
            counts["published"] = sum(_of_customer(published, customer).values())
    return {name: count for name, count in counts.items() if count}


def _of_customer(connection: Connection, customer: str) -> dict[str, int]:
    sql = "SELECT count(*) FROM {} WHERE customer_id = $customer"
    return {name: scalar(connection, sql.format(quoted(name)), {"customer": customer}) for name in BY_CUSTOMER}


# ---------------------------------------------------------------- the files


def go_on(landing: Path, configuration: Configuration, *, say: Say, hmac_key: Callable[[], bytes]) -> None:
    """Rewrite the files that erasures that have begun still have to, and clean the journal; nothing where none has.

    Raises DataError when one of them is not what it was.
    """
    told = unfinished(landing)
    if not told:
        return
    cleaned = clean_journal(landing, of_steps(told))
    if cleaned:
        say(f"Erased   {', '.join(f'{count:,} lines of the journal {name}' for name, count in cleaned.items())}")
    work = {step.file_id: step for step in told if step.step == REMOVE}
    copies = _copies(landing.resolve(), set(work))
    for file_id, paths in sorted(copies.items(), key=lambda item: work[item[0]].path):
        step = work[file_id]
        name = step.said["source"]
        if name not in configuration.sources:
            raise DataError(
                f"{step.path} still holds rows of an erased person, and its source '{name}' is no longer in journey.yaml; "
                "put the source back until the erasure has ended"
            )
        try:
            desks = desks_of(
                name, configuration.sources[name], landing, journey=configuration.journey, hmac_key=hmac_key()
            )
            _rewrite(landing.resolve(), step, paths, desks)
        except (OSError, UnreadableFile) as error:
            raise DataError(
                f"{step.path} cannot be rewritten without the rows of an erased person ({error}); put that right, then run again"
            ) from error
        say(f"Erased   {counted(len(step.rows), 'row')} of {step.path}")


def _copies(root: Path, file_ids: set[str]) -> dict[str, list[Path]]:
    """Every file below the landing folder with one of these contents; drafts that a kill has left go."""
    sizes = {entry.bytes for entry in entries(root / JOURNAL / FILES, Entry) if entry.file_id in file_ids}
    found: dict[str, list[Path]] = {}
    for path in _files_below(root):
        if path.name.endswith(DRAFT):
            path.unlink()
        elif path.stat().st_size in sizes and (file_id := content_id(path)) in file_ids:
            found.setdefault(file_id, []).append(path)
    return found


def _files_below(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        if Path(folder) == root and JOURNAL in names:
            names.remove(JOURNAL)
        yield from (
            path for path in (Path(folder, name) for name in sorted(files)) if path.is_file() and not path.is_symlink()
        )


def _rewrite(root: Path, step: Step, paths: list[Path], desks: list[Desk]) -> None:
    """Rewrite a file and its copies, the one that is read last, so that what is left to do can be told from what is there."""
    main = root / step.path
    source = main if main in paths else paths[0]
    file = LandedFile(step.file_id, step.said["source"], step.path, source, 0, _NEVER, table=step.said["table"])
    desk = next(desk for desk in desks if readers.files_of(desk.feed, [file]))
    draft = write_without(source, desk.feed, desk.needed, set(step.rows))
    new_id, size = content_id(draft), draft.stat().st_size
    _journal_content(root, step.file_id, new_id, size)
    for path in paths:
        if path != source:
            copy = path.with_name(f".{path.name}{DRAFT}")
            shutil.copyfile(draft, copy)
            shutil.copystat(path, copy)
            put_in_place(copy, path)
    put_in_place(draft, source)
    note(root, [Step(step.erasure_id, REWRITTEN, now(), file_id=step.file_id, new_file_id=new_id, path=step.path)])


def _journal_content(root: Path, old: str, new: str, size: int) -> None:
    """Note that content has landed when, and under the names, that other content has; and was replayed as that was."""
    known = list(entries(root / JOURNAL / FILES, Entry))
    if not any(entry.file_id == new for entry in known):
        came = [entry for entry in known if entry.file_id == old]
        append(
            root / JOURNAL / FILES,
            [Entry(new, entry.source, entry.path, size, entry.modified_ns, entry.landed_at) for entry in came],
        )
        again = [replay for replay in replays(root) if replay.file_id == old]
        append(root / JOURNAL / REPLAYS, [_replayed(replay, new) for replay in again])


def _replayed(replay: Replay, file_id: str) -> Replay:
    return replace(replay, file_id=file_id)


# ---------------------------------------------------------------- the end


def scrubbed(place: Workspace, is_theirs: Callable[[str], bool], *, is_rehearsal: bool) -> dict[str, str]:
    """What kept reports, and lists that were handed over as files, lose; by path."""
    lists = scrub(place.audiences, is_theirs, is_rehearsal=is_rehearsal)
    lists = {f"{place.audiences.name}/{path}": said for path, said in lists.items()}
    return scrub(place.reports, is_theirs, is_rehearsal=is_rehearsal) | lists


def finish(place: Workspace) -> None:
    """After a night: see that nothing deleted stays behind in files, and note that the erasures that had begun are done."""
    told = unfinished(place.landing)
    if not told:
        return
    held = of_steps(told)
    Warehouse(place.build_file, memory=place.configuration.engine.memory).compact()
    for name in ("spill", "buckets"):
        shutil.rmtree(place.build_file.parent / name, ignore_errors=True)
    from pipelines.expiry import finish_expiry

    expired, sessions = finish_expiry(place, told)
    reports = scrubbed(place, _is_customer(held), is_rehearsal=False) | expired
    journal = clean_journal(place.landing, held) | sessions
    ids = sorted({step.erasure_id for step in told})
    note(
        place.landing,
        [Step(one, FINISHED, now(), said={"reports": reports, "journal": journal}) for one in ids],
    )


# ---------------------------------------------------------------- words


def print_receipt(receipt: Receipt, out: Console) -> None:
    """Print what was, or would be, erased."""
    for line in _lines(receipt):
        out.print(line, markup=False)


def _lines(receipt: Receipt) -> Iterator[str]:
    held = ", ".join(f"{count} {space}" for space, count in receipt.identifiers.items()) or "no identifier"
    whose = f"everything from before {receipt.before[:10]}" if receipt.before else f"a person with {held}"
    yield f"{'Would erase' if receipt.is_rehearsal else 'Erased'} {whose}."
    yield f"Landed files rewritten ({len(receipt.files)}, {counted(sum(receipt.files.values()), 'row')}):"
    yield from (f"  {path}: {counted(rows, 'row')}" for path, rows in receipt.files.items())
    yield "Rows of the warehouse:"
    yield from (f"  {name}: {count:,}" for name, count in receipt.places.items())
    yield f"Files of reports ({len(receipt.reports)}):"
    yield from (f"  {path}: {done}" for path, done in receipt.reports.items())
    yield from (f"Journal {name}: {counted(count, 'line')} taken out" for name, count in receipt.journal.items())
    yield from (f"Not searched, it cannot be read: {path}" for path in receipt.unread)
    if receipt.is_rehearsal:
        yield "Nothing was written."
    else:
        yield f"Receipt {receipt.erasure_id}, begun {str(receipt.begun_at)[:19].replace('T', ' ')} UTC."
