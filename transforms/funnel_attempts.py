"""Funnel attempts: every attempt of every unit, which of them stand for their unit, and what became of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

import polars as pl

from transforms.contracts import TIME
from transforms.funnel_chains import needs_search, place_columns, walked_attempts
from transforms.funnel_search import Attempt, Rules, Timeline, find_attempt, microseconds, scanned
from transforms.funnel_stream import ROW, cut_columns, micros, step_columns
from transforms.journey import Funnel

FLAGS = ("is_first", "is_best", "is_first_of_day", "is_best_of_day", "is_counted")
ROOM_FOR_ROWS = 2**32


def all_attempts(stream: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """Every attempt in the range: walked where the greedy walk is exact, else searched.

    In:  a funnel stream with `row`.
    Out: sorted by entry: unit, entry and place_1… (rows of the stream; null for a step not reached), mandatory and
         optional (steps reached), is_excluded, bare (mandatory steps without exclusions), is_scanned (counted under
         `attempt: all`).
    """
    is_hard = needs_search(stream, funnel)
    walked = walked_attempts(stream if not is_hard.any() else stream.filter(~is_hard), funnel)
    unsure = walked.filter("is_unsure").select("unit", "entry")
    walked = walked.filter(~pl.col("is_unsure")).drop("is_unsure")
    if unsure.height:
        units = stream["unit"].is_in(unsure["unit"].unique().implode())
        if funnel.attempt == "all":
            walked = walked.join(unsure, on="unit", how="anti", maintain_order="left")
            entries = units
        else:
            entries = stream["row"].is_in(unsure["entry"].implode())
        stream = stream.with_columns(pl.col("enters") & (is_hard | entries))
        is_hard = is_hard | units
    scan = scanned_walks(stream, walked, funnel) if funnel.attempt == "all" else pl.lit(False)
    searched = searched_attempts(stream.filter(is_hard), funnel)
    return pl.concat([walked.with_columns(is_scanned=scan), searched]).sort("entry")


# ---------------------------------------------------------------- attempts one after the other


def scanned_walks(stream: pl.DataFrame, attempts: pl.DataFrame, funnel: Funnel) -> pl.Series:
    """Which of the walked attempts `attempt: all` counts: the next begins where the one before has ended."""
    rules, at = Rules.of(funnel), stream["at"]
    done_at = attempts.select(
        pl.max_horizontal(at.gather(attempts[place]).alias(place) for place in place_columns(funnel))
    )
    entries = pl.DataFrame(
        {
            "unit": attempts["unit"],
            "at": at.gather(attempts["entry"]),
            "order": stream["order"].gather(attempts["entry"]),
            "done_at": done_at.to_series(),
            "is_done": attempts["mandatory"] == rules.mandatory,
        }
    ).with_row_index("number")
    after_window = pl.lit(None, dtype=pl.Int64) if rules.window is None else pl.col("at") + (rules.window + 1)
    queue = (
        entries.sort("unit", "order")
        .with_columns(free_from=pl.when("is_done").then("done_at").otherwise(after_window))
        .with_row_index("turn")
    )
    turns = queue.select("turn", following=following_turns(queue))
    reached = queue.group_by("unit").agg(pl.col("turn").min())["turn"]
    counted = pl.repeat(False, queue.height, eager=True)
    while not reached.is_empty():
        counted = counted.scatter(reached, True)
        reached = turns["following"].gather(reached).drop_nulls()
    return queue.select("number", counted=counted).sort("number")["counted"]


def following_turns(queue: pl.DataFrame) -> pl.Series:
    """For each attempt in the queue, the one that may follow it; null for none."""
    openings = queue.group_by("unit", "at").agg(opening=pl.col("turn").min()).sort("unit", "at")
    found = (
        queue.filter(pl.col("free_from").is_not_null())
        .sort("free_from")
        .join_asof(
            openings.sort("at"),
            left_on="free_from",
            right_on="at",
            by="unit",
            strategy="forward",
            check_sortedness=False,
        )
        .select("turn", "opening")
    )
    next_turn = pl.when(pl.col("unit") == pl.col("unit").shift(-1)).then(pl.col("turn") + 1)
    at_once = pl.col("free_from") == pl.col("at")
    joined = queue.join(found, on="turn", how="left").sort("turn")
    return joined.select(pl.when(at_once).then(next_turn).otherwise("opening")).to_series()


# ---------------------------------------------------------------- the exact search, unit by unit


def searched_attempts(stream: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """All attempts of some units, by the exact search. In and out as of `all_attempts`."""
    names = ["unit", "entry", *place_columns(funnel), "mandatory", "optional", "is_excluded", "bare", "is_scanned"]
    kinds = {"is_excluded": pl.Boolean, "is_scanned": pl.Boolean}
    rules, rows, at = Rules.of(funnel), stream["row"].to_list(), stream["at"].to_list()
    found: list[tuple[object, ...]] = []
    for unit, attempts in unit_attempts(stream, at, funnel, rules):
        counted = set(scanned(attempts, at)) if funnel.attempt == "all" else set()
        for turn, attempt in enumerate(attempts):
            places = [None if place is None else rows[place] for place in attempt.places]
            judged = (attempt.mandatory, attempt.optional, attempt.is_excluded, attempt.bare, turn in counted)
            found.append((unit, rows[attempt.entry], *places, *judged))
    return pl.DataFrame(found, schema={name: kinds.get(name, ROW) for name in names}, orient="row")


def unit_attempts(
    stream: pl.DataFrame, at: list[int], funnel: Funnel, rules: Rules
) -> Iterator[tuple[int, list[Attempt]]]:
    """Each unit with its attempts, in total order of their entries."""
    steps = [stream[name].arg_true().to_list() for name in step_columns(funnel)]
    cuts = [stream[name].arg_true().to_list() for name in cut_columns(funnel)]
    entries = stream.with_row_index("place").filter("enters").sort("order")["place"].to_list()
    holds = stream["hold"].to_list()
    begins = stream["unit"].rle().struct.field("len").cum_sum().to_list() if stream.height else []
    entry_of_unit = sorted(entries, key=lambda place: bisect_right(begins, place))
    for unit, group in groupby(entry_of_unit, key=lambda place: bisect_right(begins, place)):
        first, after = begins[unit - 1] if unit else 0, begins[unit]
        own_steps = [between(places, first, after) for places in steps]
        own_cuts = tuple([at[place] for place in between(places, first, after)] for places in cuts)
        instants = sorted(set(at[first:after])) if rules.is_strict else []
        timelines: dict[str, Timeline] = {}
        attempts: list[Attempt] = []
        for entry in group:
            hold = holds[entry]
            if hold not in timelines:
                held = [[place for place in places if holds[place] == hold] for places in own_steps]
                times = tuple([at[place] for place in places] for places in held)
                timelines[hold] = Timeline(at, tuple(held), times, own_cuts, instants)
            attempts.append(find_attempt(timelines[hold], rules, entry))
        yield stream["unit"][first], attempts


def between(places: list[int], first: int, after: int) -> list[int]:
    """The places in [first, after), of ascending places."""
    return places[bisect_left(places, first) : bisect_left(places, after)]


# ---------------------------------------------------------------- which attempts count, and their status


def judged_attempts(
    stream: pl.DataFrame, funnel: Funnel, *, ends: pl.DataFrame | None, horizon: datetime | None
) -> pl.DataFrame:
    """The attempts that stand for their unit or day, or are counted, with flags and status.

    In:  a funnel stream with `row`; unit_id and closed_at, when something closes the window of a whole unit.
    Out: as of `all_attempts`, and unit_id, at, entry_day, closes (microseconds, null without a window), FLAGS, status.
    """
    attempts = all_attempts(stream, funnel)
    entry, last = attempts["entry"], micros(horizon)
    attempts = attempts.with_columns(at=stream["at"].gather(entry), order=stream["order"].gather(entry))
    attempts = attempts.with_columns(closes=closing(funnel))
    if ends is not None:
        attempts = attempts.with_columns(unit_id=stream["unit_id"].gather(entry))
        attempts = attempts.join(ends, on="unit_id", how="left", maintain_order="left")
        attempts = attempts.with_columns(closes=pl.min_horizontal("closes", "closed_at")).drop("unit_id", "closed_at")
    runs = pl.lit(True) if last is None else (pl.col("closes") > last).fill_null(True)
    attempts = attempts.with_columns(
        entry_day=pl.col("at").cast(TIME).dt.convert_time_zone(funnel.time_zone).dt.date(),
        is_open=~pl.col("is_excluded") & runs,
        stays=~pl.col("is_excluded") if drops(funnel) else pl.lit(True),
    )
    chosen = with_status(flagged(attempts, funnel).filter(pl.any_horizontal(FLAGS)), funnel)
    return chosen.with_columns(unit_id=stream["unit_id"].gather(chosen["entry"]))


def closing(funnel: Funnel) -> pl.Expr:
    """When an attempt's window closes: W after its entry; when the range cuts every event, not after its end."""
    window, end = microseconds(funnel.window), micros(funnel.ends_at) if funnel.range == "all" else None
    after_window = pl.lit(None, dtype=pl.Int64) if window is None else pl.col("at") + window
    return pl.min_horizontal(after_window, pl.lit(end, dtype=pl.Int64))


def drops(funnel: Funnel) -> bool:
    """Whether excluded attempts are taken away altogether."""
    return funnel.exclusion == "drop" and len(funnel.exclusions) > 0


def flagged(attempts: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """Mark the first and the best attempt of each unit and of each of its days, and those the funnel counts.

    `exclusion: drop` takes away excluded attempts, and in order also units (days) that would have gone deeper without
    the exclusions. unit_open and day_open say, for a best attempt, whether any attempt of its unit (day) is open.
    """
    falls_short = pl.col("bare") > pl.col("mandatory") if drops(funnel) and funnel.order != "any" else pl.lit(False)
    stays_alone = pl.col("stays") & ~falls_short
    is_new_day = (pl.col("unit") != pl.col("unit").shift()) | (pl.col("entry_day") != pl.col("entry_day").shift())
    attempts = attempts.with_row_index("turn").with_columns(
        pl.col("unit").set_sorted(), unit_day=is_new_day.fill_null(True).cum_sum().set_sorted()
    )
    unit, day = winners(attempts, funnel)
    marks = {
        "is_first": marked(attempts, unit["first"]),
        "is_first_of_day": marked(attempts, day["first"]),
        "is_best": marked(attempts, unit["best"]),
        "is_best_of_day": marked(attempts, day["best"]),
        "unit_open": marked(attempts, unit.filter("is_open")["best"]),
        "day_open": marked(attempts, day.filter("is_open")["best"]),
    }
    attempts = attempts.with_columns(**marks).with_columns(pl.col("is_first", "is_first_of_day") & stays_alone)
    counts = {"best": pl.col("is_best"), "first": pl.col("is_first"), "all": pl.col("is_scanned") & stays_alone}
    return attempts.with_columns(is_counted=counts[funnel.attempt])


def winners(attempts: pl.DataFrame, funnel: Funnel) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of each unit and of each day of a unit: `first` and `best`, the turns of the first and the best attempt (null for none), and is_open.

    The order of two attempts and their turns are packed into one integer, so that one minimum or maximum finds the turn;
    a unit's are then those of its days.
    """
    turn = pl.col("turn").cast(pl.Int64)
    score = pl.col("mandatory").cast(pl.Int64) * optional_room(funnel) + pl.col("optional")
    days = attempts.group_by("unit_day").agg(
        pl.col("unit").first(),
        first=(pl.col("order").cast(pl.Int64) * ROOM_FOR_ROWS + turn).min(),
        best=pl.when("stays").then(score * ROOM_FOR_ROWS + (ROOM_FOR_ROWS - 1 - turn)).max(),
        bare=pl.col("bare").max(),
        is_open=pl.col("is_open").any(),
    )
    units = days.group_by("unit").agg(pl.col("first").min(), pl.col("best", "bare").max(), pl.col("is_open").any())
    return unpacked(units, funnel), unpacked(days, funnel)


def optional_room(funnel: Funnel) -> int:
    """How many numbers of optional steps there can be."""
    return sum(step.optional for step in funnel.steps) + 1


def unpacked(found: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """The turns that `winners` packed."""
    best = pl.col("best")
    if drops(funnel) and funnel.order != "any":
        best = pl.when(pl.col("bare") <= best // ROOM_FOR_ROWS // optional_room(funnel)).then(best)
    return found.select("is_open", first=pl.col("first") % ROOM_FOR_ROWS, best=ROOM_FOR_ROWS - 1 - best % ROOM_FOR_ROWS)


def marked(attempts: pl.DataFrame, turns: pl.Series) -> pl.Series:
    """True at some turns."""
    return pl.repeat(False, attempts.height, eager=True).scatter(turns.drop_nulls(), True)


def with_status(attempts: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """converted, open, excluded or dropped.

    A best row speaks for its unit (its day): it is open while any attempt of the unit (the day) may still go on. Where
    the funnel counts single attempts (`first`, `all`), a counted row speaks for itself.
    """
    counted_alone = pl.lit(funnel.attempt != "best") & pl.col("is_counted")
    for_unit = pl.col("is_best") & ~counted_alone
    for_day = pl.col("is_best_of_day") & ~counted_alone & ~pl.col("is_first")
    is_open = pl.when(for_unit).then("unit_open").when(for_day).then("day_open").otherwise("is_open")
    return attempts.with_columns(
        status=pl.when(pl.col("mandatory") == Rules.of(funnel).mandatory)
        .then(pl.lit("converted"))
        .when(is_open)
        .then(pl.lit("open"))
        .when("is_excluded")
        .then(pl.lit("excluded"))
        .otherwise(pl.lit("dropped"))
    )
