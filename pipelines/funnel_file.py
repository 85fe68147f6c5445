"""Funnels of a plain file: a specification in YAML answered over events in NDJSON, without a warehouse."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import ConfigurationError, DataError
from pipelines.funnel_answers import Asked, Stored, answered, asked_properties, checked, ranged, refuse_properties
from pipelines.settings import read_specification
from transforms.contracts import CORE_CUSTOMER_SEGMENTS, CORE_CUSTOMERS, CORE_EVENTS, CORE_STAGE_ENTRIES
from transforms.events import customer_activity, plain_timeline
from transforms.hashing import digest_id
from transforms.journey import KNOWN_AT_ENTRY, Funnel, Journey, Segment, Specification, with_those_asked_for
from transforms.segments import customer_segments
from transforms.sessions import session_numbers
from transforms.stages import matches

SESSION_TIMEOUT = timedelta(minutes=30)
SESSION_MAX_LENGTH = timedelta(hours=24)
TEXTS = ("event_id", "event", "customer_id", "session_id", "account_id", "stage")
SCHEMA = {name: CORE_EVENTS.schema[name] for name in (*TEXTS, "is_stage_entry", "seq", "occurred_at", "properties")}


def answer_from_file(spec: Path, events: Path, asked: Asked = Asked()) -> dict[str, Any] | list[dict[str, Any]]:  # noqa: B008
    """The answer of each funnel of a specification over a file of events: one answer, or a list for a list.

    What was asked beside counts for every funnel; segments are those of the specification, and one list of drop-offs is of
    one funnel.

    Rows without event_id are separate events, rows with the same one are one event. A session follows the 30-minute rule
    unless session_id is given. Without a declared horizon the file is complete to its newest event.
    Raises ConfigurationError for a wrong specification, DataError naming file and line for an unreadable event.
    """
    said, is_one = read_specification(spec)
    if asked.segments and not said.segments:
        raise ConfigurationError(
            f"--segment asks for a segment, and {spec} has none; write it as a mapping with `funnels:` and `segments:`"
        )
    refuse_untold(said.segments, has_conversions=bool(said.conversions))
    if asked.file and len(said.funnels) > 1:
        raise ConfigurationError(f"--out writes the list of one funnel; {spec} has {len(said.funnels)}")
    frame = read_events(events)
    answers = [answer(funnel, frame, asked, said=said) for funnel in said.funnels]
    return answers[0] if is_one else answers


def refuse_untold(segments: Sequence[Segment], *, has_conversions: bool) -> None:
    """Raise ConfigurationError for a segment that asks for something that a plain file does not tell."""
    for segment in segments:
        for name in segment.customer:
            if name.endswith("_stage") or name not in KNOWN_AT_ENTRY:
                told = ", ".join(each for each in KNOWN_AT_ENTRY if not each.endswith("_stage"))
                raise ConfigurationError(
                    f"segment '{segment.name}' asks for '{name}', which a plain file of events does not tell; it tells: {told}"
                )
            if "purchase" in name and not has_conversions:
                raise ConfigurationError(
                    f"segment '{segment.name}' asks for '{name}', but the specification says of no event that it is a purchase; "
                    "add `conversions: [{event: order_placed}]`"
                )
        if any(when.source for when in (*segment.did, *segment.did_not)):
            raise ConfigurationError(f"segment '{segment.name}' asks for a `source`; a plain file of events has none")


def answer(funnel: Funnel, events: pl.DataFrame, asked: Asked, *, said: Specification) -> dict[str, Any]:
    """The answer of one funnel."""
    wanted = ranged(funnel, asked.from_day, asked.to_day, asked.breakdowns)
    known = checked(wanted, asked, segments=said.segments, where="the specification has")
    if properties := asked_properties(asked):
        carried = set().union(*(json.loads(text) for text in events["properties"]))
        refuse_properties(properties, known={*CORE_EVENTS.schema, *carried})
    if any(step.stage for step in funnel.steps) and "stage" not in events.columns:
        raise ConfigurationError(
            f"funnel '{funnel.name}' asks for a stage, but no event of the file has one; "
            "write `event: …`, or give the events a `stage`"
        )
    unit = f"{funnel.unit}_id"
    if events.height and events[unit].null_count() == events.height:
        missing = "account_id" if funnel.unit == "account" else "customer_id"
        raise DataError(
            f"funnel '{funnel.name}' counts {funnel.unit}s, but no event of the file has `{missing}`; "
            'a line is {"occurred_at": "2026-01-31T09:00:00Z", "event": "add_to_cart", "customer_id": "ann", "properties": {}}'
        )
    newest = events.select(pl.col("occurred_at").max()).item()
    horizon = funnel.horizon_at or newest
    timeline = plain_timeline(events.lazy(), conversions=said.conversions)
    stored = Stored(
        events=events.lazy(),
        members=members(timeline, known.segments, said, horizon),
        horizon=horizon,
        session_timeout=SESSION_TIMEOUT,
        timeline=timeline,
        segments=said.segments,
    )
    return answered(stored, wanted, known, asked)


def members(
    timeline: pl.LazyFrame, asked: Sequence[Segment], said: Specification, horizon: datetime | None
) -> pl.DataFrame:
    """CORE_CUSTOMER_SEGMENTS, as of the horizon, of the segments that were asked for."""
    if not asked:
        return CORE_CUSTOMER_SEGMENTS.empty()
    known = timeline.filter(pl.col("occurred_at") <= horizon) if horizon else timeline
    activity = customer_activity(known, CORE_STAGE_ENTRIES.empty().lazy(), journey=Journey())
    customers = CORE_CUSTOMERS.conform(activity)
    wanted = with_those_asked_for([segment.name for segment in asked], said.segments)
    return customer_segments(customers, known, segments=wanted, matches=matches).collect()


# ---------------------------------------------------------------- events


def read_events(path: Path) -> pl.DataFrame:
    """The events of an NDJSON file (plain or .gz), as columns of core.events, each event key once.

    Keys other than event_id, occurred_at, event, customer_id, session_id, account_id, seq, stage, is_stage_entry and
    properties count as properties. `stage` and `is_stage_entry` are columns only where some event has a stage.
    """
    by_id: dict[str, dict[str, Any]] = {}
    seen: Counter[str] = Counter()
    for number, text in numbered_lines(path):
        row = read_row(text, f"{path}, line {number}")
        if row["event_id"] is None:
            content = content_hash(row)
            row["event_id"] = f"{content}-{seen[content]}"
            seen[content] += 1
        rival = by_id.setdefault(row["event_id"], row)
        if rival is not row and precedence(row) < precedence(rival):
            by_id[row["event_id"]] = row
    frame = pl.DataFrame(list(by_id.values()), schema=SCHEMA)
    has_stages = frame["stage"].null_count() < frame.height
    return with_sessions(frame if has_stages else frame.drop("stage", "is_stage_entry"))


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, text in enumerate(lines, start=1):
                if text.strip():
                    yield number, text
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_row(text: str, place: str) -> dict[str, Any]:
    """One event, checked; `place` says where it stands."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not valid JSON: {error}") from error
    if not isinstance(said, dict):
        raise DataError(
            f'{place}: expected an object such as {{"occurred_at": …, "event": …}}, found {type(said).__name__}'
        )
    properties = said.pop("properties", None) or {}
    if not isinstance(properties, dict):
        raise DataError(f"{place}: `properties` is an object, found {type(properties).__name__}")
    row: dict[str, Any] = {name: read_text(said.pop(name, None), name, place) for name in TEXTS}
    row["occurred_at"] = read_instant(said.pop("occurred_at", None), place)
    row["seq"] = read_typed(said.pop("seq", None), int, "seq", place)
    row["is_stage_entry"] = read_typed(said.pop("is_stage_entry", None), bool, "is_stage_entry", place)
    row["properties"] = json.dumps({**said, **properties}, sort_keys=True, ensure_ascii=False)
    if row["event"] is None:
        raise DataError(f"{place}: `event` is missing")
    return row


def read_text(value: Any, name: str, place: str) -> str | None:
    """A name or id as text; null and the empty text are none."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(f"{place}: `{name}` is text or a whole number, found {value!r}")
    return str(value)


def read_typed(value: Any, kind: type, name: str, place: str) -> Any:
    """A value of one type, or None."""
    if value is not None and type(value) is not kind:
        raise DataError(f"{place}: `{name}` is {'a whole number' if kind is int else 'true or false'}, found {value!r}")
    return value


def read_instant(value: Any, place: str) -> datetime:
    """An instant from ISO 8601 text, with or without fraction; without a zone it is UTC."""
    if not isinstance(value, str):
        raise DataError(f"{place}: `occurred_at` is ISO text such as 2026-01-31T09:00:00Z, found {value!r}")
    try:
        instant = datetime.fromisoformat(value.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{place}: `occurred_at` is ISO text such as 2026-01-31T09:00:00Z, found {value!r}") from error


def precedence(row: dict[str, Any]) -> tuple[datetime, str]:
    """Of rows with one id the earliest is the event, then the one with the smallest hash."""
    return row["occurred_at"], content_hash(row)


def content_hash(row: dict[str, Any]) -> str:
    """Hash of everything an event says, its id aside."""
    said = {name: str(value) for name, value in row.items() if name != "event_id"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def with_sessions(events: pl.DataFrame) -> pl.DataFrame:
    """Events with session_id: the given one, else that of the customer's sitting, after its first event."""
    waiting = events.filter(pl.col("session_id").is_null() & pl.col("customer_id").is_not_null())
    numbered = session_numbers(waiting.lazy(), by="customer_id", timeout=SESSION_TIMEOUT, max_length=SESSION_MAX_LENGTH)
    ordered = numbered.sort("occurred_at", "seq", "event_id", nulls_last=False)
    first = (
        pl.col("event_id").first().over("customer_id", "session_number", order_by=["occurred_at", "seq", "event_id"])
    )
    opened = ordered.select("event_id", opened=digest_id(pl.lit("customer"), first)).collect()
    joined = events.join(opened, on="event_id", how="left").sort("event_id")
    return joined.with_columns(session_id=pl.coalesce("session_id", "opened")).drop("opened")
