"""Stage: everything about one stage on one page: who enters, from where, what they meet, what hurts, how long they stay, where they go."""

import polars as pl

from reports.findings import next_stage
from reports.page import Cell, Figure, Page, Query, Section, Table, Tile, Tiles
from reports.pages.journey_map import (
    action_items,
    contacts_met,
    hurting,
    of_stage,
    phase_words,
    target_item,
)
from reports.pages.stages import few_or, median, settled
from reports.pages.touchpoints import where
from reports.rates import Rate
from reports.segments import segment_query
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, day, duration, name, plural, quoted, sentence, share
from transforms.journey import Stage

START, STAY = "(start)", "(still there)"


def build(view: View) -> list[Page]:
    """A page for each stage.

    Reads mart.stage_reach, mart.stage_conversion, mart.stage_transitions, mart.kpis, reports.map_contacts, reports.map_actions, and
    the answers stage_velocity, stuck and friction.
    """
    return [page_of(view, stage) for stage in view.journey.stages]


def page_of(view: View, stage: Stage) -> Page:
    """The page of one stage."""
    contacts = of_stage(contacts_met(view), stage)
    parts = (
        Section("In short", (tiles(view, stage),)),
        Section("Where they come from, and where they go", (came_figure(view, stage), went_figure(view, stage))),
        Section("How many reach a later stage, and when", (onward_figure(view, stage),)),
        Section("What they meet", (contact_figure(stage, contacts), trouble_figure(view, stage))),
        Section("What they do", (action_figure(view, stage),)),
        Section("Targets and changes", (target_figure(view, stage), changes_table(view, stage))),
    )
    said = [name(stage.description, limit=300)] if stage.description else []
    said += [f"Phases: {phase_words(stage)}."] if stage.phases else []
    said += [f"Owner: {name(stage.owner)}." if stage.owner else "No owner is named."]
    label = f"Stage {name(stage.name, limit=40)}"
    return Page(
        view.stage_files[stage.name],
        label,
        "One stage",
        heading(view, stage),
        " ".join(said),
        parts,
        is_listed=False,
    )


def one(rows: pl.DataFrame, column: str, stage: Stage) -> dict[str, int]:
    """The row of a stage; zeros where it has none."""
    found = rows.filter(pl.col(column) == stage.name)
    return found.row(0, named=True) if found.height else dict.fromkeys(rows.columns, 0)


def onward(view: View, stage: Stage) -> Rate | None:
    """Of those who entered and whose time is over, who reached the next stage; None from the last one."""
    rows = next_stage(view.table("mart.stage_conversion")).filter(pl.col("from_stage") == stage.name)
    return settled(rows.row(0, named=True)) if rows.height else None


def heading(view: View, stage: Stage) -> str:
    """How many ever entered, and how many go on."""
    reach = one(view.table("mart.stage_reach"), "stage", stage)
    rate = onward(view, stage)
    words = f"{plural(reach['customers'], 'customer')} ever entered {quoted(stage.name, limit=40)}"
    return f"{words}; {rate.text} go on to the next stage" if rate and rate.says_enough else words


def tiles(view: View, stage: Stage) -> Tiles:
    """Who entered, who is here, who is stuck, who goes on."""
    reach, stuck = one(view.table("mart.stage_reach"), "stage", stage), one(view.answer("stuck"), "stage", stage)
    rate = onward(view, stage)
    shown = [
        Tile("Ever entered", count(reach["customers"]), basis=f"{share(reach['customers'], reach['of_customers'])} of all customers"),
        Tile("In it now", count(reach["customers_now"])),
        Tile("Stuck", count(stuck["stuck"]), basis=f"of {count(stuck['customers_now'])} in it now, longer than nine in ten stayed"),
    ]  # fmt: skip
    if rate is not None:
        shown.append(Tile("Go on to the next stage", rate.text, basis=rate.counts))
    return Tiles(tuple(shown))


def came_figure(view: View, stage: Stage) -> Figure:
    """The moves into a stage."""
    moves = view.table("mart.stage_transitions").filter(pl.col("to_stage") == stage.name)
    return moves_figure("came-from", moves, "from_stage", "entry", "entries", {START: "nowhere: their first stage"})


def went_figure(view: View, stage: Stage) -> Figure:
    """The moves out of a stage."""
    moves = view.table("mart.stage_transitions").filter(pl.col("from_stage") == stage.name)
    return moves_figure("went-to", moves, "to_stage", "stay", "stays", {STAY: "nowhere yet"})


def moves_figure(slug: str, moves: pl.DataFrame, other: str, noun: str, many: str, special: dict[str, str]) -> Figure:
    """Moves by the stage at their other end."""
    ordered = moves.with_columns(pl.col("moves").cast(pl.Int64)).sort("moves", other, descending=[True, False])
    every = int(ordered["moves"].sum())
    lines = [
        cells(
            special.get(row[other]) or name(row[other], limit=40),
            row["direction"] or "–",
            count(row["moves"]),
            share(row["moves"], every),
            count(row["customers"]),
            "–" if row["median_seconds"] is None else duration(row["median_seconds"]),
        )
        for row in ordered.iter_rows(named=True)
    ]
    way = "came from" if other == "from_stage" else "went to"
    finding = f"Nobody {way} anywhere yet"
    if every:
        most = ordered.row(0, named=True)
        end = special.get(most[other]) or quoted(most[other])
        finding = (
            f"Most {way} {end}: {Rate.without_interval(most['moves'], every).counts} {many if every != 1 else noun}"
        )
    return Figure(
        slug,
        finding,
        f"Every time that somebody was in the stage counts as one {noun}; a customer may come back. The time is the median spent in the stage left.",
        None,
        table(
            (*texts("Stage", "Direction"), *numbers(sentence(many), "Share", "Customers", "Median time")),
            lines,
        ),
        Query("stage_transitions"),
        is_open=True,
        rows=ordered,
    )


def onward_figure(view: View, stage: Stage) -> Figure:
    """From this stage to each later one: share and time."""
    conversion = view.table("mart.stage_conversion").filter(pl.col("from_stage") == stage.name).sort("to_stage_number")
    spans = {
        row["to_stage"]: row
        for row in view.answer("stage_velocity").iter_rows(named=True)
        if row["from_stage"] == stage.name
    }
    lines = []
    for row in conversion.iter_rows(named=True):
        span = spans.get(row["to_stage"])
        quartiles = [few_or(span, each) if span else "–" for each in ("quartile_1_days", "quartile_3_days")]
        lines.append(
            cells(name(row["to_stage"], limit=40), *rate_cells(settled(row)), quartiles[0], median(row["median_seconds"]), quartiles[1])
        )  # fmt: skip
    return Figure(
        "onward",
        f"{plural(conversion.height, 'later stage')}" if conversion.height else "No stage comes after this one",
        "Of the customers who entered the stage, from their first entry, those whose time is over; the times are of everybody who entered.",
        None,
        table(
            (
                *texts("Reached"),
                *rate_columns("Reached it", "Entered, time over"),
                *numbers("A quarter within", "Half within", "Three quarters within"),
            ),
            lines,
        ),
        Query("stage_conversion"),
        is_open=True,
        rows=conversion,
    )


def contact_figure(stage: Stage, contacts: pl.DataFrame) -> Figure:
    """The contacts of the stage."""
    met = contacts.sort("customers", "touchpoint", "phase", descending=[True, False, False])
    unmet = [contact for contact in stage.touchpoint_names if contact not in set(met["touchpoint"])]
    lines = [
        cells(
            Cell(name(row["touchpoint"]), where(row)),
            *rate_cells(Rate.of(row["customers"], row["of_customers"])),
            "–" if row["went_on"] is None else share(row["went_on"], row["customers"]),
            name(row["channel"]) if row["channel"] else "–",
        )
        for row in met.iter_rows(named=True)
    ]
    lines += [cells(Cell(name(contact), "planned, never met"), *("–",) * 6) for contact in unmet]
    top = met.row(0, named=True) if met.height else None
    return Figure(
        "stage-contacts",
        f"Most have met {quoted(top['touchpoint'])}: {share(top['customers'], top['of_customers'])} of those with any contact of the stage"
        if top
        else "No contact of this stage has been met yet",
        "Of the customers with any contact of the stage: those who had this one, and of these, those who entered a later stage afterwards.",
        None,
        table((*texts("Contact"), *rate_columns("Customers", "Of the stage’s"), *numbers("Went on"), *texts("Mostly by")), lines),
        segment_query("map_contacts"),
        is_open=True,
        rows=met.drop("pain"),
    )  # fmt: skip


def trouble_figure(view: View, stage: Stage) -> Figure:
    """What goes wrong in the stage."""
    trouble = of_stage(view.answer("friction"), stage).sort("rank")
    lines = [
        cells(
            Cell(name(row["touchpoint"]), where(row)),
            *rate_cells(Rate.of(row["affected"], row["customers"])),
            *(count(row[kind]) for kind in ("exits", "errors", "customers_with_ticket")),
        )
        for row in trouble.iter_rows(named=True)
    ]
    ends = hurting(of_stage(contacts_met(view), stage))
    finding = "Nothing went wrong at any contact of this stage"
    if trouble.height and trouble["affected"][0]:
        row = trouble.row(0, named=True)
        finding = f"Most customers are affected at {quoted(row['touchpoint'])}: {Rate.of(row['affected'], row['customers']).counts}"
    if ends.height:
        finding += (
            f"; {plural(ends.height, 'contact')} {'ends' if ends.height == 1 else 'end'} sessions without a conversion"
        )
    return Figure(
        "stage-trouble",
        finding,
        "A customer is affected by a session that ends at the contact without a conversion, an error right after it, or a ticket within a day.",
        None,
        table(
            (*texts("Contact"), *rate_columns("Affected", "Customers"), *numbers("Exits", "Errors", "Customers with a ticket")),
            lines,
        ),
        Query("friction"),
        rows=trouble,
    )  # fmt: skip


def action_figure(view: View, stage: Stage) -> Figure:
    """What customers do in the stage."""
    actions = of_stage(view.table("reports.map_actions"), stage).sort("customers", "event", descending=[True, False])
    lines = [
        cells(name(row["event"]), count(row["customers"]), count(row["events"]))
        for row in actions.iter_rows(named=True)
    ]
    return Figure(
        "stage-actions",
        f"Most do {quoted(actions['event'][0])}: {action_items(actions.head(1))[0].note}" if actions.height else "No action has been seen yet",
        "Events that customers made themselves, by how many customers had one in the stage.",
        None,
        table((*texts("Action"), *numbers("Customers", "Events")), lines),
        segment_query("map_actions"),
        rows=actions,
    )  # fmt: skip


def target_figure(view: View, stage: Stage) -> Figure:
    """The key figures of the stage."""
    rows = view.table("mart.kpis").filter(pl.col("stage") == stage.name)
    items = [target_item(row) for row in rows.iter_rows(named=True)]
    missed = sum(item.mark == "bad" for item in items)
    finding = f"{count(missed)} of {plural(len(items), 'key figure')} {'misses' if missed == 1 else 'miss'} the target"
    if not missed:
        finding = "No key figure misses its target" if items else "No key figure is set for this stage"
    return Figure(
        "stage-targets",
        finding,
        "Key figures of journey.yaml with their targets.",
        None,
        table(texts("Key figure", "Counts, target and owner"), [cells(item.text, item.note or "–") for item in items]),
        Query("kpis"),
        is_open=True,
        rows=rows,
    )  # fmt: skip


def changes_table(view: View, stage: Stage) -> Table:
    """What was changed in the stage, by journey.yaml."""
    told = [(letter, change) for letter, change in view.changes if change.stage in (stage.name, None)]
    lines = [cells(f"{letter}: {name(change.name, limit=80)}", day(change.date)) for letter, change in told]
    return table(texts("Change", "Since"), lines)
