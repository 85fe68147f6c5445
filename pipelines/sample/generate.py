"""The generator: persons batch by batch, until enough rows are there; then the files, and the truth beside them."""

import json
import shutil
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.errors import DataError
from pipelines.sample.accounts import known_from, with_logins, with_registration
from pipelines.sample.clock import DAY, Period
from pipelines.sample.crm import Crm, keep_records
from pipelines.sample.draws import generator
from pipelines.sample.exports import write_exports
from pipelines.sample.lines import call_lines, with_broken_lines
from pipelines.sample.mails import newsletters, reminders
from pipelines.sample.noise import as_sent, is_late
from pipelines.sample.people import People, draw_people
from pipelines.sample.settings import START
from pipelines.sample.spool import Spool
from pipelines.sample.stories import Story, planned
from pipelines.sample.trail import lay_trail
from pipelines.sample.truth import Truth
from pipelines.sample.visits import mail_visits, own_visits, with_plans

MARKER = ".journeys-sample"
SCRATCH = ".sample-in-the-making"
BATCH_PERSONS = 24_000
ROWS_PER_PERSON = 13
LINES_PER_FILE = 400_000
CLOSE_ENOUGH = 0.002
FILES_STREAM = 1 << 20


@dataclass(frozen=True)
class SampleSummary:
    """What was written."""

    rows: int
    web_rows: int
    crm_rows: int
    persons: int
    sessions: int
    files: int
    late: int
    duplicates: int
    robots: int
    broken: int
    stories: tuple[str, ...]


def generate(
    workspace: Path, *, events: int, seed: int, days: int, stories: bool, start: date = START
) -> SampleSummary:
    """Write about `events` rows to `<workspace>/landing` and what is true of them to `<workspace>/truth`.

    The same arguments give the same bytes. A landing folder of another sample is written anew; the files of the old
    sample go, everything else in it stays.

    Raises DataError when there is a landing folder that no sample made, ValueError for sizes below 1.
    """
    for name, value in (("events", events), ("days", days)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, found {value}")
    refuse_foreign(workspace / "landing")
    period = Period(start, days)
    told = planned(period) if stories else ()
    scratch = workspace / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    spool = Spool(scratch / "spool", slice_ms=max(1, min(7, LINES_PER_FILE * days // events)) * DAY)
    truth = Truth(period)
    crm, persons = _live(events=events, seed=seed, period=period, stories=told, spool=spool, truth=truth)
    books = _write_web(spool, scratch / "landing" / "web", seed=seed, period=period)
    rows = write_exports(crm, scratch / "landing" / "crm", period=period)
    books += [{"file": f"crm/{name}", "rows": count} for name, count in rows.items()]
    arguments = {"events": events, "seed": seed, "days": days, "stories": stories, "start": start.isoformat()}
    totals = {name: sum(book.get(name, 0) for book in books) for name in ("rows", "late", "duplicates", "robots")}
    truth.write(scratch / "truth", crm=crm, stories=told, books={**arguments, "totals": totals, "files": books})
    marker = {**arguments, "files": [book["file"] for book in books]}
    (scratch / "landing" / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    _move_in(scratch, workspace)
    web = [book for book in books if book["file"].startswith("web/")]
    return SampleSummary(
        **totals, web_rows=sum(book["rows"] for book in web), crm_rows=sum(rows.values()), persons=persons,
        sessions=sum(frame.height for frame in truth.sessions), files=len(books),
        broken=sum(book["cut"] + book["without_time"] for book in web), stories=tuple(story.name for story in told),
    )  # fmt: skip


def refuse_foreign(landing: Path) -> None:
    """Raises DataError when the folder holds something and no sample made it."""
    if landing.exists() and any(landing.iterdir()) and not (landing / MARKER).is_file():
        raise DataError(
            f"{landing} was not made by `journeys sample`, so no sample is written into it. "
            "Choose another workspace with --workspace, or remove the folder if nothing in it is needed."
        )


# ---------------------------------------------------------------- one batch after the other


def _live(
    *, events: int, seed: int, period: Period, stories: tuple[Story, ...], spool: Spool, truth: Truth
) -> tuple[Crm, int]:
    """Persons until the rows wanted are there; their calls go to the spool. Out: the CRM, and how many persons there are."""
    records: list[Crm] = []
    persons = rows = orders = batch = 0
    while rows < events * (1 - CLOSE_ENOUGH) or batch == 0:
        per_person = rows / persons if rows else ROWS_PER_PERSON
        count = max(1, min(BATCH_PERSONS, int((events - rows) / per_person)))
        rng = generator(seed, batch)
        people = draw_people(rng, first=persons, count=count, period=period, stories=stories)
        visits, crm = _live_batch(rng, people, period=period, stories=stories)
        calls = lay_trail(
            rng,
            visits.filter(pl.col("at") >= 0),
            is_business=people.is_business,
            period=period,
            first_order=100_000 + orders,
        )
        sent = as_sent(rng, calls, people, seed=seed, batch=batch, period=period)
        spool.add(batch, sent)
        truth.add(sent)
        records.append(crm)
        persons, batch = persons + count, batch + 1
        rows += sent.height + crm.rows_by(period.halfway)
        orders += visits.filter("order").height
    merged = {field.name: pl.concat([getattr(crm, field.name) for crm in records]) for field in fields(Crm)}
    return Crm(**merged), persons


def _live_batch(
    rng: np.random.Generator, people: People, *, period: Period, stories: tuple[Story, ...]
) -> tuple[pl.DataFrame, Crm]:
    """Visits of their own accord, mails to those who are known by then, and the visits that mails bring."""
    own = with_plans(rng, own_visits(rng, people, period=period), people, stories=stories)
    contacts = known_from(rng, own, people)
    mails = pl.concat([newsletters(rng, contacts, people, period=period), reminders(rng, own, contacts)])
    clicks = mails.filter(pl.col("clicked_at") < period.end)
    brought = with_plans(rng, mail_visits(rng, people, clicks), people, stories=stories)
    visits = with_logins(rng, with_registration(rng, pl.concat([own, brought]), people))
    return visits, keep_records(rng, people, contacts=contacts, visits=visits, mails=mails, period=period)


# ---------------------------------------------------------------- files


def _write_web(spool: Spool, folder: Path, *, seed: int, period: Period) -> list[dict[str, Any]]:
    """One file per slice of time, or several where a slice is large. Out: the books of each."""
    folder.mkdir(parents=True)
    books: list[dict[str, Any]] = []
    for number, calls in spool.slices():
        day = period.instant(number * spool.slice_ms).date().isoformat()
        for part, piece in enumerate(calls.iter_slices(LINES_PER_FILE + LINES_PER_FILE // 2)):
            rng = generator(seed, FILES_STREAM, len(books))
            lines, broken = with_broken_lines(rng, call_lines(piece, period=period), at_least=0 if books else 2)
            name = f"web_{day}.ndjson.gz" if part == 0 else f"web_{day}_{part + 1}.ndjson.gz"
            lines.write_csv(
                folder / name, include_header=False, quote_style="never", compression="gzip", compression_level=1
            )
            books.append({"file": f"web/{name}", "rows": lines.height, **_counts(piece), **broken})
    return books


def _counts(piece: pl.DataFrame) -> dict[str, int]:
    return piece.select(
        late=(is_late() & ~pl.col("is_duplicate")).sum(),
        duplicates=pl.col("is_duplicate").sum(),
        robots=(pl.col("person") < 0).sum(),
    ).row(0, named=True)


def _move_in(scratch: Path, workspace: Path) -> None:
    """Put what was made in the place of the sample before."""
    landing = workspace / "landing"
    if (landing / MARKER).is_file():
        for name in json.loads((landing / MARKER).read_text(encoding="utf-8"))["files"]:
            (landing / name).unlink(missing_ok=True)
    for path in sorted((scratch / "landing").rglob("*")):
        if path.is_file():
            target = landing / path.relative_to(scratch / "landing")
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(workspace / "truth", ignore_errors=True)
    (scratch / "truth").replace(workspace / "truth")
    shutil.rmtree(scratch)
