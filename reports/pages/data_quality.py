"""Data quality: where every row went, what could not be read, who was left out, and what has no place in the journey."""

from datetime import datetime

import polars as pl

from reports.frames import single
from reports.page import Block, Cell, Figure, Notice, Page, Query, Section, Terms, Tile, Tiles
from reports.pages.data_gaps import coverage_figures, lateness_sections, silence_figure
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import count, duration, name, plural, quoted, sentence, share

OUTCOMES = ("loaded", "duplicate", "conflict", "superseded", "quarantined", "suppressed", "blank")
REASON_WORDS = {
    "encoding": "not readable as text",
    "too_large": "too long",
    "parse_error": "broken",
    "wrong_columns": "other columns than the file says",
    "missing_time": "no time",
    "bad_time": "a time that cannot be read",
    "future_time": "a time in the future",
    "missing_identity": "nobody it belongs to",
    "type_conflict": "a value of another type",
}
OUTCOME_WORDS = (
    ("Loaded", "The row became an event."),
    ("Duplicate", "The same event had already come in with the same content."),
    ("Conflict", "The same event had already come in with another content; the earliest stays."),
    ("Superseded", "An older version of a record, or of a day that was delivered again."),
    (
        "Quarantined",
        "The row could not be read. It is kept with the reason, and can be read again once that is mended.",
    ),
    ("Suppressed", "The row belongs to somebody who was erased."),
    ("Blank", "There was nothing on the line."),
)


def build(view: View) -> list[Page]:
    """The books of the data.

    Reads ops.balances, ops.schema_drift, ops.failed_files, mart.data_quality, and the answers unmapped_events, quarantine_reasons, lateness,
    event_days and breakdown_coverage.
    """
    books = view.table("ops.balances")
    parts = (
        Section("In short", (*failures(view), totals(view))),
        Section("How new it is", (freshness_figure(view),)),
        *lateness_sections(view.answer("lateness")),
        Section(
            "Is anything broken",
            (silence_figure(view.answer("event_days")), *coverage_figures(view.answer("breakdown_coverage"))),
        ),
        Section("Where every row went", (source_figure(books), reason_figure(view), file_figure(books))),
        Section("What files brought otherwise", (drift_figure(view.table("ops.schema_drift")),)),
        Section(
            "What is counted",
            (event_figure(view.table("mart.data_quality")), unmapped_figure(view.answer("unmapped_events"))),
        ),
        Section("What the outcomes mean", (Terms(OUTCOME_WORDS),)),
    )
    return [Page("data-quality.html", "Data quality", "The books", heading(view), lead(books), parts)]


def heading(view: View) -> str:
    """Whether something needs a person."""
    failed, set_aside, rows = len(view.facts.failed_files), view.facts.quarantined, view.facts.rows_in
    if failed:
        return f"{plural(failed, 'file')} could not be read"
    if not rows:
        return "Nothing has landed yet"
    if set_aside:
        return f"{sentence(share(set_aside, rows))} of all rows could not be read"
    return "Every row could be read"


def lead(books: pl.DataFrame) -> str:
    """How the books are kept."""
    if books.is_empty():
        return "As soon as a file has been read, this page says where each of its rows went."
    files, sources = plural(books.height, "file"), plural(books["source"].n_unique(), "source")
    return (
        f"{files} from {sources}. Each row has exactly one outcome, so the outcomes of a file add up to its rows; "
        "a file whose books do not balance is not loaded."
    )


def failures(view: View) -> list[Block]:
    """The files of the last run that could not be read."""
    rows = view.table("ops.failed_files").sort("path")
    if rows.is_empty():
        return []
    lines = [
        cells(name(row["path"], limit=120), name(row["source"] or "–"), name(row["problem"], limit=400))
        for row in rows.iter_rows(named=True)
    ]
    return [
        Notice(
            "What is listed here is not in the numbers of this report. Once delivered again, the next run reads it."
        ),
        Figure(
            "failed",
            f"{plural(rows.height, 'file')} could not be read",
            "",
            None,
            table(texts("File", "Source", "What is wrong"), lines),
            Query("failed_files"),
            is_open=True,
        ),
    ]


def totals(view: View) -> Tiles:
    """Rows in, loaded, set aside."""
    facts = view.facts
    return Tiles(
        (
            Tile("Rows that came in", count(facts.rows_in)),
            Tile("Loaded as events", count(facts.loaded), "", f"{share(facts.loaded, facts.rows_in)} of all rows"),
            Tile(
                "Set aside",
                count(facts.quarantined),
                "",
                f"{share(facts.quarantined, facts.rows_in)} of all rows, kept with the reason",
            ),
            Tile("Files not read", count(len(facts.failed_files))),
        )
    )


def source_figure(books: pl.DataFrame) -> Figure:
    """The books of each source."""
    rows = books.group_by("source").agg(pl.col("rows_in", *OUTCOMES).sum(), files=pl.len()).sort("source")
    lines = [
        cells(Cell(name(row["source"]), plural(row["files"], "file")), count(row["rows_in"]), *outcome_cells(row))
        for row in rows.iter_rows(named=True)
    ]
    worst = rows.filter(pl.col("quarantined") > 0).sort(
        pl.col("quarantined") / pl.col("rows_in"), "source", descending=[True, False]
    )
    if worst.is_empty():
        finding = "No row had to be set aside" if rows.height else "No file has been read yet"
    else:
        row = worst.row(0, named=True)
        finding = f"Most rows were set aside in “{name(row['source'])}”: {count(row['quarantined'])} of {count(row['rows_in'])}"
    return Figure(
        "sources",
        finding,
        "Rows of each source by what became of them.",
        None,
        table((*texts("Source"), *numbers("Rows in", *(outcome.capitalize() for outcome in OUTCOMES))), lines),
        Query("books_by_source"),
        is_open=True,
    )


def outcome_cells(row: dict[str, int]) -> tuple[str, ...]:
    """The counts of each outcome."""
    return tuple(count(row[outcome]) for outcome in OUTCOMES)


def freshness_figure(view: View) -> Figure:
    """The newest event of each source, beside the newest of all."""
    sources = view.table("mart.data_quality").sort("source")
    newest = single(sources, pl.col("last_event_at").max())
    lines = [
        cells(
            name(row["source"]),
            moment(row["first_event_at"]),
            moment(row["last_event_at"]),
            "the newest"
            if row["last_event_at"] == newest
            else duration((newest - row["last_event_at"]).total_seconds()),
        )
        for row in sources.filter(pl.col("last_event_at").is_not_null()).iter_rows(named=True)
    ]
    oldest = (
        sources.filter(pl.col("last_event_at") < newest).sort("last_event_at", "source") if newest else sources.clear()
    )
    behind = oldest.row(0, named=True) if oldest.height else None
    finding = (
        f"{quoted(behind['source'])} ends {duration((newest - behind['last_event_at']).total_seconds())} before the newest source"
        if behind
        else "No source ends before another"
        if newest
        else "No events yet"
    )
    return Figure(
        "freshness",
        finding,
        "Times in UTC. A source in which little happens may be complete and yet end early: say so with complete_to.",
        None,
        table((*texts("Source", "First event", "Newest event"), *numbers("Behind the newest")), lines),
        Query("freshness"),
        is_open=True,
    )


def moment(at: datetime) -> str:
    """An instant as shown."""
    return f"{at:%Y-%m-%d %H:%M}"


def reason_figure(view: View) -> Figure:
    """Why rows were set aside."""
    order = ("set_aside", "source", "reason", "field")
    rows = view.table("reports.quarantine_reasons").sort(*order, descending=[True, *[False] * 3])
    lines = [
        cells(
            Cell(REASON_WORDS.get(row["reason"], name(row["reason"])), name(row["source"])),
            name(row["field"]) if row["field"] else "–",
            count(row["set_aside"]),
            count(row["files"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    top = rows.row(0, named=True) if rows.height else None
    return Figure(
        "reasons",
        f"Most rows were set aside because of this: {REASON_WORDS.get(top['reason'], name(top['reason']))} "
        f"({count(top['set_aside'])} of {plural(int(rows['set_aside'].sum()), 'row')})"
        if top
        else "No row had to be set aside for any reason",
        "The rows are kept as they came; once the reason is mended, journeys replay reads them again.",
        None,
        table((*texts("Reason", "Field"), *numbers("Rows", "Files")), lines),
        Query("quarantine_reasons"),
    )


def file_figure(books: pl.DataFrame) -> Figure:
    """The books of each file, the newest and the worst first."""
    rows = books.sort("quarantined", "landed_on", "path", descending=[True, True, False])
    lines = [
        cells(
            Cell(name(row["path"], limit=120), name(row["source"])),
            str(row["landed_on"] or "–"),
            count(row["rows_in"]),
            *outcome_cells(row),
        )
        for row in rows.iter_rows(named=True)
    ]
    hit = rows.filter(pl.col("quarantined") > 0).height
    return Figure(
        "files",
        f"{count(hit)} of {plural(rows.height, 'file')} held rows that could not be read",
        "Files with most rows set aside first, then the newest.",
        None,
        table(
            (*texts("File", "Landed on"), *numbers("Rows in", *(outcome.capitalize() for outcome in OUTCOMES))), lines
        ),
        Query("books_by_file"),
    )


DRIFT_WORDS = {"new": "new", "missing": "missing", "type": "values of another type"}


def drift_figure(drift: pl.DataFrame) -> Figure:
    """The columns that came, went, or changed their type between the files of a source."""
    rows = drift.sort("quarantined", "source", "path", "column_name", "kind", descending=[True, *[False] * 4])
    lines = [
        cells(
            Cell(name(row["column_name"]), name(row["source"])),
            DRIFT_WORDS[row["kind"]],
            name(row["renamed_to"]) if row["renamed_to"] else "–",
            name(row["path"], limit=120),
            str(row["landed_on"] or "–"),
            count(row["quarantined"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    columns = rows.select("source", "column_name").n_unique()
    aside = int(single(rows, pl.col("quarantined").sum()))
    return Figure(
        "drift",
        f"{plural(columns, 'column')} came, went or changed; {plural(aside, 'row')} set aside because of it"
        if columns
        else "Every file has the columns of those before it",
        "A column that a file lacks or has for the first time, and values that are not of the type expected.",
        None,
        table(
            (
                *texts("Column", "What", "Perhaps now called", "File", "Landed on"),
                *numbers("Rows set aside"),
            ),
            lines,
        ),
        Query("schema_drift"),
    )


def event_figure(sources: pl.DataFrame) -> Figure:
    """Events of each source, with and without robots and our own traffic."""
    columns = ("events", "robot_events", "internal_events", "counted_events", "unmapped_events")
    rows = sources.select("source", *(pl.col(column).cast(pl.Int64) for column in columns)).sort("source")
    lines = [
        cells(
            name(row["source"]),
            *(count(row[column]) for column in columns[:4]),
            Cell(count(row["unmapped_events"]), share(row["unmapped_events"], row["counted_events"])),
        )
        for row in rows.iter_rows(named=True)
    ]
    events, robots, own = (int(single(rows, pl.col(column).sum())) for column in columns[:3])
    finding = (
        f"{count(robots)} events of robots and {count(own)} of our own people are left out"
        if robots + own
        else "No robots, and nobody of our own, among the events"
    )
    return Figure(
        "events",
        finding if events else "No events yet",
        "They stay in the warehouse, marked, but sessions and funnels do not count them.",
        None,
        table(
            (*texts("Source"), *numbers("Events", "Of robots", "Our own", "Counted", "Counted, without a stage")), lines
        ),
        Query("events_by_source"),
        is_open=True,
    )


def unmapped_figure(events: pl.DataFrame) -> Figure:
    """The events that no stage claims."""
    rows = events.sort("events", "source", "event", descending=[True, False, False])
    lines = [
        cells(
            Cell(name(row["event"]), name(row["source"])),
            count(row["events"]),
            count(row["of_events"]),
            share(row["events"], row["of_events"]),
            count(row["customers"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    unmapped, of_events = int(single(rows, pl.col("events").sum())), single(rows, pl.col("of_events").max())
    return Figure(
        "unmapped",
        f"{sentence(share(unmapped, of_events))} of all counted events belong to no stage: {count(unmapped)} of {count(of_events)}"
        if unmapped
        else "Every counted event belongs to a stage",
        "Events that no touchpoint of journey.yaml matches. A few are normal; a common one is worth a rule.",
        None,
        table((*texts("Event"), *numbers("Events", "Of all counted", "Share", "Customers")), lines),
        Query("unmapped_events"),
    )
