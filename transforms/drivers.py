"""Drivers: what units did or were soon after they entered a funnel, and how that goes together with converting later.

An association, never a cause: who does something may have meant to convert anyhow.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from transforms.contracts import MART_FUNNEL_DRIVERS
from transforms.funnel_stream import NOT_KNOWN
from transforms.journey import Funnel
from transforms.statistics import FALSE_DISCOVERY_RATE, FEW, Z95, benjamini_hochberg, exported, two_sided_p

PART_OF_WINDOW = 7
CANDIDATES = 20
VALUES_ADJUSTED = 5
LEAST_CONVERTED = 10
ENTRY = ("unit_id", "entered_at", "entry_source", "entry_event_id")
DRIVER_ENTRANT = ("funnel", *ENTRY, "is_first", "status", "closes_at", "step_times")
DRIVER_GROUP = ("funnel", *ENTRY, "breakdown", "value")
EVENT = "event"

Numbers = npt.NDArray[np.floating]


class Fit(NamedTuple):
    """Coefficients of a logistic regression and their errors."""

    coefficients: Numbers
    errors: Numbers


def landmark(funnel: Funnel) -> timedelta | None:
    """How long every unit is watched before its later conversion is looked at: a seventh of the window; None without one."""
    return None if funnel.window is None else funnel.window / PART_OF_WINDOW


def names_events(funnel: Funnel) -> bool:
    """Whether every step is an event by name, so that other events are not steps in disguise."""
    return all(step.event is not None for step in funnel.steps)


def funnel_drivers(
    entrants: pl.DataFrame, groups: pl.DataFrame, behaviour: pl.DataFrame, *, funnel: Funnel, horizon: datetime | None
) -> pl.DataFrame:
    """How events and properties go together with converting later, each adjusted for activity and the other properties.

    In:  MART_FUNNEL_ENTRANTS and MART_FUNNEL_ENTRANT_GROUPS; unit_id, event, events: what each unit did between its first
         entry and the landmark, both inclusive.
    Out: MART_FUNNEL_DRIVERS of the funnel, sorted by kind and driver. Empty without window or horizon, or with too few.

    Every unit is watched equally long: the drivers are what was there by the landmark, the outcome is conversion after it.
    Units that had converted by then, and those whose window still runs, are left out. Firth (1993) keeps the odds finite.
    """
    watched = watched_units(entrants, funnel, horizon=horizon)
    if watched["converted"].sum() < LEAST_CONVERTED:
        return MART_FUNNEL_DRIVERS.empty()
    did = behaviour.join(watched.select("unit_id"), on="unit_id", how="semi")
    properties = entry_properties(groups, watched, funnel)
    activity = watched.join(did.group_by("unit_id").agg(pl.col("events").sum()), on="unit_id", how="left")
    activity = activity.with_columns(pl.col("events").fill_null(0)).sort("unit_id")
    tables = [
        driver_row(units, kind, name, properties if kind == EVENT else properties.filter(pl.col("breakdown") != kind))
        for kind, name, units in candidates(activity, did, properties, funnel)
    ]
    if not tables:
        return MART_FUNNEL_DRIVERS.empty()
    return MART_FUNNEL_DRIVERS.conform(judged(pl.DataFrame(tables), funnel).lazy()).collect()


def watched_units(entrants: pl.DataFrame, funnel: Funnel, *, horizon: datetime | None) -> pl.DataFrame:
    """unit_id, its entry and whether it converted: units whose first window has closed, not converted by the landmark."""
    watch = landmark(funnel)
    here = pl.col("funnel") == funnel.name
    if watch is None or horizon is None:
        return entrants.head(0).select(*ENTRY, converted=pl.lit(False))
    last = max(number for number, step in enumerate(funnel.steps, start=1) if not step.optional)
    times = pl.col("step_times")
    done_at = times.list.max() if funnel.order == "any" else times.list.get(last - 1, null_on_oob=True)
    converted = pl.col("status") == "converted"
    early = converted & (done_at <= pl.col("entered_at") + watch)
    return (
        entrants.filter(here & pl.col("is_first") & (pl.col("closes_at") <= horizon) & ~early)
        .select(*ENTRY, converted=converted)
        .sort("unit_id")
    )


def entry_properties(groups: pl.DataFrame, watched: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """unit_id, breakdown, value: the breakdowns as of entry of the watched units."""
    labels = [breakdown.label for breakdown in funnel.breakdowns if breakdown.as_of == "entry"]
    here = (pl.col("funnel") == funnel.name) & pl.col("breakdown").is_in(labels)
    own = groups.filter(here).join(watched.select(ENTRY), on=ENTRY, how="semi", nulls_equal=True)
    return own.select("unit_id", "breakdown", "value").unique().sort("unit_id", "breakdown", "value")


def candidates(
    activity: pl.DataFrame, did: pl.DataFrame, properties: pl.DataFrame, funnel: Funnel
) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Kind, name and the watched units with `has`, `converted` and `others` (how much else they did).

    The commonest events that are no step, and the values of breakdowns; with 20 units on either side.
    """
    steps = {step.event for step in funnel.steps} | {item.event for item in funnel.exclusions}
    owners = did.filter(~pl.col("event").is_in(list(steps)) & names_events(funnel))
    for name in common(owners, "event", activity.height):
        has = owners.filter(pl.col("event") == name).select("unit_id", own="events")
        units = activity.join(has, on="unit_id", how="left", maintain_order="left")
        own = pl.col("own").fill_null(0)
        yield EVENT, name, units.with_columns(has=own > 0, others=pl.col("events") - own)
    for (kind,), members in sorted(properties.partition_by("breakdown", as_dict=True).items()):
        for name in common(members.filter(pl.col("value") != NOT_KNOWN), "value", activity.height):
            owned = members.filter(pl.col("value") == name)["unit_id"]
            is_owned = pl.col("unit_id").is_in(owned.implode())
            yield str(kind), name, activity.with_columns(has=is_owned, others=pl.col("events"))


def common(owners: pl.DataFrame, column: str, size: int) -> list[str]:
    """The commonest names that 20 units have and 20 have not."""
    counts = owners.group_by(column).agg(units=pl.col("unit_id").n_unique())
    enough = counts.filter((pl.col("units") >= FEW) & (size - pl.col("units") >= FEW))
    return enough.sort("units", column, descending=[True, False])[column].head(CANDIDATES).to_list()


def driver_row(units: pl.DataFrame, kind: str, name: str, adjusters: pl.DataFrame) -> dict[str, object]:
    """The counts of one driver and its adjusted odds ratio with error."""
    frame = units.with_columns(activity=(pl.col("others") + 1).log(2).round().cast(pl.Int64))
    columns = ["has", "activity"]
    for (breakdown,), members in sorted(adjusters.partition_by("breakdown", as_dict=True).items()):
        for value in common(members, "value", units.height)[:VALUES_ADJUSTED]:
            owned = members.filter(pl.col("value") == value)["unit_id"]
            columns.append(f"{breakdown}={value}")
            frame = frame.with_columns(pl.col("unit_id").is_in(owned.implode()).alias(columns[-1]))
    patterns = frame.group_by(columns).agg(units=pl.len(), converted=pl.col("converted").sum()).sort(columns)
    fit = firth(design(patterns, columns), patterns["units"].to_numpy(), patterns["converted"].to_numpy())
    with_it, without = frame.filter("has"), frame.filter(~pl.col("has"))
    return {
        "kind": kind,
        "driver": name,
        "with_units": with_it.height,
        "with_converted": with_it["converted"].sum(),
        "without_units": without.height,
        "without_converted": without["converted"].sum(),
        "log_odds": float(fit.coefficients[1]),
        "error": float(fit.errors[1]),
    }


def design(patterns: pl.DataFrame, columns: Sequence[str]) -> Numbers:
    """The matrix of a regression: a constant, then the columns; those that others already tell are left out.

    The driver itself comes first and always stays.
    """
    kept = [np.ones(patterns.height)]
    for name in columns:
        column = patterns[name].cast(pl.Float64).to_numpy()
        if np.linalg.matrix_rank(np.column_stack([*kept, column])) > len(kept):
            kept.append(column)
    return np.column_stack(kept)


def firth(matrix: Numbers, trials: npt.NDArray[np.generic], successes: npt.NDArray[np.generic]) -> Fit:
    """Logistic regression on counts, with the penalty that takes away the bias of small samples and keeps odds finite.

    In:  a row per pattern, with how many units it has and how many of them converted.

    Source: Firth (1993); Heinze and Schemper (2002). With one factor alone it is the odds ratio with 1/2 added to each cell.
    """
    size, done = trials.astype(np.float64), successes.astype(np.float64)
    coefficients = np.zeros(matrix.shape[1])
    inverse: Numbers = np.eye(matrix.shape[1])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(matrix @ coefficients, -30, 30)))
        weight = size * chance * (1 - chance)
        inverse = np.linalg.pinv(matrix.T @ (matrix * weight[:, None]))
        leverage = weight * np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
        step = inverse @ (matrix.T @ (done - size * chance + leverage * (0.5 - chance)))
        coefficients = coefficients + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    return Fit(coefficients, np.sqrt(np.diag(inverse)))


def judged(drivers: pl.DataFrame, funnel: Funnel) -> pl.DataFrame:
    """Odds ratios with their intervals (Wald), and which stand out among all that were looked at (Benjamini-Hochberg)."""
    margin = Z95 * pl.col("error")
    z = drivers.select(z=pl.col("log_odds") / pl.col("error"))["z"]
    watch = landmark(funnel) or timedelta(0)
    return (
        drivers.with_columns(p_value=two_sided_p(z))
        .with_columns(q_value=benjamini_hochberg(pl.col("p_value")))
        .with_columns(
            exported(pl.col("p_value")),
            exported(pl.col("q_value")),
            funnel=pl.lit(funnel.name),
            landmark_seconds=pl.lit(watch // timedelta(seconds=1), dtype=pl.Int64),
            odds_ratio=exported(pl.col("log_odds").exp()),
            odds_ratio_low=exported((pl.col("log_odds") - margin).exp()),
            odds_ratio_high=exported((pl.col("log_odds") + margin).exp()),
            stands_out=pl.col("q_value") <= FALSE_DISCOVERY_RATE,
        )
        .sort("kind", "driver")
    )
