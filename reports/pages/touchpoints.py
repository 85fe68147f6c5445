"""Touchpoints: which contacts people have in each stage, and at which of them their sessions end."""

import polars as pl

from reports.frames import single, widest
from reports.page import Cell, Figure, Page, Query, Section
from reports.rates import Rate
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import count, listed, name, plural, quoted, sentence, share
from transforms.statistics import FEW


def build(view: View) -> list[Page]:
    """The page of contacts. Reads the answer touchpoints."""
    contacts = view.answer("touchpoints").with_columns(
        pl.col("events", "customers", "sessions", "exits", "converted_sessions").cast(pl.Int64),
        place=stage_place(view),
    )
    parts = (
        Section("Where sessions end", (exit_figure(contacts),)),
        Section("What people meet in each stage", (stage_figure(contacts, view),)),
    )
    return [
        Page("touchpoints.html", "Touchpoints", "Contacts with customers", heading(contacts), lead(contacts), parts)
    ]


def stage_place(view: View) -> pl.Expr:
    """The place of a row's stage in the journey, from 0."""
    order = {stage: place for place, stage in enumerate(view.journey.stage_names)}
    return pl.col("stage").replace_strict(order, default=len(order), return_dtype=pl.Int64)


def heading(contacts: pl.DataFrame) -> str:
    """The contact at which most sessions end."""
    if contacts.is_empty():
        return "No contact has been mapped yet"
    ends = (
        contacts.group_by("touchpoint").agg(pl.col("exits").sum()).sort("exits", "touchpoint", descending=[True, False])
    )
    every, most = int(single(ends, pl.col("exits").sum())), ends.row(0, named=True)
    if not every:
        return "No session has ended at a touchpoint yet"
    if ends.filter(pl.col("exits") == most["exits"]).height > 1:
        return f"{plural(every, 'session')} ended at a touchpoint, at no single one more than elsewhere"
    rate = Rate.without_interval(most["exits"], every)
    return (
        f"More sessions end at {quoted(most['touchpoint'], limit=40)} than at any other touchpoint: "
        f"{rate.counts}{f' ({rate.text})' if rate.says_enough else ''}"
    )


def lead(contacts: pl.DataFrame) -> str:
    """What counts as an end."""
    if contacts.is_empty():
        return "Touchpoints are listed under the stages of journey.yaml; as soon as events match them, this page counts them."
    times = count(single(contacts, pl.col("events").sum()))
    return (
        f"{plural(contacts.height, 'kind')} of contact were met {times} times. A session ends at a contact when no other contact follows in it. "
        "That is no fault by itself – an order is an end too – but it shows where to look."
    )


def exit_figure(contacts: pl.DataFrame) -> Figure:
    """The contacts by how many sessions end there."""
    rows = contacts.filter(pl.col("sessions") > 0).sort("exits", "place", "touchpoint", descending=[True, False, False])
    lines = [
        cells(
            Cell(name(row["touchpoint"]), where(row)),
            count(row["sessions"]),
            count(row["exits"]),
            share(row["exits"], row["sessions"]),
            count(row["converted_sessions"]),
            share(row["converted_sessions"], row["sessions"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    often = rows.filter(pl.col("sessions") >= FEW).with_columns(rate=pl.col("exits") / pl.col("sessions"))
    if often.is_empty():
        finding = "Too few sessions to say where they end"
    else:
        worst = widest(often, "rate")
        rate = Rate.without_interval(worst["exits"], worst["sessions"])
        finding = (
            f"Of touchpoints met in {FEW} sessions or more, the largest share of sessions ends at {quoted(worst['touchpoint'])}: "
            f"{rate.counts} ({rate.text})"
        )
    return Figure(
        "exits",
        finding,
        "Sessions that met each contact, those that ended there, and those that held a conversion. One customer may have several sessions, so no "
        "intervals are given.",
        None,
        table((*texts("Contact"), *numbers("Sessions", "Ended here", "Share", "With a conversion", "Share")), lines),
        Query("touchpoints"),
        is_open=True,
    )


def where(row: dict[str, str | None]) -> str:
    """The stage and phase of a contact."""
    return " · ".join(name(part, limit=40) for part in (row["stage"], row["phase"]) if part)


def stage_figure(contacts: pl.DataFrame, view: View) -> Figure:
    """The contacts of each stage, the most common first; stages without any are named."""
    rows = contacts.sort("place", "stage", "customers", "touchpoint", descending=[False, False, True, False])
    lines = [
        cells(Cell(name(row["touchpoint"]), where(row)), count(row["customers"]), count(row["events"]))
        for row in rows.iter_rows(named=True)
    ]
    met = set(contacts["stage"].to_list())
    missing = [quoted(stage) for stage in view.journey.stage_names if stage not in met]
    finding = (
        f"{sentence(listed(missing))} {'has' if len(missing) == 1 else 'have'} no contact yet"
        if missing
        else "Every stage has contacts"
    )
    return Figure(
        "contacts",
        finding,
        "Kinds of contact in the order of the journey, the most common of each stage first.",
        None,
        table((*texts("Contact"), *numbers("Customers", "Events")), lines),
        Query("touchpoints"),
        is_open=True,
    )
