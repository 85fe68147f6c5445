"""Journey map: the marketer's grid drawn from data: what people meet, do and suffer in each stage, beside what was planned."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from reports.findings import limit, metric_words, next_stage
from reports.page import Cell, Figure, Grid, GridRow, Item, Mark, Page, Query, Section
from reports.pages.map_future import future_figure, future_items
from reports.pages.map_surveys import survey_figure, survey_items
from reports.pages.touchpoints import stage_place, where
from reports.rates import Rate
from reports.segments import EVERYBODY, of_segment, segment_query
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, duration, listed, name, percent, plural, quoted, sentence, share
from transforms.journey import Stage
from transforms.statistics import FEW

CONTACTS_SHOWN, ACTIONS_SHOWN, PAINS_SHOWN, QUESTIONS_SHOWN = 6, 5, 3, 3
FAILURES = "_(error|failed|declined|bounced)$"
COMPLAINTS = ("ticket_opened", "order_returned", "order_refunded", "subscription_cancelled")
NOTHING = (Item("nothing seen"),)
Place = tuple[str, str | None, str]
Shares = dict[Place, str]
MARKS: dict[str | None, Mark] = {"met": "good", "missed": "bad"}


def build(view: View) -> list[Page]:
    """The journey map.

    Reads mart.stage_reach, mart.stage_conversion, mart.stage_transitions, mart.kpis, reports.map_contacts,
    reports.map_actions, reports.map_surveys, reports.map_questions, reports.touchpoint_use.
    """
    if not view.journey.stages:
        return []
    contacts = contacts_met(view)
    parts = [
        Section("The map", (map_grid(view, contacts),)),
        *others(view),
        Section("Contacts", (contact_figure(view, contacts), pain_figure(contacts))),
        Section("Actions", (action_figure(view), *question_figures(view))),
    ]
    if not view.table("reports.map_surveys").is_empty():
        parts.append(Section("What they say", (survey_figure(view),)))
    parts += [Section("The journey as it shall be", (future_figure(view),))] if view.journey.future else []
    return [Page("journey-map.html", "Journey map", "Current state", heading(view, contacts), lead(view), tuple(parts))]


def others(view: View) -> list[Section]:
    """The maps of single segments, and the pages of single stages."""
    stages = [cells(Cell(name(stage.name), link=view.stage_files[stage.name])) for stage in view.journey.stages]
    parts = [Section("Stage by stage", (table(texts("Everything about one stage"), stages),))]
    segments = [
        cells(Cell(name(segment.name), name(segment.description, limit=200) if segment.description else "", link=file))
        for segment, file in view.mapped_segments
    ]
    return (
        [*parts, Section("Whose map", (table(texts("The same map of one segment"), segments),))] if segments else parts
    )


def contacts_met(view: View, segment: str = EVERYBODY) -> pl.DataFrame:
    """The contacts of a segment, or of everybody, with how much each hurts; from the last stage there is no way on."""
    is_last = pl.col("stage") == view.journey.stage_names[-1]
    return view.table(of_segment("map_contacts", segment)).with_columns(
        pain=pain(), went_on=pl.when(~is_last).then(pl.col("went_on").cast(pl.Int64))
    )


def pain() -> pl.Expr:
    """How much a contact hurts: the share of its sessions that end there without a conversion, times the customers it happens to."""
    severity = pl.col("lost_sessions").cast(pl.Float64) / pl.col("sessions").cast(pl.Float64)
    return pl.when(pl.col("sessions") > 0).then(severity * pl.col("lost_customers")).otherwise(0.0)


def heading(view: View, contacts: pl.DataFrame) -> str:
    """How much of the plan is seen."""
    plan, unseen = planned(view), never_seen(view, contacts)
    if contacts.is_empty():
        return "Nothing of the planned journey has been seen yet"
    if not unseen:
        return f"All {plural(len(plan), 'planned touchpoint')} have been met by customers"
    return f"{count(len(plan) - len(unseen))} of {plural(len(plan), 'planned touchpoint')} have been met by customers"


def lead(view: View) -> str:
    """What the map is."""
    return (
        f"{plural(len(view.journey.stages), 'stage')} as journey.yaml plans them, and what customers really did: the map as it is, drawn from "
        "everything that came in. The tables below it hold every row."
    )


def planned(view: View) -> list[tuple[str, str]]:
    """The stages and touchpoints that journey.yaml names, each once."""
    return list(
        dict.fromkeys((stage.name, contact) for stage in view.journey.stages for contact in stage.touchpoint_names)
    )


def never_seen(view: View, contacts: pl.DataFrame) -> list[tuple[str, str]]:
    """Planned touchpoints that nobody met."""
    seen = set(contacts.select("stage", "touchpoint").rows())
    return [place for place in planned(view) if place not in seen]


# ---------------------------------------------------------------- the grid


def map_grid(view: View, contacts: pl.DataFrame) -> Grid:
    """The stages side by side: the plan first, then what is."""
    stages = view.journey.stages
    reach = {row["stage"]: row for row in view.table("mart.stage_reach").iter_rows(named=True)}
    onward = {row["from_stage"]: row for row in next_stage(view.table("mart.stage_conversion")).iter_rows(named=True)}
    unseen = never_seen(view, contacts)
    actions, surveys = view.table("reports.map_actions"), view.table("reports.map_surveys")
    questions = view.answer("map_questions")

    def across(label: str, note: str, cell: Iterable[tuple[Item, ...]]) -> GridRow:
        return GridRow(label, note, tuple(cell))

    rows = [
        across("Planned", "journey.yaml", (plan_items(stage) for stage in stages)),
        across("Customers", "who ever entered", (reach_items(reach.get(stage.name)) for stage in stages)),
        across("Touchpoints", "share of the stage’s customers who had one; went on to a later stage; main channel",
               (contact_items(of_stage(contacts, stage)) for stage in stages)),
        across("Actions", "what most customers do", (action_items(of_stage(actions, stage)) for stage in stages)),
        across("Questions", "what they search for on the site, and help pages they read",
               (question_items(of_stage(questions, stage)) for stage in stages))
        if not questions.is_empty() else None,
        across("Pain points", "sessions that end here without a conversion, times customers hit; complaints and failures",
               (pain_items(of_stage(contacts, stage), of_stage(actions, stage)) for stage in stages)),
        across("What they say", "last answer of each customer, by the stage of the contact before it",
               (survey_items(of_stage(surveys, stage)) for stage in stages))
        if not surveys.is_empty() else None,
        across("Going on", "to the next stage in time; every move out", (onward_items(view, onward.get(stage.name), stage) for stage in stages)),
        across("Targets", "key figures", (target_items(view, stage) for stage in stages)),
        across("Gaps", "planned and never met", (gap_items(stage, unseen) for stage in stages)),
        across("Future", "what the stage shall become, and how far it is",
               (future_items(view, stage) for stage in stages))
        if view.journey.future else None,
    ]  # fmt: skip
    return Grid(
        "The journey map",
        tuple(Item(name(stage.name, limit=40), phase_words(stage)) for stage in stages),
        tuple(row for row in rows if row),
    )


def question_items(questions: pl.DataFrame) -> tuple[Item, ...]:
    """The searches and the help pages of most customers."""
    ordered = questions.sort("kind", "customers", "question", descending=[False, True, False])
    most = ordered.group_by("kind", maintain_order=True).head(QUESTIONS_SHOWN)
    found = tuple(
        Item(
            quoted(row["question"]) if row["kind"] == "search" else name(row["question"]),
            plural(row["customers"], "customer"),
        )
        for row in most.iter_rows(named=True)
    )
    return found or (Item("nobody was seen asking"),)


def phase_words(stage: Stage) -> str:
    """The phases of a stage in their order."""
    return " → ".join(name(phase.name, limit=30) for phase in stage.phases)


def of_stage(frame: pl.DataFrame, stage: Stage) -> pl.DataFrame:
    """The rows of one stage."""
    return frame.filter(pl.col("stage") == stage.name)


def plan_items(stage: Stage) -> tuple[Item, ...]:
    """What journey.yaml says of a stage."""
    words = [Item(name(stage.description, limit=200))] if stage.description else []
    owner = [Item(f"Owner: {name(stage.owner)}")] if stage.owner else [Item("No owner is named", mark="open")]
    return (*words, Item(plural(len(stage.touchpoint_names), "touchpoint") + " planned"), *owner)


def reach_items(row: dict[str, int] | None) -> tuple[Item, ...]:
    """How many customers entered a stage."""
    if row is None:
        return NOTHING
    return (
        Item(
            count(row["customers"]), f"{share(row['customers'], row['of_customers'])} of {count(row['of_customers'])}"
        ),
    )


def contact_items(contacts: pl.DataFrame, everybody: Shares | None = None) -> tuple[Item, ...]:
    """The most common contacts of a stage; with the shares of `everybody` beside those of a segment."""
    rows = contacts.sort("customers", "touchpoint", "phase", descending=[True, False, False])
    items = [
        Item(name(row["touchpoint"], limit=40), contact_words(row, everybody))
        for row in rows.head(CONTACTS_SHOWN).iter_rows(named=True)
    ]
    more = [Item(f"and {count(rows.height - CONTACTS_SHOWN)} more")] if rows.height > CONTACTS_SHOWN else []
    return (*items, *more) or NOTHING


def contact_words(row: dict[str, Any], everybody: Shares | None) -> str:
    """Who had a contact, who went on after it (from the last stage there is no way on), how it came."""
    onward = row["went_on"]
    beside = f", everybody {everybody.get(place_of(row), share(0, 0))}" if everybody is not None else ""
    parts = [
        f"{share(row['customers'], row['of_customers'])} ({count(row['customers'])} of {count(row['of_customers'])}){beside}",
        *([f"{share(onward, row['customers'])} went on ({count(onward)})"] if onward is not None else []),
        *([f"mostly {name(row['channel'], limit=40)}"] if row["channel"] else []),
    ]
    return "; ".join(parts)


def action_items(actions: pl.DataFrame) -> tuple[Item, ...]:
    """The events that most customers of a stage have."""
    rows = actions.sort("customers", "event", descending=[True, False]).head(ACTIONS_SHOWN)
    return tuple(
        Item(name(row["event"], limit=40), f"{plural(row['customers'], 'customer')}, {plural(row['events'], 'event')}")
        for row in rows.iter_rows(named=True)
    ) or NOTHING  # fmt: skip


def pain_items(contacts: pl.DataFrame, actions: pl.DataFrame) -> tuple[Item, ...]:
    """The contacts that hurt most, then complaints and failures."""
    worst = hurting(contacts).head(PAINS_SHOWN)
    complaints = complaining(actions).sort("customers", "event", descending=[True, False]).head(PAINS_SHOWN)
    return (
        *(
            Item(name(row["touchpoint"], limit=40), f"{Rate.without_interval(row['lost_sessions'], row['sessions']).counts} sessions, "
                 f"{plural(row['lost_customers'], 'customer')}", "bad")
            for row in worst.iter_rows(named=True)
        ),
        *(Item(name(row["event"], limit=40), plural(row["customers"], "customer"), "bad") for row in complaints.iter_rows(named=True)),
    ) or (Item("none stands out"),)  # fmt: skip


def place_of(row: dict[str, Any]) -> Place:
    """Where a contact stands: stage, phase, touchpoint."""
    return row["stage"], row["phase"], row["touchpoint"]


def shares_of(contacts: pl.DataFrame) -> Shares:
    """The share of each stage's customers who had each contact."""
    return {place_of(row): share(row["customers"], row["of_customers"]) for row in contacts.iter_rows(named=True)}


def hurting(contacts: pl.DataFrame) -> pl.DataFrame:
    """The contacts with pain, in enough sessions to say so, the worst first."""
    enough = contacts.filter(pl.col("pain") > 0, pl.col("sessions") >= FEW)
    return enough.sort("pain", "touchpoint", "phase", descending=[True, False, False])


def complaining(actions: pl.DataFrame) -> pl.DataFrame:
    """Events that tell of something going wrong."""
    return actions.filter(pl.col("event").is_in(COMPLAINTS) | pl.col("event").str.contains(FAILURES))


def onward_items(view: View, conversion: dict[str, int] | None, stage: Stage) -> tuple[Item, ...]:
    """Who reached the stage that is planned next, and which ways people really took."""
    items = []
    if conversion is not None:
        rate = Rate.of(conversion["matured_reached"], conversion["matured_entered"])
        when = (
            "at any time"
            if conversion["window_seconds"] is None
            else f"within {duration(conversion['window_seconds'])}"
        )
        items.append(
            Item(f"{rate.text} to {name(conversion['to_stage'], limit=40)}", f"{rate.counts} {when}, time over")
        )
    items += move_items(view.table("mart.stage_transitions").filter(pl.col("from_stage") == stage.name))
    return tuple(items) or NOTHING


def move_items(moves: pl.DataFrame) -> list[Item]:
    """The ways that most took out of a stage."""
    every = int(moves["moves"].cast(pl.Int64).sum())
    items = []
    for row in moves.sort("moves", "to_stage", descending=[True, False]).head(3).iter_rows(named=True):
        where = (
            "still there"
            if row["to_stage"] == "(still there)"
            else f"{row['direction'] or 'on'} to {name(row['to_stage'], limit=40)}"
        )
        items.append(Item(sentence(where), f"{count(row['moves'])} of {plural(every, 'time')}"))
    return items


def target_items(view: View, stage: Stage) -> tuple[Item, ...]:
    """Key figures of a stage against their targets."""
    rows = view.table("mart.kpis").filter(pl.col("stage") == stage.name)
    return tuple(target_item(row) for row in rows.iter_rows(named=True)) or (Item("no target is set", mark="open"),)


def target_item(row: dict[str, Any]) -> Item:
    """One key figure."""
    is_count = row["denominator"] is None
    value = count(row["numerator"]) if is_count else share(row["numerator"], row["denominator"])
    words = [] if is_count else [f"{count(int(row['numerator']))} of {count(int(row['denominator']))}"]
    if row["target"] is not None:
        aim = count(round(row["target"])) if is_count else percent(row["target"])
        words.append(f"{row['status'] or 'no verdict'}: {limit(row['metric'])} {aim}")
    if row["owner"]:
        words.append(name(row["owner"]))
    mark = MARKS.get(row["status"], "")
    return Item(f"{sentence(metric_words(row['metric']))} {value}", "; ".join(words), mark)


def gap_items(stage: Stage, unseen: list[tuple[str, str]]) -> tuple[Item, ...]:
    """What is planned for a stage and was never met."""
    if not stage.touchpoint_names:
        return (Item("no touchpoint is planned", mark="open"),)
    missing = [contact for place, contact in unseen if place == stage.name]
    return tuple(Item(name(contact, limit=40), mark="open") for contact in missing) or (
        Item("none: every one was met", mark="good"),
    )


# ---------------------------------------------------------------- the tables below


def contact_figure(view: View, contacts: pl.DataFrame, segment: str = EVERYBODY) -> Figure:
    """Every contact with who had it and who went on."""
    rows = contacts.sort(
        stage_place(view), "stage", "customers", "touchpoint", "phase", descending=[False, False, True, False, False]
    )
    rates = Rate.each(rows["went_on"].fill_null(0).to_list(), rows["customers"].to_list())
    lines = [
        cells(
            Cell(name(row["touchpoint"]), where(row)),
            Cell(
                share(row["customers"], row["of_customers"]),
                f"{count(row['customers'])} of {count(row['of_customers'])}",
            ),
            *(rate_cells(rate) if row["went_on"] is not None else ("–", count(row["customers"]), "–", "–")),
            name(row["channel"]) if row["channel"] else "–",
        )
        for row, rate in zip(rows.iter_rows(named=True), rates, strict=True)
    ]
    missing = [quoted(stage.name) for stage in view.journey.stages if of_stage(contacts, stage).is_empty()]
    finding = (
        f"{sentence(listed(missing))} {'has' if len(missing) == 1 else 'have'} no contact that was met"
        if missing
        else f"Every stage was met at {plural(contacts.height, 'kind')} of contact in all"
    )
    return Figure(
        "map-contacts",
        finding,
        "Of the customers who had any contact of the stage: those who had this one; of these, those who entered a later stage afterwards, at any "
        "time so far. Having met a contact and going on is no proof that one led to the other.",
        None,
        table(
            (
                *texts("Contact"),
                *numbers("Of the stage’s customers"),
                *rate_columns("Went on", "Had it"),
                *texts("Mostly by"),
            ),
            lines,
            most=200,
        ),
        segment_query("map_contacts", segment),
    )


def pain_figure(contacts: pl.DataFrame, segment: str = EVERYBODY) -> Figure:
    """Contacts by how much they hurt."""
    rows = hurting(contacts)
    lines = [
        cells(
            Cell(name(row["touchpoint"]), where(row)),
            count(row["lost_sessions"]),
            count(row["sessions"]),
            share(row["lost_sessions"], row["sessions"]),
            count(row["lost_customers"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    worst = rows.row(0, named=True) if rows.height else None
    return Figure(
        "map-pains",
        f"{sentence(quoted(worst['touchpoint']))} hurts most: {count(worst['lost_sessions'])} of {plural(worst['sessions'], 'session')} "
        f"ended there without a conversion, with {plural(worst['lost_customers'], 'customer')}"
        if worst
        else "No contact was met in enough sessions to say which hurts",
        f"Ranked by the share of sessions that end there without a conversion, times the customers it happened to; contacts in {FEW} sessions or "
        "more. An end is no fault by itself: it shows where to look.",
        None,
        table(
            (*texts("Contact"), *numbers("Ended without a conversion", "Sessions", "Share", "Customers hit")),
            lines,
            most=200,
        ),
        segment_query("map_contacts", segment),
    )


def action_figure(view: View) -> Figure:
    """What customers do in each stage."""
    rows = view.table("reports.map_actions").sort(
        stage_place(view), "stage", "customers", "event", descending=[False, False, True, False]
    )
    lines = [
        cells(Cell(name(row["event"]), name(row["stage"], limit=40)), count(row["customers"]), count(row["events"]))
        for row in rows.iter_rows(named=True)
    ]
    top = (
        rows.sort("customers", "event", "stage", descending=[True, False, False]).row(0, named=True)
        if rows.height
        else None
    )
    return Figure(
        "map-actions",
        f"Most customers do {quoted(top['event'])} in {quoted(top['stage'])}: {count(top['customers'])}"
        if top
        else "No action has been seen yet",
        "Events that customers made themselves, by how many customers had one in the stage.",
        None,
        table((*texts("Action"), *numbers("Customers", "Events")), lines, most=200),
        segment_query("map_actions"),
    )


def question_figures(view: View) -> list[Figure]:
    """What customers ask, stage by stage; nothing where nobody was seen asking."""
    questions = view.answer("map_questions").with_columns(place=stage_place(view)).sort(
        "place", "customers", "kind", "question", descending=[False, True, False, False]
    )  # fmt: skip
    if questions.is_empty():
        return []
    first = questions.sort("customers", "place", "question", descending=[True, False, False]).row(0, named=True)
    kinds = {"search": "searched for", "help": "read"}
    return [
        Figure(
            "questions",
            f"Most customers {kinds[first['kind']]} {quoted(first['question'])}, in {quoted(first['stage'])}: {count(first['customers'])}",
            "Words searched for on the site, and help pages read, of three customers or more.",
            None,
            table(
                (*texts("Question", "How", "Stage"), *numbers("Customers", "Events")),
                [
                    cells(name(row["question"]), Cell(kinds[row["kind"]]), Cell(name(row["stage"])), count(row["customers"]), count(row["events"]))
                    for row in questions.iter_rows(named=True)
                ],
            ),
            Query("map_questions"),
        )
    ]  # fmt: skip
