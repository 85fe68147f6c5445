"""Funnel pages: one per funnel: how far people get, how sure we are, how long it takes, who differs, how it moves."""

from datetime import timedelta
from typing import Any

import polars as pl

from reports.charts.curve import arrival_curve
from reports.charts.dots import interval_dots, reaches_beyond
from reports.charts.rate_bars import rate_bars
from reports.charts.trend import Panel, trend
from reports.findings import largest_loss
from reports.frames import single, widest
from reports.funnel_counts import FunnelCounts, Group
from reports.funnel_parts import parts_figure
from reports.page import Block, Cell, Figure, Page, Prose, Query, Section, Terms, Tile, Tiles
from reports.pages.funnel_behaviour import behaviour_sections
from reports.pages.funnel_change import change_sections, incident_sections
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.theme import share_ticks
from reports.view import View
from reports.words import (
    NONE,
    TOO_FEW,
    count,
    day,
    duration,
    interval,
    listed,
    name,
    percent,
    plural,
    points,
    quoted,
    sentence,
    share,
    short_day,
    window,
)
from transforms.statistics import FEW

GROUPS_DRAWN = 12
MOST_LISTED = 10_000
"""Entrants whose list is laid beside the page; longer ones are asked of the warehouse."""
DAYS_DRAWN = 182
ORDERS = {
    "ordered": "in this order, anything in between",
    "strict": "in this order, with nothing else in between",
    "any": "in any order",
}
OPTIONAL_STEPS = "An optional step may be skipped: nobody stops there, and the next step is measured against the last step that is not optional."
ATTEMPTS = {
    "best": "Of several attempts, the one that got furthest counts.",
    "first": "Of several attempts, the first counts.",
    "all": "Every attempt counts, so one customer may be counted more than once.",
}


def build(view: View) -> list[Page]:
    """One page per funnel.

    Reads core.funnel_definitions, mart.funnel_steps, mart.funnel_entrants, mart.funnel_daily, mart.funnel_breakdown,
    the answer funnel_parts, and what funnel_behaviour and funnel_change read.
    """
    return [funnel_page(counts, view) for counts in view.funnels]


def funnel_page(counts: FunnelCounts, view: View) -> Page:
    """The page of one funnel."""
    chosen = parts_figure(view.answer("funnel_parts"), counts, view.funnels)
    parts = [
        Section("How far they get", (steps_figure(counts), standing_figure(counts))),
        *([Section("A period, a group", (chosen,))] if chosen else []),
        Section("How sure this is", (certainty(counts),), certainty_words(counts)),
        Section("How long it takes", (time_figure(counts), *leg_figures(counts))),
    ]
    if counts.groups:
        parts.append(Section("Who differs", tuple(group_figure(counts, group) for group in counts.groups)))
    parts += behaviour_sections(view, counts)
    parts.append(Section("Over time", (daily_figure(counts, view),)))
    parts += [*incident_sections(view, counts), *change_sections(view, counts)]
    parts += [Section("Who entered", (entrants_figure(counts),))] if counts.entered else []
    parts.append(Section("What is counted", (definition_terms(counts),)))
    eyebrow = " · ".join(("Funnel", name(counts.name), window(counts.window), *known_words(counts)))
    return Page(counts.file, name(counts.name, limit=32), eyebrow, heading(counts), lead(counts), tuple(parts))


def known_words(counts: FunnelCounts) -> tuple[str, ...]:
    """The funnel's own horizon, which may differ from that of the site; nothing without one."""
    return (f"this funnel is known up to {counts.horizon:%Y-%m-%d %H:%M} UTC",) if counts.horizon else ()


def funnel_query(file: str, counts: FunnelCounts, *variables: tuple[str, str]) -> Query:
    """SQL about this funnel."""
    return Query(file, (("funnel", counts.name), *variables))


# ---------------------------------------------------------------- the top of the page


def heading(counts: FunnelCounts) -> str:
    """The largest loss, or how many completed."""
    if not counts.entered:
        return f"Nobody has entered {quoted(counts.name)} yet"
    loss = largest_loss(counts)
    if loss is None:
        return f"{counts.completed.counts} {counts.units} completed {quoted(counts.name)}"
    if not loss.rate.says_enough:
        return f"Most stop before {quoted(loss.after)}"
    return f"{sentence(loss.rate.text)} of those who reach {quoted(loss.before, limit=40)} {loss.deed}"


def lead(counts: FunnelCounts) -> str:
    """Who entered, who completed, how long it took."""
    if not counts.entered:
        return "The page fills as soon as somebody does the first step."
    done = counts.completed
    said = f" – {done.text}, 95% interval {done.interval}" if done.says_enough else " – too few to say a share"
    best = " in their best attempt" if counts.attempt == "best" else ""
    words = [f"{plural(counts.entered, counts.unit)} entered and {count(done.part)} completed all steps{best}{said}."]
    quarter, median, _ = counts.arrivals.quartiles
    if median is not None:
        words.append(f"Half of all first attempts complete within {duration(median)}.")
    elif quarter is not None:
        words.append(f"A quarter of all first attempts complete within {duration(quarter)}.")
    return " ".join(words)


# ---------------------------------------------------------------- who entered


def entrants_figure(counts: FunnelCounts) -> Figure | Prose:
    """What became of those who entered, with the list of them to keep; where it is long, how to ask for it."""
    if counts.entered > MOST_LISTED:
        return Prose(
            (
                f"The list of {plural(counts.entered, counts.unit)} is too long to lie beside this page (up to {count(MOST_LISTED)} do). The "
                "warehouse has it: mart.funnel_entrants, where is_counted. Who stopped at a step is written to a file by "
                "“journeys funnel” with “--drop-offs” and “--out”.",
            )
        )
    lost = counts.losses.to_dicts()
    lines = [
        *(
            cells(f"Stopped before {name(row['after'], limit=40)}", count(row["stopped"]), count(row["still_open"]))
            for row in lost
        ),
        cells("Completed", count(counts.completed.part), NONE),
    ]
    return Figure(
        "entrants",
        f"{plural(counts.entered, counts.unit)} entered, and {count(counts.completed.part)} completed",
        "Kept beside the page is the list of them, with a row for each attempt that is counted: the customer's id (a digest, as in the warehouse), "
        "when it began, its status, how far it got and when. Whom the business is asked to forget is taken out of it.",
        None,
        table((*texts("What became of it"), *numbers(f"{sentence(counts.units)}", "Still have time")), lines),
        funnel_query("funnel_entrants", counts),
        is_open=True,
    )  # fmt: skip


# ---------------------------------------------------------------- steps


def steps_figure(counts: FunnelCounts) -> Figure:
    """How many reach each step, and how many stop before it."""
    steps = (
        counts.steps.with_columns(pl.col("reached", "reached_before").cast(pl.Int64))
        .join(counts.losses.select("step_number", "stopped", "still_open"), on="step_number", how="left")
        .sort("step_number")
    )
    optional = pl.when("is_optional").then(pl.lit(" (optional)")).otherwise(pl.lit(""))
    rows = steps.select(
        label=pl.col("step_number").cast(pl.String) + ". " + pl.col("step_name") + optional,
        reached="reached",
        whole=pl.lit(counts.entered, dtype=pl.Int64),
        low="total_rate_low",
        high="total_rate_high",
        lost="stopped",
    )
    lines = []
    for row in steps.iter_rows(named=True):
        before, reached = row["reached_before"], row["reached"]
        lines.append(
            cells(
                Cell(f"{row['step_number']}. {name(row['step_name'])}", "optional" if row["is_optional"] else ""),
                count(reached),
                count(before),
                share(reached, before),
                count(row["stopped"]),
                count(row["still_open"]),
                share(reached, counts.entered),
                interval(row["total_rate_low"], row["total_rate_high"]),
            )
        )
    return Figure(
        "steps",
        steps_sentence(counts),
        f"Bars show the share of all {counts.units} that reached each step; hatched are those who stopped since the step "
        "before, without those who still have time; the thin line is the 95% interval.",
        rate_bars(rows) if rows.height else None,
        table(
            (
                *texts("Step"),
                *numbers(
                    "Reached it",
                    "Of those at the step before",
                    "Step rate",
                    "Stopped before it",
                    "Still have time",
                    "Of all who entered",
                    "95% interval",
                ),
            ),
            lines,
            note=OPTIONAL_STEPS if steps["is_optional"].any() else "",
        ),
        funnel_query("funnel_steps", counts),
        is_open=True,
    )


def steps_sentence(counts: FunnelCounts) -> str:
    """The largest loss with its counts."""
    loss = largest_loss(counts)
    if loss is None:
        return f"{counts.completed.counts} {counts.units} completed all steps"
    lost = f"{count(loss.rate.part)} of {plural(loss.rate.whole, counts.unit)}"
    stand = "stop" if loss.is_over else "stand so far"
    return f"Most {stand} between {quoted(loss.before)} and {quoted(loss.after)}: {lost}{loss.others}"


def standing_figure(counts: FunnelCounts) -> Figure:
    """Where those who have not completed stand: stopped, still on the way, or cut short."""
    last = counts.mandatory["step_number"].max() if counts.mandatory.height else 0
    rows = counts.steps.filter(pl.col("step_number") != last)
    lines = [
        cells(
            f"{row['step_number']}. {name(row['step_name'])}",
            *(count(row[status]) for status in ("dropped", "open", "excluded")),
        )
        for row in rows.iter_rows(named=True)
    ]
    stopped, still, cut = (int(single(rows, pl.col(status).sum())) for status in ("dropped", "open", "excluded"))
    return Figure(
        "standing",
        f"{count(stopped)} have stopped, {count(still)} still have time",
        f"The {counts.units} that have not completed, by the last step they did."
        + (f" {plural(cut, 'attempt was', 'attempts were')} cut short by an event that ends it." if cut else ""),
        None,
        table((*texts("Last step done"), *numbers("Stopped: time is over", "Still have time", "Cut short")), lines),
        funnel_query("funnel_standing", counts),
    )


# ---------------------------------------------------------------- certainty


def certainty(counts: FunnelCounts) -> Tiles:
    """Matured, so far and projected, kept apart."""
    tiles = []
    if counts.window:
        passed = passed_words(counts.window)
        tiles.append(rate_tile(f"Matured, first attempts whose {passed}", counts.matured))
    still = f"{count(counts.still_open)} still have time" if counts.still_open else "nobody is still on the way"
    tiles.append(rate_tile("So far, all first attempts", counts.so_far, still))
    if counts.arrivals.projected:
        projected, label = counts.arrivals.projected, "Projected, first attempts once everybody's time is over"
        if counts.so_far.says_enough:
            tiles.append(
                Tile(
                    label,
                    percent(projected.value),
                    "",
                    "an estimate"
                    + (f", 95% interval {interval(projected.low, projected.high)}" if counts.is_independent else ""),
                )
            )
        else:
            tiles.append(
                Tile(
                    label,
                    TOO_FEW,
                    "",
                    f"from {plural(counts.so_far.whole, counts.unit)}; interval {interval(projected.low, projected.high)}",
                )
            )
    return Tiles(tuple(tiles))


def passed_words(window: timedelta) -> str:
    """The window as something that is over: '7 days have passed', '1 h has passed'."""
    length = duration(window.total_seconds())
    return f"{length} {'has' if length.split(chr(160))[0] == '1' and ' ' not in length else 'have'} passed"


def rate_tile(label: str, rate: Rate, state: str = "") -> Tile:
    """A rate as a headline figure."""
    value = rate.text if rate.whole else "nobody yet"
    evidence = rate.evidence if rate.whole else ""
    return Tile(label, value, "", "; ".join(part for part in (evidence, state) if part))


def certainty_words(counts: FunnelCounts) -> str:
    """Why these differ from the steps above."""
    best = (
        "The steps above count each one's best attempt, so their shares can be higher; these"
        if counts.attempt == "best"
        else "These"
    )
    projected = (
        " The projection supposes that those still on the way will behave as those before them did."
        if counts.arrivals.projected
        else ""
    )
    return f"{best} figures count the first attempt of each, because the best one is only known afterwards.{projected}"


# ---------------------------------------------------------------- time


def time_figure(counts: FunnelCounts) -> Figure:
    """How quickly those who enter complete."""
    lines = [
        cells(
            duration(row["seconds"]),
            percent(row["share"]) if counts.so_far.says_enough else TOO_FEW,
            interval(row["low"], row["high"]),
            count(row["watched"]),
        )
        for row in counts.arrivals.moments.iter_rows(named=True)
    ]
    band = ", with its 95% band" if counts.is_independent else ""
    quarter, half, most = (
        duration(value) if value is not None else "not reached" for value in counts.arrivals.quartiles
    )
    return Figure(
        "time",
        time_sentence(counts),
        f"The share of all {counts.units} that have completed by each moment since their first step (first attempts; an estimate that allows "
        f"for those still on the way: Kaplan–Meier{band}). Until a quarter have completed: {quarter}; half: {half}; three quarters: {most}.",
        arrival_curve(counts.arrivals.curve) if counts.so_far.part and counts.so_far.says_enough else None,
        table(
            (*texts("Time since the first step"), *numbers("Completed by then", "95% interval", "Still watched")),
            lines,
            note=f"From {plural(counts.so_far.whole, counts.unit)}, {count(counts.so_far.part)} of them completed so far.",
        ),
        funnel_query("funnel_times", counts),
        rows=counts.arrivals.moments,
    )


def time_sentence(counts: FunnelCounts) -> str:
    """The median, or why there is none."""
    quarter, half, _ = counts.arrivals.quartiles
    if not counts.so_far.part:
        return "Nobody has completed yet"
    if half is not None:
        return f"Half of all first attempts complete within {duration(half)}"
    if quarter is not None:
        return f"A quarter of all first attempts complete within {duration(quarter)}, fewer than half {window(counts.window)}"
    return f"Less than a quarter of all first attempts complete {window(counts.window)}"


def leg_figures(counts: FunnelCounts) -> list[Figure]:
    """From each step to the next: who went on, and how long it took."""
    if counts.legs.is_empty():
        return []
    lines = []
    for row in counts.legs.iter_rows(named=True):
        matured = counts.rate(row["matured_went_on"], row["matured_reached"])
        median = duration(row["median_seconds"]) if row["median_seconds"] is not None else "not reached"
        so_far = Cell(count(row["went_on"]), f"of {count(row['reached'])}")
        lines.append(
            cells(
                Cell(f"{name(row['from_step'], limit=40)} → {name(row['to_step'], limit=40)}"),
                so_far,
                *rate_cells(matured),
                median,
            )
        )
    return [
        Figure(
            "legs",
            leg_sentence(counts.legs),
            "First attempts. The median counts everybody who reached the first of the two steps, also those who never went on: “not reached” means "
            "that fewer than half did.",
            None,
            table(
                (
                    *texts("From → to"),
                    *numbers("Went on so far"),
                    *rate_columns("Matured: went on", "Matured: reached"),
                    *numbers("Median time"),
                ),
                lines,
            ),
            funnel_query("funnel_times", counts),
            is_open=True,
            rows=counts.legs,
        )
    ]


def leg_sentence(legs: pl.DataFrame) -> str:
    """The slowest part; one whose median is not reached is slower than any whose median is."""
    timed = legs.filter(pl.col("median_seconds").is_not_null())
    unreached = legs.filter(pl.col("median_seconds").is_null())
    if timed.is_empty():
        return "No step is followed by the next for half of those who reach it"
    if unreached.height == 1:
        return f"The slowest part is {leg_words(unreached.row(0, named=True))}: fewer than half have done it"
    slowest = widest(timed, "median_seconds")
    within = f"{leg_words(slowest)}: half have done it within {duration(slowest['median_seconds'])}"
    if unreached.is_empty():
        return f"The slowest part is {within}"
    return f"The {unreached.height} slowest of {legs.height} parts are done by fewer than half; then comes {within}"


def leg_words(leg: dict[str, Any]) -> str:
    """From one step to another."""
    return f"from {quoted(leg['from_step'])} to {quoted(leg['to_step'])}"


# ---------------------------------------------------------------- groups and days


def group_figure(counts: FunnelCounts, group: Group) -> Figure:
    """One breakdown: each value's share that completed."""
    rows = group.rows.head(GROUPS_DRAWN).select(
        label="value", part="reached", whole="entered", low="low", high="high", differs="stands_out"
    )
    lines = []
    for row in group.rows.iter_rows(named=True):
        rate = Rate(row["reached"], row["entered"], row["low"], row["high"])
        verdict = (
            "not tested" if row["stands_out"] is None else "differs" if row["stands_out"] else "no clear difference"
        )
        if group.is_tested and row["p_value"] is None:
            verdict = TOO_FEW
        difference = (
            points(row["difference"])
            if row["difference"] is not None and verdict not in ("not tested", TOO_FEW)
            else "–"
        )
        lines.append(cells(name(row["value"]), *rate_cells(rate), difference, verdict))
    shown = f" The {GROUPS_DRAWN} with most {counts.units} are drawn." if group.rows.height > GROUPS_DRAWN else ""
    tested = (
        "A filled diamond differs from all others together by more than chance (two-proportion test, false discoveries held to 5%)."
        if group.is_tested
        else "Groups overlap or repeat customers, so they are not tested against each other."
    )
    total = counts.completed
    cut = " The axis is cut: intervals of small groups reach further." if reaches_beyond(rows) else ""
    return Figure(
        f"by-{counts.groups.index(group) + 1}",
        group_sentence(counts, group),
        f"Share of each group that completed all steps, with its 95% interval; the dotted line is the share of all. {tested}{shown}{cut}",
        interval_dots(rows, overall=total.value if total.says_enough else None) if rows.height else None,
        table(
            (
                *texts(sentence(name(group.breakdown))),
                *rate_columns("Completed", "Entered"),
                *numbers("Against the rest"),
                *texts("Verdict"),
            ),
            lines,
        ),
        funnel_query("funnel_breakdown", counts, ("breakdown", group.breakdown)),
    )


def group_sentence(counts: FunnelCounts, group: Group) -> str:
    """The groups that stand out, as a sentence."""
    label = quoted(group.breakdown)
    if not group.is_tested:
        return f"{plural(group.rows.height, 'group')} by {label}"
    out = group.rows.filter(pl.col("stands_out").fill_null(False))
    if out.is_empty():
        return f"No group by {label} differs from the rest by more than chance"
    out = out.with_columns(size=(pl.col("difference").abs() * pl.col("entered"))).sort(
        "size", "value", descending=[True, False]
    )
    named = [
        f"{quoted(value, limit=40)} completes {'more' if difference > 0 else 'less'} often than the rest ({points(difference)})"
        for value, difference in out.head(2).select("value", "difference").rows()
    ]
    more = f"; {plural(out.height - 2, 'other group differs', 'other groups differ')} too" if out.height > 2 else ""
    return f"By {label}: {listed(named)}{more}"


def daily_figure(counts: FunnelCounts, view: View) -> Figure:
    """Who entered on each day, and the share that completed."""
    every = counts.daily
    rows = every.tail(DAYS_DRAWN).with_columns(pl.col("entrants", "converted").cast(pl.Int64))
    days, mature = rows["entry_day"].to_list(), [bool(flag) for flag in rows["is_mature"]]
    rates = [
        converted / entered if entered >= FEW else None
        for entered, converted in rows.select("entrants", "converted").rows()
    ]
    notes = ["" if done else " (not complete)" for done in mature]
    hover = [
        f"{day(one)}{note}<br>{count(entered)} entered"
        for one, note, entered in zip(days, notes, rows["entrants"], strict=True)
    ]
    rate_hover = [
        f"{day(one)}{note}<br>{count(converted)} of {count(entered)} completed: {share(converted, entered)}"
        for one, note, (entered, converted) in zip(
            days, notes, rows.select("entrants", "converted").rows(), strict=True
        )
    ]
    completed = counts.rates(rows["converted"].to_list(), rows["entrants"].to_list())
    panels = [Panel("Entered", "bars", rows["entrants"].to_list(), hover)]
    if any(rate is not None for rate in rates):
        highest = max(rate for rate in rates if rate is not None)
        panels.append(Panel(f"Completed, days with {FEW} or more", "line", rates, rate_hover, share_ticks(highest)))
    cut = f" The newest {DAYS_DRAWN} days." if every.height > DAYS_DRAWN else ""
    shown = view.changes_between(days)
    legend = "".join(f" {letter}: {short_day(change.date)}, {name(change.name)}." for letter, change in shown)
    return Figure(
        "days",
        daily_sentence(counts, rows),
        f"By the day of entry. Hollow: the window is not over, so the share can still grow. Each day counts the best attempt of that day, so a "
        f"{counts.unit} may appear on several days and days do not add up.{cut}{legend}",
        trend(days, panels, complete=mature, events=[(letter, change.date) for letter, change in shown])
        if days
        else None,
        table(
            (*texts("Day of entry"), *rate_columns("Completed", "Entered")),
            [
                cells(Cell(day(one), note.strip(" ()")), *rate_cells(rate))
                for one, note, rate in reversed(list(zip(days, notes, completed, strict=True)))
            ],
            most=DAYS_DRAWN,
        ),
        funnel_query("funnel_daily", counts),
    )


def daily_sentence(counts: FunnelCounts, rows: pl.DataFrame) -> str:
    """How many of the days can be judged."""
    growing = rows.filter(~pl.col("is_mature"))
    if rows.is_empty():
        return "Nobody has entered yet"
    if not counts.window:
        return "Without a time limit the share of a day can always grow"
    if growing.is_empty():
        return f"All {plural(rows.height, 'day')} are complete"
    if growing.height == rows.height:
        return "No day can be judged yet: every window still runs"
    first = single(growing, pl.col("entry_day").min())
    return f"Days before {day(first)} are complete; {plural(growing.height, 'day')} from then on can still grow"


# ---------------------------------------------------------------- definition


def definition_terms(counts: FunnelCounts) -> Block:
    """The definition in words."""
    definition = counts.definition
    order = definition.order if definition else "ordered"
    steps = "; ".join(
        f"{number}. {name(label)}{' (may be skipped)' if is_optional else ''}"
        for number, label, is_optional in counts.steps.select("step_number", "step_name", "is_optional").rows()
    )
    limit = (
        f"All steps within {duration(counts.window.total_seconds())} of the first one, that moment included."
        if counts.window
        else "There is no time limit."
    )
    terms = [
        ("Steps", f"{steps} – {ORDERS[order]}."),
        ("Counted", f"{sentence(counts.units)}. {ATTEMPTS[counts.attempt]}"),
        ("Time limit", limit),
        (
            "This funnel is known up to",
            f"{counts.horizon:%Y-%m-%d %H:%M} UTC; nothing later is counted in it."
            if counts.horizon
            else "no events yet",
        ),
    ]
    if definition and definition.description:
        terms.insert(0, ("About", name(definition.description, limit=400)))
    if definition and definition.exclusions:
        excluded = listed([quoted(item.event) for item in definition.exclusions], "or")
        ending = "ends the attempt where it stands" if definition.exclusion == "kill" else "removes the attempt"
        terms.append(("Left out", f"{excluded} in between {ending}."))
    if definition and definition.hold_constant:
        terms.append(
            (
                "Held equal",
                f"All steps of one attempt share the same {listed([quoted(item) for item in definition.hold_constant])}.",
            )
        )
    return Terms(tuple(terms))
