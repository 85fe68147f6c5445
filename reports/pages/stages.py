"""Stages: how many enter each, how many go on from one to another, where they move next, and how long it takes."""

import polars as pl

from reports.charts.dots import rate_dots
from reports.charts.flow import EXIT, MOST_MOVES, flow_bands
from reports.charts.moves import WAYS, move_bars
from reports.charts.rate_bars import rate_bars
from reports.charts.spans import quartile_spans, until
from reports.findings import next_stage
from reports.frames import single
from reports.page import Cell, Figure, Page, Query, Section
from reports.pages.overview import stage_figure
from reports.rates import Rate
from reports.tables import cells, numbers, rate_cells, rate_columns, table, texts
from reports.view import View
from reports.words import count, duration, interval, name, percent, plural, quoted, sentence, share
from transforms.statistics import FEW, Z95

HEAT_STEPS = 10


def build(view: View) -> list[Page]:
    """The page of stage conversion.

    Reads mart.stage_reach, mart.stage_conversion, mart.stage_transitions, and the answers stage_flow, stage_velocity, stuck, stuck_longest.
    """
    conversion = view.table("mart.stage_conversion")
    parts = (
        Section("Who ever got there", (stage_figure(view),)),
        Section("From each stage to the next", (next_figure(conversion),)),
        Section("From every stage to every later one", (matrix_figure(conversion), certainty_figure(conversion))),
        Section("Where they go from here", (flow_figure(view), moves_figure(view))),
        Section("How long it takes", (velocity_figure(view.answer("stage_velocity")),)),
        Section("Who is stuck", stuck_figures(view)),
    )
    return [
        Page(
            "stages.html",
            "Stages",
            f"Stages of the journey · {allowed_time(conversion)}",
            heading(conversion),
            lead(conversion),
            parts,
        )
    ]


def allowed_time(conversion: pl.DataFrame) -> str:
    """The window of stage conversion in words."""
    seconds = single(conversion, pl.col("window_seconds").max())
    return "at any time" if seconds is None else f"within {duration(seconds)}"


def settled(row: dict[str, int | None]) -> Rate:
    """The rate that is final: of those whose window is over; without a window, of all so far."""
    if row["window_seconds"] is None:
        return Rate.of(row["reached"], row["entered"])
    return Rate.of(row["matured_reached"], row["matured_entered"])


def heading(conversion: pl.DataFrame) -> str:
    """The narrowest place of the journey."""
    rates = [(row, settled(row)) for row in next_stage(conversion).iter_rows(named=True)]
    enough = [(row, rate) for row, rate in rates if rate.says_enough]
    if not enough:
        return "Too few customers to say where the journey narrows"
    row, rate = min(enough, key=lambda pair: (pair[1].value, pair[0]["from_stage_number"]))
    return f"{sentence(rate.text)} go on from {quoted(row['from_stage'], limit=40)} to {quoted(row['to_stage'], limit=40)}, the fewest of all stages"


def lead(conversion: pl.DataFrame) -> str:
    """What the shares on this page are shares of."""
    if conversion.is_empty():
        return "As soon as events are mapped to stages, this page shows how customers move between them."
    return (
        "Each share is of the customers who entered a stage, counted from their first entry, who reached a later stage "
        f"{allowed_time(conversion)}. Shares are shown first for those whose time is over; the others can still get there."
    )


def next_figure(conversion: pl.DataFrame) -> Figure:
    """Each stage to the one right after it."""
    onward = next_stage(conversion)
    rates = [settled(row) for row in onward.iter_rows(named=True)]
    rows = pl.DataFrame(
        [
            (f"{row['from_stage']} → {row['to_stage']}", rate.part, rate.whole, rate.low, rate.high, None)
            for row, rate in zip(onward.iter_rows(named=True), rates, strict=True)
        ],
        schema={
            "label": pl.String,
            "reached": pl.Int64,
            "whole": pl.Int64,
            "low": pl.Float64,
            "high": pl.Float64,
            "lost": pl.Int64,
        },
        orient="row",
    )
    lines = [
        cells(f"{name(row['from_stage'])} → {name(row['to_stage'])}", *rate_cells(rate), median(row["median_seconds"]))
        for row, rate in zip(onward.iter_rows(named=True), rates, strict=True)
    ]
    best = max(
        (pair for pair in zip(onward.iter_rows(named=True), rates, strict=True) if pair[1].says_enough),
        key=lambda pair: pair[1].value or 0,
        default=None,
    )
    finding = (
        f"Most go on from {quoted(best[0]['from_stage'])} to {quoted(best[0]['to_stage'])}: {best[1].text}"
        if best
        else "Too few customers for a share yet"
    )
    return Figure(
        "next-stage",
        finding,
        f"Customers who reached the next stage {allowed_time(conversion)} of first entering one; only those whose time is over.",
        rate_bars(rows) if rows.height else None,
        table(
            (*texts("From → to"), *rate_columns("Reached it", "Entered, time over"), *numbers("Median time")),
            lines,
            note="The median counts everybody who entered, also those who never went on: “not reached” means that fewer than half did.",
        ),
        Query("stage_conversion"),
        is_open=True,
    )


def median(seconds: int | None) -> str:
    """A median time, which may lie beyond what has been seen."""
    return "not reached" if seconds is None else duration(seconds)


def matrix_figure(conversion: pl.DataFrame) -> Figure:
    """Every stage to every later stage, as a grid."""
    pairs = {(row["from_stage"], row["to_stage"]): settled(row) for row in conversion.iter_rows(named=True)}
    by_place = conversion.sort("from_stage_number", "to_stage_number")
    rows, columns = (
        by_place["from_stage"].unique(maintain_order=True).to_list(),
        by_place.sort("to_stage_number")["to_stage"].unique(maintain_order=True).to_list(),
    )
    lines = [
        (Cell(name(row, limit=40)), *(matrix_cell(pairs.get((row, column))) for column in columns)) for row in rows
    ]
    strongest = max(((rate.value or 0, pair) for pair, rate in pairs.items() if rate.says_enough), default=None)
    finding = (
        "Darker means that more get there"
        if strongest is None
        else f"From {quoted(strongest[1][0])}, {pairs[strongest[1]].text} reach {quoted(strongest[1][1])}, the strongest path"
    )
    return Figure(
        "stage-matrix",
        finding,
        "Rows: the stage entered. Columns: the later stage reached. Only customers whose time is over; the darker, the larger the share.",
        None,
        table((*texts("From"), *numbers(*(f"to {name(column, limit=40)}" for column in columns))), lines),
        Query("stage_conversion"),
        is_open=True,
    )


def matrix_cell(rate: Rate | None) -> Cell:
    """One share of the grid with its counts."""
    if rate is None:
        return Cell("")
    heat = min(HEAT_STEPS - 1, int((rate.value or 0) * HEAT_STEPS)) if rate.says_enough else None
    return Cell(rate.text, rate.counts, heat)


def certainty_figure(conversion: pl.DataFrame) -> Figure:
    """Matured, so far and projected of every pair, kept apart."""
    lines = []
    for row in conversion.sort("from_stage_number", "to_stage_number").iter_rows(named=True):
        matured = Rate.of(row["matured_reached"], row["matured_entered"])
        lines.append(
            cells(
                f"{name(row['from_stage'], limit=40)} → {name(row['to_stage'], limit=40)}",
                *(rate_cells(matured) if row["matured_entered"] is not None else ("–",) * 4),
                Cell(share(row["reached"], row["entered"]), f"{count(row['reached'])} of {count(row['entered'])}"),
                projected_cell(row),
                median(row["median_seconds"]),
            )
        )
    waiting = int(
        conversion.group_by("from_stage")
        .agg((pl.col("entered").cast(pl.Int64) - pl.col("matured_entered").cast(pl.Int64)).first())["entered"]
        .sum()
        or 0
    )
    return Figure(
        "stage-certainty",
        f"The time of {plural(waiting, 'entry', 'entries')} still runs" if waiting else "Nobody's time still runs",
        "Matured: customers whose time is over. So far: everybody who entered; incomplete. Projected: the share to expect once everybody's "
        "time is over (Kaplan–Meier).",
        None,
        table(
            (
                *texts("From → to"),
                *rate_columns("Matured: reached", "Matured: entered"),
                *numbers("So far", "Projected", "Median time"),
            ),
            lines,
            most=200,
        ),
        Query("stage_conversion"),
    )


def projected_cell(row: dict[str, float | None]) -> Cell:
    """A projected share with its interval."""
    rate, error, entered = row["projected_rate"], row["projected_error"], row["entered"]
    if rate is None or error is None:
        return Cell("–")
    span = interval(max(rate - Z95 * error, 0.0), min(rate + Z95 * error, 1.0))
    return Cell(percent(rate) if entered and entered >= FEW else "too few to say", span)


def moves_figure(view: View) -> Figure:
    """Where customers went from each stage: on, skipping, back, or nowhere yet."""
    moves = view.table("mart.stage_transitions")
    order = {stage: number for number, stage in enumerate(view.journey.stage_names)}
    way = pl.when(pl.col("to_stage") == "(still there)").then(pl.lit("still there")).otherwise(pl.col("direction"))
    inside = moves.filter(pl.col("from_stage") != "(start)").with_columns(way=way, moves=pl.col("moves").cast(pl.Int64))
    names = [label for label, *_ in WAYS]
    place = pl.col("from_stage").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    rows = (
        inside.group_by("from_stage")
        .agg(pl.col("moves").filter(pl.col("way") == label).sum().alias(label) for label in names)
        .sort(place, "from_stage")
        .rename({"from_stage": "label"})
    )
    places = [
        pl.col(column).replace_strict(
            order, default=-1 if column == "from_stage" else len(order), return_dtype=pl.Int64
        )
        for column in ("from_stage", "to_stage")
    ]
    lines = [
        cells(
            f"{name(row['from_stage'], limit=40)} → {name(row['to_stage'], limit=40)}",
            row["direction"] or "–",
            count(row["moves"]),
            count(row["customers"]),
            "–" if row["median_seconds"] is None else duration(row["median_seconds"]),
        )
        for row in moves.sort(*places, "from_stage", "to_stage").iter_rows(named=True)
    ]
    back = int(single(rows, pl.col("back").sum())) if rows.height else 0
    whole = int(rows.select(pl.sum_horizontal(names)).to_series().sum()) if rows.height else 0
    finding = (
        f"{sentence(share(back, whole))} of the times that somebody was in a stage ended with a step back: {count(back)} of {count(whole)}"
        if whole >= FEW
        else "Too few moves to say"
    )
    return Figure(
        "moves",
        finding,
        "What followed each time that a customer was in a stage. Journeys are seldom straight: people skip stages and come back.",
        move_bars(rows) if whole else None,
        table(
            (*texts("From → to", "Direction"), *numbers("Moves", "Customers", "Median time in the stage left")),
            lines,
            most=200,
        ),
        Query("stage_transitions"),
    )


def flow_figure(view: View) -> Figure:
    """The ways through the stages, move by move, from the first stage of each customer."""
    flow = view.answer("stage_flow")
    lines = [
        cells(
            f"{row['move']}: {name(row['from_stage'], limit=40)} → {name(row['to_stage'], limit=40)}",
            *rate_cells(Rate.of(row["customers"], row["from_customers"])),
        )
        for row in flow.iter_rows(named=True)
    ]
    return Figure(
        "flow",
        flow_sentence(flow),
        f"From the first stage of each customer to the right, one column for each of the first {MOST_MOVES} stages; a band is as wide as the "
        "customers who went that way. Whoever comes into a stage goes out of it, to another one or to a grey end, where no move has followed yet.",
        flow_bands(flow, stages=view.journey.stage_names),
        table(
            (*texts("Move: from → to"), *rate_columns("Customers", "Of those who could")),
            lines,
            note="Of the first move, shares are of everybody; of the others, of those whom the move before had brought to the stage. "
            "(exit): no move since. (other): the ninth move and later ones.",
            most=250,
        ),
        Query("stage_flow"),
    )


def flow_sentence(flow: pl.DataFrame) -> str:
    """How many have never moved on from their first stage."""
    second = flow.filter(pl.col("move") == 2)
    if flow.is_empty():
        return "Nobody has entered a stage yet"
    everybody = int(single(flow.filter(pl.col("move") == 1), pl.col("customers").sum()))
    rate = Rate.of(int(single(second.filter(pl.col("to_stage") == EXIT), pl.col("customers").sum())), everybody)
    if not rate.says_enough:
        return "Too few customers to say which way most go"
    onward = second.filter(pl.col("to_stage") != EXIT).sort(
        "customers", "from_stage", "to_stage", descending=[True, False, False]
    )
    most = onward.row(0, named=True) if onward.height else None
    way = f"; most others went from {quoted(most['from_stage'])} to {quoted(most['to_stage'])}" if most else ""
    return f"{sentence(rate.text)} are still in the stage they entered first: {rate.counts}{way}"


def velocity_figure(velocity: pl.DataFrame) -> Figure:
    """By when a quarter, half and three quarters of those who entered a stage had reached the next one."""
    onward = next_stage(velocity)
    drawn = onward.filter(pl.col("entered") >= FEW, pl.col("quartile_1_days").is_not_null()).with_columns(
        label=pl.format("{} → {}", "from_stage", "to_stage"),
        note=pl.format("{} of {} so far", "reached", "entered"),
    )
    lines = [
        cells(
            f"{name(row['from_stage'], limit=40)} → {name(row['to_stage'], limit=40)}",
            *(few_or(row, column) for column in ("quartile_1_days", "median_days", "quartile_3_days")),
            *(count(row[column]) for column in ("reached", "entered", "waiting")),
        )
        for row in velocity.sort("from_stage_number", "to_stage_number").iter_rows(named=True)
    ]
    return Figure(
        "velocity",
        velocity_sentence(drawn, onward),
        "From entering a stage to the next one: the ring is the time within which half have reached it, the bar spans from a quarter to three "
        "quarters; without an end, three quarters never did. Everybody who entered is counted, those who still wait too.",
        quartile_spans(drawn) if drawn.height else None,
        table(
            (
                *texts("From → to"),
                *numbers("A quarter within", "Half within", "Three quarters within", "Reached", "Entered", "Waiting"),
            ),
            lines,
            note="“Not reached”: fewer than that share have, of all who entered.",
            most=200,
        ),
        Query("stage_velocity"),
    )


def few_or(row: dict[str, float | None], column: str) -> str:
    """A quartile in words; too few to say where hardly anybody entered."""
    if (row["entered"] or 0) < FEW:
        return "too few to say"
    return "not reached" if row[column] is None else until(row[column])


def velocity_sentence(drawn: pl.DataFrame, onward: pl.DataFrame) -> str:
    """The slowest step forward of those that half take, or that none is taken by half."""
    known = drawn.filter(pl.col("median_days").is_not_null()).sort(
        "median_days", "from_stage_number", descending=[True, False]
    )
    if known.height:
        row = known.row(0, named=True)
        return (
            f"Half of those in {quoted(row['from_stage'])} reach {quoted(row['to_stage'])} within {until(row['median_days'])}"
            f"{', the slowest step that half take' if known.height > 1 else ''}"
        )
    enough = onward.filter(pl.col("entered") >= FEW)
    return (
        "From no stage have half reached the next one"
        if enough.height
        else "Too few customers to say how long it takes"
    )


def stuck_figures(view: View) -> tuple[Figure, Figure]:
    """Who is in a stage for longer than nine in ten of those who left it, counted by stage, and those by most."""
    stuck, longest = view.answer("stuck"), view.answer("stuck_longest")
    rates = [(row, Rate.of(row["stuck"], row["customers_now"])) for row in stuck.iter_rows(named=True)]
    every = sum(rate.part for _, rate in rates)
    whole = sum(rate.whole for _, rate in rates)
    worst = max(
        (pair for pair in rates if pair[1].says_enough and pair[1].part), key=lambda pair: pair[1].part, default=None
    )
    finding = f"{plural(every, 'customer')} of {count(whole)} are in a stage for longer than nine in ten stayed" + (
        f"; most of them in {quoted(worst[0]['stage'])}: {worst[1].counts} ({worst[1].text})" if worst else ""
    )
    return (
        Figure(
            "stuck",
            finding if whole else "Nobody is in a stage yet",
            "Customers who are in a stage now, and how many of them for longer than nine in ten of those who left it had been in it. "
            "Many will never move again; the list below says whom to look at first.",
            rate_dots([(row["stage"], rate) for row, rate in rates]),
            table(
                (
                    *texts("Stage"),
                    *rate_columns("Stuck", "In it now"),
                    *numbers("Usual stay, up to", "Stays that ended", "Longest"),
                ),
                [
                    cells(
                        name(row["stage"]),
                        *rate_cells(rate),
                        *(
                            ("–",) * 3
                            if row["usual_days"] is None
                            else (until(row["usual_days"]), count(row["stays_that_ended"]), until(row["longest_days"]))
                        ),
                    )
                    for row, rate in rates
                ],
            ),
            Query("stuck"),
        ),
        Figure(
            "stuck-longest",
            f"The {plural(longest.height, 'customer')} who are stuck by most" if longest.height else "Nobody is stuck",
            "By how many times the usual stay they have been there. `journeys customer ID` shows everything that one of them did.",
            None,
            table(
                (*texts("Customer", "Stage", "Came by"), *numbers("In it for", "Usual, up to"), *texts("Last seen")),
                [
                    cells(
                        name(row["customer_id"]),
                        name(row["stage"]),
                        name(row["touchpoint"]) if row["touchpoint"] else "–",
                        until(row["days_in_stage"]),
                        until(row["usual_days"]),
                        f"{row['last_seen_at']:%Y-%m-%d}" if row["last_seen_at"] else "–",
                    )
                    for row in longest.iter_rows(named=True)
                ],
            ),
            Query("stuck_longest"),
            rows=stuck,
        ),
    )
