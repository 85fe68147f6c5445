"""Tombstones: what the journal remembers of erased persons, which is enough to know them again and to tell nobody who they were."""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.journal import JOURNAL, RETRACTIONS, SESSIONS, append, entries
from transforms.erasure import NOBODY_ERASED, Tombstones, digest
from transforms.hashing import SEPARATOR

ERASURES = "erasures.ndjson"
CUSTOMER, SESSION = "customer_id", "session"
SALT_BYTES, ID_BYTES = 32, 8
TOMBSTONE, EXPIRE, REMOVE, BEGUN, REWRITTEN, FINISHED = (
    "tombstone",
    "expire",
    "remove",
    "begun",
    "rewritten",
    "finished",
)


@dataclass(frozen=True)
class Step:
    """A line of the journal: a step of the erasure of one person, or of all that is old. What stands before the step `begun`
    counts only with it.

    `tombstone`: the digest of an identifier (namespace as in the warehouse), of a customer_id, or of the event that opened
    a session. `expire`: the instant before which everything goes. `remove`: the rows that a file loses. `rewritten`: it has
    lost them, and what it is now. `said`: with `begun` how many rows of each place are concerned, with `finished` what else
    was done.
    """

    erasure_id: str
    step: str
    at: str
    salt: str = ""
    namespace: str = ""
    digest: str = ""
    file_id: str = ""
    rows: list[int] = field(default_factory=list)
    new_file_id: str = ""
    path: str = ""
    said: dict[str, Any] = field(default_factory=dict)


def new_erasure_id() -> str:
    """An id that says nothing of the person."""
    return secrets.token_hex(ID_BYTES)


def now() -> str:
    """The time of a step."""
    return datetime.now(UTC).isoformat()


def note(landing: Path, steps: list[Step]) -> None:
    """Write steps to the journal, all or none of them."""
    append(landing / JOURNAL / ERASURES, steps)


def steps(landing: Path) -> list[Step]:
    """All steps of erasures that have begun, in order."""
    told = list(entries(landing / JOURNAL / ERASURES, Step))
    begun = {step.erasure_id for step in told if step.step == BEGUN}
    return [step for step in told if step.erasure_id in begun]


def unfinished(landing: Path) -> list[Step]:
    """The steps of erasures that have begun and not been finished, in order."""
    told = steps(landing)
    finished = {step.erasure_id for step in told if step.step == FINISHED}
    return [step for step in told if step.erasure_id not in finished]


def tombstones(landing: Path) -> Tombstones:
    """The tombstones of all persons who were erased."""
    return of_steps(steps(landing))


def of_steps(told: list[Step]) -> Tombstones:
    """The tombstones among some steps."""
    found = [step for step in told if step.step == TOMBSTONE]
    cuts = [datetime.fromisoformat(step.said["before"]) for step in told if step.step == EXPIRE]
    if not found and not cuts:
        return NOBODY_ERASED
    digests: dict[str, set[str]] = {}
    for step in found:
        digests.setdefault(step.salt, set()).add(step.digest)
    held = {salt: frozenset(values) for salt, values in digests.items()}
    return Tombstones(held, frozenset(step.namespace for step in found), max(cuts, default=None))


def salt_of(landing: Path) -> str:
    """The salt of this journal: that of its earlier tombstones, so that each value is hashed once; else a new one."""
    salts = [step.salt for step in steps(landing) if step.step == TOMBSTONE]
    return salts[0] if salts else secrets.token_hex(SALT_BYTES)


def tombstone_of(erasure_id: str, salt: str, namespace: str, value: str, *, at: str) -> Step:
    """The step that sets a tombstone."""
    return Step(erasure_id, TOMBSTONE, at, salt=salt, namespace=namespace, digest=digest(salt, namespace, value))


def event_text(source: str, event_id: str) -> str:
    """The key of an event as tombstones of sessions hold it."""
    return f"{source}{SEPARATOR}{event_id}"


def replaced_files(landing: Path) -> set[str]:
    """The ids of all files that erasures have rewritten, or are about to: what they held is not to be kept."""
    return {step.file_id for step in steps(landing) if step.step == REMOVE}


# ---------------------------------------------------------------- other parts of the journal


def not_of_erased(sessions: pl.DataFrame, landing: Path) -> pl.DataFrame:
    """Sessions (source, event_id and time of the event that opened each) without those of erased persons, and expired ones."""
    held = tombstones(landing)
    if held.before is not None:
        sessions = sessions.filter(pl.col("opened_at") >= held.before)
    if SESSION not in held.namespaces:
        return sessions
    opened = sessions.select("source", "event_id").iter_rows()
    return sessions.filter(
        pl.Series([not held.holds(SESSION, event_text(*event)) for event in opened], dtype=pl.Boolean)
    )


def vanished_events(landing: Path) -> pl.DataFrame:
    """Source and event_id of the events that opened sessions which the journal says are gone."""
    file = landing / JOURNAL / SESSIONS
    lines = file.read_bytes().splitlines() if file.exists() else []
    told = [(said["source"], said["event_id"]) for line in lines if (said := _read(line)) is not None]
    return pl.DataFrame(told, schema={"source": pl.String, "event_id": pl.String}, orient="row")


def clean_journal(landing: Path, held: Tombstones) -> dict[str, int]:
    """Take what tells of erased persons out of the other files of the journal; returns how many lines each has lost."""
    concerned: dict[str, Callable[[dict[str, Any]], bool]] = {
        SESSIONS: lambda line: held.holds(SESSION, event_text(line["source"], line["event_id"])),
        RETRACTIONS: lambda line: any(
            held.holds(line[f"{end}_namespace"], line[f"{end}_value"]) for end in ("from", "to")
        ),
    }
    lost = {name: _without(landing / JOURNAL / name, test) for name, test in concerned.items()}
    return {name: count for name, count in lost.items() if count}


def without_events(landing: Path, events: set[tuple[str, str]]) -> int:
    """Take the sessions that these events (source, event_id) had opened out of the journal; returns how many lines it has lost."""
    return _without(landing / JOURNAL / SESSIONS, lambda line: (line["source"], line["event_id"]) in events)


def _without(file: Path, is_concerned: Callable[[dict[str, Any]], bool]) -> int:
    """Rewrite a file of the journal without some lines; a line that was cut by a crash goes too, it counts for nothing."""
    if not file.exists():
        return 0
    lines = file.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if (said := _read(line)) is not None and not is_concerned(said)]
    if len(kept) == len(lines):
        return 0
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("wb") as stream:
        stream.writelines(kept)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, file)
    return len(lines) - len(kept)


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
