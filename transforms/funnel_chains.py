"""Funnel chains, vectorised: all attempts at once, for the units whose chains a greedy walk finds exactly.

The walk takes for each step the next event that may serve it. That is the definition's chain (deepest, then earliest)
as long as no rule can make a later event the better choice: `needs_search` names the units where one could, `is_unsure`
the attempts.
"""

import polars as pl

from transforms.funnel_search import Rules, microseconds
from transforms.funnel_stream import ROW, cut_columns, step_columns
from transforms.journey import Funnel


def place_columns(funnel: Funnel) -> list[str]:
    """Names of the columns that say which row of the stream serves each step."""
    return [f"place_{number}" for number in range(1, len(funnel.steps) + 1)]


def needs_search(stream: pl.DataFrame, funnel: Funnel) -> pl.Series:
    """For each event, whether its unit has to go to the exact search as a whole.

    That is a unit with events that leave a choice: one that several steps could use, at an instant shared with others.
    Some funnels need it for all units: strict order or exclusions with a value held, for the events of other values break
    its chains; counting all attempts in any order, for there each event that an attempt uses could have begun another.
    """
    rules = Rules.of(funnel)
    is_broken_by_others = rules.is_strict or len(funnel.exclusions) > 0
    if (funnel.hold_constant and is_broken_by_others) or (rules.is_any and funnel.attempt == "all"):
        return pl.repeat(True, stream.height, eager=True)
    shared = (pl.col("at") == pl.col("at").shift()) & (pl.col("unit") == pl.col("unit").shift())
    seen = stream.select("unit", overlap=overlaps(funnel), shared=shared.fill_null(False))
    if not seen.select(pl.any_horizontal(pl.col("overlap", "shared").any())).item():
        return pl.repeat(False, stream.height, eager=True)
    overlap, shared_unit = (
        pl.col(name).any().over("unit") if seen[name].any() else pl.lit(False) for name in ("overlap", "shared")
    )
    return seen.with_columns(hard=leaves_choice(funnel, overlap, shared_unit))["hard"]


def overlaps(funnel: Funnel) -> pl.Expr:
    """Whether several steps could use an event."""
    return pl.sum_horizontal(pl.col(name).cast(pl.UInt8) for name in step_columns(funnel)) > 1


def leaves_choice(funnel: Funnel, overlap: pl.Expr, shared: pl.Expr) -> pl.Expr:
    """Whether the greedy walk could choose wrongly in a unit with overlapping steps or shared instants."""
    if funnel.order == "any":
        return overlap if funnel.ties == "any" and not funnel.event_reuse else overlap | shared
    if funnel.attempt == "all":
        return overlap | (shared if funnel.order == "strict" else pl.lit(False))
    if funnel.ties == "increasing":
        return pl.lit(False)
    if funnel.order == "strict":
        return shared | overlap if funnel.event_reuse else shared
    return pl.lit(False) if funnel.event_reuse else overlap & shared


def walked_attempts(stream: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """All attempts of the units whose chains a greedy walk finds.

    In:  rows of the stream with `row`, their place in it.
    Out: unit, entry, place_1… (rows of the stream, null for a step not reached), mandatory, optional, is_excluded, bare,
         and is_unsure where the walk did not look at a rule that may concern the attempt.
    """
    lanes = in_lanes(stream, funnel)
    anchors = lanes.filter("enters").select("lane", "local", "unit", entry="row", limit=deadline(funnel))
    places = any_places(lanes, anchors, funnel) if funnel.order == "any" else ordered_places(lanes, anchors, funnel)
    rows = lanes["row"]
    named = {name: rows.gather(places[name]).alias(name) for name in place_columns(funnel)}
    needed = [name for name, step in zip(place_columns(funnel), funnel.steps, strict=True) if not step.optional]
    depth = pl.sum_horizontal(pl.col(name).is_not_null().cast(ROW) for name in needed)
    return (
        anchors.select("unit", "entry")
        .with_columns(**named, is_unsure=is_unsure(lanes, anchors, places, funnel))
        .with_columns(mandatory=depth, optional=pl.lit(0, dtype=ROW), is_excluded=pl.lit(False), bare=depth)
    )


def is_unsure(lanes: pl.DataFrame, anchors: pl.DataFrame, places: dict[str, pl.Series], funnel: Funnel) -> pl.Series:
    """Whether an attempt breaks `within`, has an event of an optional step, or an excluded event in its way.

    An excluded event is in the way of an unfinished attempt anywhere in its window, of a finished one before its end.
    """
    at, any_within = lanes["at"], any(step.within is not None for step in funnel.steps)
    unsure = pl.repeat(False, anchors.height, eager=True)
    before = at.gather(anchors["local"])
    for number, step in list(enumerate(funnel.steps, start=1))[1:]:
        if step.optional:
            upcoming = next_rows(lanes, f"step_{number}", lanes["instant_begins"].gather(anchors["local"]))
            unsure |= comes_by(lanes, anchors, upcoming, anchors["limit"])
        elif funnel.order != "any" and any_within:
            here = at.gather(places[f"place_{number}"])
            if step.within is not None:
                unsure |= (here - before > microseconds(step.within)).fill_null(False)
            before = here
    if funnel.exclusions:
        until = end_or_limit(at, anchors, places, funnel)
        for name in cut_columns(funnel):
            upcoming = next_rows(lanes, name, lanes["next_instant"].gather(anchors["local"]))
            unsure |= comes_by(lanes, anchors, upcoming, until)
    return unsure


def end_or_limit(at: pl.Series, anchors: pl.DataFrame, places: dict[str, pl.Series], funnel: Funnel) -> pl.Series:
    """The last instant at which an excluded event would matter: before the end of a finished attempt, else in the window."""
    needed = [f"place_{number}" for number, step in enumerate(funnel.steps, start=1) if not step.optional]
    instants = pl.DataFrame([at.gather(places[name]).alias(name) for name in needed])
    is_finished = pl.all_horizontal(pl.col(needed).is_not_null())
    done_at = pl.max_horizontal(needed)
    return (
        instants.with_columns(anchors["limit"])
        .select(pl.when(is_finished).then(done_at - 1).otherwise("limit"))
        .to_series()
    )


def comes_by(lanes: pl.DataFrame, anchors: pl.DataFrame, rows: pl.Series, until: pl.Series) -> pl.Series:
    """Whether some rows are of the attempts' own units and not later than some instants."""
    same = lanes["unit"].gather(rows) == anchors["unit"]
    return (same & (lanes["at"].gather(rows) <= until)).fill_null(False)


def in_lanes(stream: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """The stream by lane (the events of a unit that may share a chain), with the first row of each instant and the next."""
    if funnel.hold_constant:
        named = stream.with_columns(
            lane=pl.concat_str(pl.col("unit"), "hold", separator="\x1f").cast(pl.Categorical).to_physical()
        )
        lanes = named.sort("lane", "row").with_columns(lane=pl.col("lane").rle_id())
    else:
        lanes = stream.with_columns(lane=pl.col("unit"))
    new = ((pl.col("lane") != pl.col("lane").shift()) | (pl.col("at") != pl.col("at").shift())).fill_null(True)
    local = pl.int_range(pl.len(), dtype=ROW)
    begins = pl.when(new).then(local)
    return lanes.with_columns(
        local=local,
        instant_begins=begins.forward_fill(),
        next_instant=begins.backward_fill().shift(-1).fill_null(lanes.height),
    )


def deadline(funnel: Funnel) -> pl.Expr:
    """The last instant of an attempt's window."""
    if funnel.window is None:
        return pl.lit(2**62, dtype=pl.Int64)
    return pl.col("at") + Rules.of(funnel).window


def ordered_places(lanes: pl.DataFrame, anchors: pl.DataFrame, funnel: Funnel) -> dict[str, pl.Series]:
    """For each attempt and step, the row that serves it: the next one after the step before, within the window."""
    bound = search_from(lanes, funnel)
    walking = anchors.select("lane", "limit", number=pl.int_range(pl.len(), dtype=ROW), here="local")
    places = {"place_1": anchors["local"]}
    for number, name in list(enumerate(place_columns(funnel), start=1))[1:]:
        if funnel.steps[number - 1].optional:
            places[name] = pl.repeat(None, anchors.height, dtype=ROW, eager=True)
            continue
        found = next_rows(lanes, f"step_{number}", bound.gather(walking["here"]))
        walking = walking.with_columns(found=found).filter(pl.col("found").is_not_null())
        walking = walking.filter(fits(lanes, walking, funnel)).with_columns(here=pl.col("found")).drop("found")
        empty = pl.repeat(None, anchors.height, dtype=ROW, eager=True)
        places[name] = empty.scatter(walking["number"], walking["here"])
    return places


def search_from(lanes: pl.DataFrame, funnel: Funnel) -> pl.Series:
    """Per row, the first row that may serve the next step: of its own instant, or of the next where steps must not share."""
    if funnel.ties == "increasing":
        return lanes["next_instant"]
    if funnel.event_reuse:
        return lanes["instant_begins"]
    if not lanes.select(overlaps(funnel).any()).item():
        return lanes["instant_begins"]
    chosen = pl.when(overlaps(funnel).any().over("unit")).then("next_instant").otherwise("instant_begins")
    return lanes.select(chosen).to_series()


def next_rows(lanes: pl.DataFrame, step: str, bound: pl.Series) -> pl.Series:
    """The first row at or after each bound that may serve a step, in whatever lane; null for none."""
    upcoming = lanes.select(pl.when(step).then("local").backward_fill()).to_series()
    return upcoming.extend_constant(None, 1).gather(bound)


def fits(lanes: pl.DataFrame, walking: pl.DataFrame, funnel: Funnel) -> pl.Series:
    """Whether the row found for each attempt is of its lane, in its window, and in strict order the very next."""
    found = walking["found"]
    kept = (lanes["lane"].gather(found) == walking["lane"]) & (lanes["at"].gather(found) <= walking["limit"])
    if funnel.order == "strict":
        begins = lanes["instant_begins"]
        same = begins.gather(found) == begins.gather(walking["here"])
        kept &= same | (begins.gather(found) == lanes["next_instant"].gather(walking["here"]))
    return kept


def any_places(lanes: pl.DataFrame, anchors: pl.DataFrame, funnel: Funnel) -> dict[str, pl.Series]:
    """In any order, for each attempt and step, the first row from the entry on, within the window."""
    places: dict[str, pl.Series] = {}
    begins = lanes["instant_begins"].gather(anchors["local"])
    walking = anchors.select("lane", "limit", number=pl.int_range(pl.len(), dtype=ROW), here="local")
    for name, place in zip(step_columns(funnel), place_columns(funnel), strict=True):
        serves = lanes[name].gather(anchors["local"])
        found = walking.with_columns(found=next_rows(lanes, name, begins))
        found = found.with_columns(found=pl.when(serves).then("here").otherwise("found")).filter(
            pl.col("found").is_not_null()
        )
        found = found.filter(fits(lanes, found, funnel))
        empty = pl.repeat(None, anchors.height, dtype=ROW, eager=True)
        places[place] = empty.scatter(found["number"], found["found"])
    return places
