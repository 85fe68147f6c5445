"""People: whom an identifier names, and all that the published warehouse holds of that customer, in order of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, ask, open_published
from reports.words import money
from transforms.canonical import Rules, e164, identifier_value
from transforms.contracts import IDENTIFIERS
from transforms.hashing import digest_id
from transforms.identity import IDENTIFIER
from transforms.mapping import HIDEABLE

SHOWN = 12
HEX_DIGITS = frozenset("0123456789abcdef")
NEVER_HIDDEN: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Named:
    """Whom a question is about: an identifier, its customer and how it stands to it.

    `customer_id` is null for a visitor of several people and an address of too many; `namespace` and `value` are null for
    the customer of an event that carries no identifier.
    """

    namespace: str | None
    value: str | None
    customer_id: str | None
    status: str | None


# ---------------------------------------------------------------- who is meant


def named(place: Workspace, connection: Connection, asked: str) -> Named:
    """Whom this names: an identifier (as it is stored, or in clear), namespace:identifier, or an id of a customer.

    Raises ConfigurationError when it is an identifier of several namespaces; DataError when nobody has it, or when it can
    only be compared under the key for personal values and there is none.
    """
    namespace, text = _parts(asked.strip())
    pairs, problem = _stored(place, namespace, text)
    asked_for = {
        "namespaces": [space for space, _ in pairs],
        "values": [value for _, value in pairs],
    }
    found = ask(connection, "ops/identifiers_named.sql", asked_for).rows(named=True)
    spaces = sorted({row["namespace"] for row in found})
    if len(spaces) > 1:
        choices = " or ".join(f"{space}:{text}" for space in spaces)
        raise ConfigurationError(f"'{text}' is an identifier of {' and '.join(spaces)}; say which: {choices}")
    if found:
        return Named(*(found[0][name] for name in ("namespace", "value", "customer_id", "status")))
    customers = ask(connection, "ops/customers_named.sql", {"id": text}) if namespace is None else pl.DataFrame()
    if customers.height:
        return _of_customer(connection, text, customers.item(0, 0))
    raise problem or DataError(_unknown(connection, asked.strip(), text))


def written_as(place: Workspace, asked: str) -> list[tuple[str, str]]:
    """The namespaces and values under which what is asked for may be stored, as far as they can be worked out."""
    return _stored(place, *_parts(asked.strip()))[0]


def _parts(asked: str) -> tuple[str | None, str]:
    """The namespace, where one is given, and the identifier."""
    space, _, value = asked.partition(":")
    return (space, value.strip()) if space in IDENTIFIERS and value.strip() else (None, asked)


def _stored(place: Workspace, namespace: str | None, text: str) -> tuple[list[tuple[str, str]], DataError | None]:
    """The namespaces and values under which an identifier may be stored; and why some of them could not be worked out."""
    identity = place.configuration.journey.identity
    sources = place.configuration.sources.values()
    hidden = {space for source in sources for space in HIDEABLE if getattr(source.pii, space) == "hmac"}
    is_number = e164(text, identity.country) is not None
    spaces = [namespace] if namespace else list(IDENTIFIERS)
    pairs, problem = [(space, text) for space in spaces], None
    for space in spaces:
        for kept in {NEVER_HIDDEN, frozenset(hidden & {space})}:
            is_personal = (space == "phone" and is_number) or (space == "email" and namespace == "email")
            try:
                key = place.hmac_key if kept or is_personal or "@" in text else b""
            except DataError as error:
                problem = error
                continue
            rules = Rules(country=identity.country, junk=identity.junk, valid=identity.valid, hidden=kept, hmac_key=key)
            value = identifier_value(text, namespace=space, rules=rules)
            pairs += [(space, value)] if value else []
    return list(dict.fromkeys(pairs)), problem


def _of_customer(connection: Connection, asked: str, customer: str) -> Named:
    """A customer by an id that is, or could be, theirs: the identifier whose hash it is, where there is one."""
    held = ask(connection, "ops/customer_identifiers.sql", {"customer": customer})
    owner = held.filter(digest_id(*IDENTIFIER) == asked).rows(named=True)
    if owner:
        return Named(owner[0]["namespace"], owner[0]["value"], customer, owner[0]["status"])
    return Named(None, None, customer, None)


def _unknown(connection: Connection, asked: str, text: str) -> str:
    """That nobody has it, the nearest that somebody has, and how to write one."""
    near = ask(connection, "ops/nearest_identifier.sql", {"value": text.rpartition(":")[2]}).rows()
    hint = f" (the nearest is {near[0][0]}:{near[0][1]})" if near and "@" not in text else ""
    return (
        f"no event or record carries '{asked}'{hint}; write an identifier, namespace:identifier with one of "
        f"{', '.join(IDENTIFIERS)}, or a customer_id; e-mail addresses and phone numbers in clear"
    )


def identifier_text(namespace: str | None, value: str | None) -> str:
    """An identifier as people read it; of a keyed hash the first digits."""
    if namespace is None or value is None:
        return "(no identifier)"
    is_hash = len(value) == 64 and HEX_DIGITS.issuperset(value)
    return f"{namespace}:{value[:SHOWN]}…" if is_hash else f"{namespace}:{value}"


# ---------------------------------------------------------------- the history of a customer


def history(place: Workspace, asked: str, *, limit: int) -> dict[str, Any]:
    """All that is known of a customer: identifiers, money by currency, segments, sessions, stages, contacts, newest events.

    Raises as `named`, and DataError for an identifier that has no customer of its own.
    """
    with open_published(place.published) as connection:
        found = named(place, connection, asked)
        if found.customer_id is None:
            text = identifier_text(found.namespace, found.value)
            raise DataError(
                f"{text} is {found.status}: several people have it, so it is no customer; see whose with: journeys why {asked}"
            )
        who = {"customer": found.customer_id}

        def rows(name: str, **more: Any) -> list[dict[str, Any]]:
            return ask(connection, f"ops/customer_{name}.sql", {**who, **more}).rows(named=True)

        return {
            "customer": next(iter(rows("summary")), {"customer_id": found.customer_id}),
            "identifiers": [{key: row[key] for key in (*IDENTIFIER, "valid_from")} for row in rows("identifiers")],
            "money": rows("money"),
            "segments": [row["segment"] for row in rows("segments")],
            "sessions": rows("sessions"),
            "stages": rows("stages"),
            "touches": rows("touches"),
            "event_total": rows("event_total")[0]["events"],
            "events": rows("events", limit=limit),
        }


def print_history(told: dict[str, Any], out: Console) -> None:
    """Print who a customer is, then what happened, a line each, in order of time."""
    for line in [*_portrait(told), "", *_timeline(told)]:
        out.print(line, markup=False)


def _portrait(told: dict[str, Any]) -> list[str]:
    customer = told["customer"]
    names = [identifier_text(row["namespace"], row["value"]) for row in told["identifiers"]]
    lines = [
        f"Customer     {customer['customer_id']}, {moment(customer.get('first_seen_at'))} to "
        f"{moment(customer.get('last_seen_at'))}",
        f"Identifiers  {', '.join(names) or 'none'}",
        f"Stage        {customer.get('current_stage') or 'none'}, furthest {customer.get('furthest_stage') or 'none'}",
        f"Segments     {', '.join(told['segments']) or 'none'}",
    ]
    for row in told["money"]:
        returned = f" less {row['returns']:,} returned" if row["returns"] else ""
        worth = money(row["value_minor"], row["currency"]) if row["value_minor"] is not None else "no value given"
        lines.append(f"Money        {worth} of {counted(row['conversions'], 'conversion')}{returned}")
    shown, total = len(told["events"]), told["event_total"]
    newest = f", the newest {shown:,} below" if shown < total else ""
    lines.append(
        f"History      {counted(len(told['sessions']), 'session')}, {counted(len(told['stages']), 'stage entry', 'stage entries')}, "
        f"{counted(len(told['touches']), 'contact')}, {counted(total, 'event')}{newest}"
    )
    return lines


def _timeline(told: dict[str, Any]) -> list[str]:
    """Sessions, stage entries, contacts and events as lines, in order of time; what began at one instant stands in this order."""
    kinds = (
        ("sessions", "started_at", _session_line),
        ("stages", "entered_at", _stage_line),
        ("touches", "touched_at", _touch_line),
        ("events", "occurred_at", _event_line),
    )
    lines = [
        (row[time], rank, number, f"{moment(row[time])}  {line(row)}  [{row['source']} {row['event_id']}]")
        for rank, (kind, time, line) in enumerate(kinds)
        for number, row in enumerate(told[kind])
    ]
    dated = sorted((line for line in lines if line[0] is not None), key=lambda line: line[:3])
    return [text for *_, text in [*(line for line in lines if line[0] is None), *dated]]


def _session_line(row: dict[str, Any]) -> str:
    campaign = f", campaign {row['utm_campaign']}" if row["utm_campaign"] else ""
    bought = ", converted" if row["is_converted"] else ""
    return f"session {row['session_number']}: {row['channel'] or 'no channel'}{campaign}, {counted(row['event_count'], 'event')}{bought}"


def _stage_line(row: dict[str, Any]) -> str:
    cause = row["touchpoint"] or row["event"]
    return f"  enters {row['stage']} ({row['direction']}) by {cause}"


def _touch_line(row: dict[str, Any]) -> str:
    return f"  contact {row['touch_number']}: {row['channel'] or 'no channel'}, {row['touchpoint'] or 'no touchpoint'}"


def _event_line(row: dict[str, Any]) -> str:
    about = [row["path"], row["state"], row["touchpoint"]]
    worth = [money(row["value_minor"], row["currency"])] if row["value_minor"] is not None else []
    return "    " + ", ".join([row["event"] or "(no name)", *(text for text in about if text), *worth])


def moment(at: datetime | None) -> str:
    """An instant (UTC) to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "no time known"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
