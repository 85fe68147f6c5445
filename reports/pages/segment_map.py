"""Segment maps: the journey map of the customers of one segment, a persona where it is one, beside everybody's."""

import polars as pl

from reports.page import Figure, Grid, GridRow, Item, Notice, Page, Section
from reports.pages.journey_map import (
    action_items,
    contact_figure,
    contact_items,
    contacts_met,
    move_items,
    of_stage,
    pain_figure,
    pain_items,
    phase_words,
    reach_items,
    shares_of,
)
from reports.pages.map_surveys import survey_items
from reports.rates import Rate
from reports.segments import of_segment, segment_query
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, name, percent, plural, quoted, sentence, share
from transforms.journey import Segment
from transforms.statistics import FEW


def build(view: View) -> list[Page]:
    """A map for each segment of journey.yaml, up to twelve.

    Reads mart.stage_reach, reports.map_contacts, and of each segment map_contacts, map_actions, map_surveys, map_reach, map_moves.
    """
    return [page_of(view, segment, file) for segment, file in view.mapped_segments] if view.journey.stages else []


def page_of(view: View, segment: Segment, file: str) -> Page:
    """The map of one segment."""
    reach = view.table(of_segment("map_reach", segment.name))
    members = int(reach["of_customers"].max() or 0)  # type: ignore[arg-type]
    contacts = contacts_met(view, segment.name)
    too_few = (Notice(f"{plural(members, 'customer')}: too few to say how this segment differs from everybody."),)
    parts = (
        Section("The map", (*(too_few if members < FEW else ()), grid(view, segment.name, reach, contacts))),
        Section("Stages", (reach_figure(view, segment.name, reach), moves_figure(view, segment.name))),
        Section("Contacts", (contact_figure(view, contacts, segment.name), pain_figure(contacts, segment.name))),
    )
    label = f"Map of {name(segment.name, limit=40)}"
    lead = (
        name(segment.description, limit=300) if segment.description else "A segment of journey.yaml, as of the horizon."
    )
    return Page(
        file,
        label,
        "Current state of one segment",
        heading(segment, view, reach, members),
        lead,
        parts,
        is_listed=False,
    )


def heading(segment: Segment, view: View, reach: pl.DataFrame, members: int) -> str:
    """The stage in which the segment differs most from everybody."""
    who = f"{sentence(quoted(segment.name, limit=40))}: {plural(members, 'customer')}"
    everybody = view.table("mart.stage_reach").select("stage", all_reached="customers", all_customers="of_customers")
    gaps = reach.join(everybody, on="stage").with_columns(
        gap=pl.col("customers") / pl.col("of_customers") - pl.col("all_reached") / pl.col("all_customers")
    )
    if members < FEW or gaps.is_empty():
        return who
    row = gaps.sort(pl.col("gap").abs(), "stage", descending=[True, False]).row(0, named=True)
    theirs, all_ = percent(row["customers"] / row["of_customers"]), percent(row["all_reached"] / row["all_customers"])
    return f"{who}, of whom {theirs} ever entered {quoted(row['stage'], limit=40)} (of everybody {all_})"


def grid(view: View, segment: str, reach: pl.DataFrame, contacts: pl.DataFrame) -> Grid:
    """The stages side by side, of this segment alone."""
    stages = view.journey.stages
    entered = {row["stage"]: row for row in reach.iter_rows(named=True)}
    moves = view.table(of_segment("map_moves", segment))
    actions, surveys = (view.table(of_segment(file, segment)) for file in ("map_actions", "map_surveys"))
    everybody = shares_of(contacts_met(view))

    def across(label: str, note: str, items: list[tuple[Item, ...]]) -> GridRow:
        return GridRow(label, note, tuple(items))

    rows = [
        across("Customers", "who ever entered", [reach_items(entered.get(stage.name)) for stage in stages]),
        across("Touchpoints", "share of the stage’s customers who had one, and of everybody’s; went on; main channel",
               [contact_items(of_stage(contacts, stage), everybody) for stage in stages]),
        across("Actions", "what most customers do", [action_items(of_stage(actions, stage)) for stage in stages]),
        across("Pain points", "sessions that end here without a conversion, times customers hit; complaints and failures",
               [pain_items(of_stage(contacts, stage), of_stage(actions, stage)) for stage in stages]),
        across("Going on", "every move out",
               [tuple(move_items(moves.filter(pl.col("from_stage") == stage.name))) or (Item("nothing seen"),) for stage in stages]),
    ]  # fmt: skip
    if not surveys.is_empty():
        told = [survey_items(of_stage(surveys, stage)) for stage in stages]
        rows.insert(
            4, across("What they say", "last answer of each customer, by the stage of the contact before it", told)
        )
    columns = tuple(Item(name(stage.name, limit=40), phase_words(stage)) for stage in stages)
    return Grid("The journey map of one segment", columns, tuple(rows))


def reach_figure(view: View, segment: str, reach: pl.DataFrame) -> Figure:
    """Who of the segment ever entered each stage, beside everybody."""
    everybody = {row["stage"]: row for row in view.table("mart.stage_reach").iter_rows(named=True)}
    lines = []
    for row in reach.iter_rows(named=True):
        beside = everybody.get(row["stage"], {"customers": 0, "of_customers": 0})
        lines.append(
            cells(
                name(row["stage"], limit=40),
                *rate_cells(Rate.of(row["customers"], row["of_customers"])),
                share(beside["customers"], beside["of_customers"]),
                count(row["customers_now"]),
            )
        )
    return Figure(
        "segment-reach",
        f"{plural(int(reach['customers'].max() or 0), 'customer')} of the segment entered the stage most of them reached"  # type: ignore[arg-type]
        if reach.height
        else "Nobody of the segment has entered a stage yet",
        "Of the customers of the segment with any event: those who ever entered the stage, wherever they began. Everybody: the same of all "
        "customers, the segment among them.",
        None,
        table(
            (*texts("Stage"), *rate_columns("Customers", "Of the segment"), *numbers("Everybody", "In it now")), lines
        ),
        segment_query("map_reach", segment),
        is_open=True,
    )


def moves_figure(view: View, segment: str) -> Figure:
    """Every move of the customers of the segment."""
    moves = view.table(of_segment("map_moves", segment))
    place = {stage: number for number, stage in enumerate(view.journey.stage_names)}
    places = [
        pl.col(end).replace_strict(place, default=len(place), return_dtype=pl.Int64)
        for end in ("from_stage", "to_stage")
    ]
    lines = [
        cells(
            f"{name(row['from_stage'], limit=40)} → {name(row['to_stage'], limit=40)}",
            row["direction"] or "–",
            count(row["moves"]),
            count(row["customers"]),
        )
        for row in moves.sort(*places, "from_stage", "to_stage").iter_rows(named=True)
    ]
    onward = int(moves.filter(pl.col("to_stage") != "(still there)")["moves"].cast(pl.Int64).sum())
    return Figure(
        "segment-moves",
        f"{plural(onward, 'move')} between stages",
        "Every time that a customer of the segment was in a stage, and what followed.",
        None,
        table((*texts("From → to", "Direction"), *numbers("Moves", "Customers")), lines, most=200),
        segment_query("map_moves", segment),
    )
