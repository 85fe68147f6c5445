"""Identity: who is taken for one customer, on what evidence, and where that stayed open."""

from typing import Any

import polars as pl

from reports.frames import single
from reports.page import Figure, Page, Query, Section, Terms, Tile, Tiles
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import count, name, percent, plural, quoted, sentence, share
from transforms.statistics import FEW

OUTCOMES = ("joined", "alone", "shared", "capped")
EVIDENCE = ("applied", "conflict", "capped", "retracted")
MOST_VISITORS = 10
WORDS = (
    ("Joined", "The identifier belongs to a customer together with others."),
    ("Alone", "Nothing ties it to another identifier: it is a customer of its own."),
    ("Shared", "A browser or device of several people. It joins nobody; each of its events goes to whoever was recognised nearest to it."),
    ("Capped", "Tied to more people than one person plausibly knows, such as the address of a shop. It joins nobody."),
    ("Conflict", "It would make one customer of two who are known to be two, for example of two account numbers. It is kept and not used."),
    ("Retracted", "Somebody said that the two are not one person."),
)  # fmt: skip


def build(view: View) -> list[Page]:
    """The page of identity. Reads reports.identity_customers, reports.identity_map, reports.identity_evidence."""
    customers = view.table("reports.identity_customers")
    parts = (
        Section("In short", (totals(view),)),
        Section("Customers", (customer_figure(customers),)),
        Section("Identifiers", (identifier_figure(view.table("reports.identity_map")),)),
        Section("Evidence", (evidence_figure(view.table("reports.identity_evidence")),)),
        Section("What the outcomes mean", (Terms(WORDS),)),
    )
    return [Page("identity.html", "Identity", "Who is who", heading(customers), lead(customers), parts)]


def summed(frame: pl.DataFrame, column: str) -> int:
    """The sum of a column of counts."""
    return int(single(frame, pl.col(column).cast(pl.Int64).sum()) or 0)


def heading(customers: pl.DataFrame) -> str:
    """How many customers are known by more than a browser."""
    every, known = summed(customers, "customers"), summed(customers, "identified")
    if not every:
        return "Nobody has been seen yet"
    said = f" ({percent(known / every)})" if every >= FEW else ""
    return f"{count(known)} of {plural(every, 'customer')} are known by more than a browser{said}"


def lead(customers: pl.DataFrame) -> str:
    """How many identifiers make how many customers."""
    return (
        f"{plural(summed(customers, 'identifiers'), 'identifier')} were put together to {plural(summed(customers, 'customers'), 'customer')}. "
        "Two identifiers are one customer where an event or a record shows both, never because they look alike."
    )


def totals(view: View) -> Tiles:
    """Customers on several browsers, shared browsers, evidence that was not used."""
    customers, identifiers, evidence = (
        view.table(f"reports.identity_{name}") for name in ("customers", "map", "evidence")
    )
    every = summed(customers, "customers")
    several = summed(customers.filter(pl.col("visitors") > 1), "customers")
    unused = sum(summed(evidence, outcome) for outcome in EVIDENCE[1:])
    return Tiles(
        (
            Tile("On several browsers or devices", count(several), "", f"{share(several, every)} of all customers"),
            Tile("Shared browsers", count(summed(identifiers, "shared")), "", "used by several people, join nobody"),
            Tile("Pairs not used", count(unused), "", f"of {plural(summed(evidence, 'pairs'), 'pair')} of identifiers seen together"),
            Tile("Several account numbers", count(summed(customers, "multi_strong")), "", "customers merged by a person or the CRM"),
        )
    )  # fmt: skip


def customer_figure(customers: pl.DataFrame) -> Figure:
    """Customers by the number of browsers and devices they were seen on."""
    rows = customers.sort("visitors")
    every = summed(rows, "customers")
    several = summed(rows.filter(pl.col("visitors") > 1), "customers")
    lines = [
        cells(
            f"{row['visitors']}{' or more' if row['visitors'] == MOST_VISITORS else ''}",
            count(row["customers"]),
            share(row["customers"], every),
            count(row["identified"]),
            count(row["most_identifiers"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Figure(
        "identity-customers",
        f"{sentence(share(several, every))} of all customers were seen on several browsers or devices: {count(several)} of {count(every)}"
        if every
        else "No customer yet",
        "None: known from records alone. Most identifiers: the largest customer of the row; one that is very large may be two people.",
        None,
        table(
            (*texts("Browsers and devices"), *numbers("Customers", "Share", "Known by more", "Most identifiers")), lines
        ),
        Query("identity_customers"),
        is_open=True,
    )


def identifier_figure(identifiers: pl.DataFrame) -> Figure:
    """Identifiers of each kind by what became of them."""
    rows = identifiers.sort("namespace")
    lines = [
        cells(name(row["namespace"]), *(count(row[column]) for column in ("identifiers", *OUTCOMES, "customers")))
        for row in rows.iter_rows(named=True)
    ]
    joined, every = summed(rows, "joined"), summed(rows, "identifiers")
    return Figure(
        "identity-identifiers",
        f"{count(joined)} of {plural(every, 'identifier')} belong to a customer together with others"
        if every
        else "No identifier yet",
        "Personal values are kept as keyed hashes only.",
        None,
        table(
            (
                *texts("Kind"),
                *numbers("Identifiers", *(one.capitalize() for one in OUTCOMES), "Customers"),
            ),
            lines,
        ),
        Query("identity_map"),
        is_open=True,
    )


def evidence_figure(evidence: pl.DataFrame) -> Figure:
    """What ties identifiers together, the strongest evidence first."""
    lines = [
        cells(name(row["kind"]).replace("_", " "), *(count(row[column]) for column in ("pairs", "events", *EVIDENCE)))
        for row in evidence.sort("strength", "kind").iter_rows(named=True)
    ]
    return Figure(
        "identity-evidence",
        evidence_sentence(evidence),
        "Pairs of identifiers that an event or a record shows together, the strongest kind first.",
        None,
        table((*texts("Kind"), *numbers("Pairs", "Events", *(one.capitalize() for one in EVIDENCE))), lines),
        Query("identity_evidence"),
        is_open=True,
    )


def evidence_sentence(evidence: pl.DataFrame) -> str:
    """Where most that is used comes from, or that nothing ties anybody."""
    used = evidence.filter(pl.col("applied") > 0).sort("applied", "kind", descending=[True, False])
    if used.is_empty():
        return "Nothing ties identifiers together yet"
    row: dict[str, Any] = used.row(0, named=True)
    kind = str(row["kind"]).replace("_", " ")
    return f"Most of what is used comes from {quoted(kind)}: {count(row['applied'])} of {plural(summed(used, 'applied'), 'pair')}"
