"""Difference: what figures of one period were known to be on two days, and why they differ."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.engines.local import LocalEngine, row_counts
from pipelines.errors import ConfigurationError
from pipelines.past import end_of, landed_before
from pipelines.rebuild import Rebuild, folder_beside
from pipelines.retractions import retractions
from pipelines.rules import rules_on
from pipelines.run import build_tables
from pipelines.settings import Configuration, Workspace
from pipelines.warehouse import attached, quoted, sql_text

IDENTITY = ("core.identity_edges", "core.identity_map", "core.customer_aliases")
CAUSES = ("rules", "merges", "late_rows", "unmerges")
KEY = ("figure", "subject")


@dataclass(frozen=True)
class Difference:
    """Figures of everything up to `horizon` that differ between two days: their values, and how much each cause is of it.

    `unchanged` is how many figures do not differ.
    """

    earlier: str
    later: str
    horizon: datetime | None
    changed: list[dict[str, Any]]
    unchanged: int


@dataclass(frozen=True)
class BorrowedIdentity(LocalEngine):
    """An engine that takes who is who from another warehouse."""

    lender: Path = field(default=Path())

    def identity(self, *, retracted: pl.DataFrame | None = None) -> dict[str, int]:
        """Copy the tables of identity."""
        with self.warehouse.opened() as connection, attached(connection, self.lender, "lender"):
            for name in IDENTITY:
                connection.execute(f"INSERT INTO {quoted(name)} FROM lender.{quoted(name)}")
            return row_counts(connection, *IDENTITY)


@dataclass(frozen=True)
class Known(Rebuild):
    """A rebuild that counts no event after `cap`, by some rules, and where `lender` is given by the identity found there."""

    cap: datetime | None = None
    rules: Configuration | None = None
    lender: Path | None = None

    @property
    def configuration(self) -> Configuration:
        """The rules."""
        return self.rules or self.workspace.configuration

    @cached_property
    def engine(self) -> LocalEngine:
        """Where transforms run."""
        if self.lender is None:
            return LocalEngine(self.warehouse, self.configuration)
        return BorrowedIdentity(self.warehouse, self.configuration, lender=self.lender)

    def source_horizons(self) -> dict[str, datetime]:
        """Per source, up to when it is complete, and no later than the cap."""
        horizons = super().source_horizons()
        return {name: min(horizon, self.cap or horizon) for name, horizon in horizons.items()}


def difference(place: Workspace, earlier: str, later: str, *, say: Callable[[str], None]) -> Difference:
    """Compare what was known on two days of the time up to the horizon of the earlier one.

    Between the two stand worlds that differ in one thing each: today's rules, then the later day's identity, then its rows,
    then what was taken apart. A figure's steps from world to world sum to its change.
    Raises ConfigurationError for what is no day, or a later one before the earlier; DataError when nothing had landed by then.
    """
    time_zone = place.configuration.journey.time_zone
    first, last = end_of(earlier, time_zone), end_of(later, time_zone)
    if first >= last:
        raise ConfigurationError(f"the first day comes before the second; found {earlier} and {later}")
    with ExitStack() as stack:
        new_world = _worlds(place, stack, say)
        old_rules = rules_on(place.landing, first) or place.configuration
        files = frozenset(file.file_id for file in landed_before(place, first))
        known = new_world(f"as known on {earlier}", file_ids=files, until=first, rules=old_rules)
        cap = known.stage_horizon()
        known = replace(known, cap=cap)
        build_tables(known)
        by_rules = known
        if old_rules.version != place.configuration.version:
            by_rules = new_world("by today's rules", file_ids=files, until=first, cap=cap)
        all_files = frozenset(file.file_id for file in landed_before(place, last))
        with_rows = new_world("with the rows that landed since", file_ids=all_files, until=first, cap=cap)
        stitched = new_world(
            "with the identity found since", file_ids=files, until=first, cap=cap, lender=with_rows.warehouse.path
        )
        unmerged = with_rows
        if len(retractions(place.landing, until=last)) > len(retractions(place.landing, until=first)):
            unmerged = new_world("with what was taken apart since", file_ids=all_files, until=last, cap=cap)
        worlds = [figures(world, cap) for world in (known, by_rules, stitched, with_rows, unmerged)]
        return _compared(worlds, earlier, later, cap)


def _worlds(place: Workspace, stack: ExitStack, say: Callable[[str], None]) -> Callable[..., Known]:
    """A function that builds a world in a folder that goes when the stack unwinds."""

    def build(name: str, **said: Any) -> Known:
        say(f"rebuilding {name} …")
        world = Known(place, folder=stack.enter_context(folder_beside(place)), **said)
        build_tables(world)
        return world

    return build


def figures(world: Known, cap: datetime | None) -> pl.DataFrame:
    """The figures of a world: figure, subject, value."""
    return world.warehouse.query(sql_text("ops/figures.sql"), {"horizon": cap})


def _compared(worlds: list[pl.DataFrame], earlier: str, later: str, cap: datetime | None) -> Difference:
    names = [f"world {number}" for number in range(len(worlds))]
    joined = worlds[0].rename({"value": names[0]})
    for name, world in zip(names[1:], worlds[1:], strict=True):
        joined = joined.join(world.rename({"value": name}), on=KEY, how="full", coalesce=True)
    filled = joined.with_columns(pl.col(names).fill_null(0)).sort(KEY)
    steps = {
        cause: pl.col(after) - pl.col(before)
        for cause, before, after in zip(CAUSES, names[:-1], names[1:], strict=True)
    }
    told = filled.select(*KEY, pl.col(names[0]).alias("earlier"), pl.col(names[-1]).alias("later"), **steps)
    is_changed = pl.any_horizontal(pl.col(*CAUSES) != 0)
    changed = told.filter(is_changed)
    return Difference(earlier, later, cap, changed.rows(named=True), told.height - changed.height)


def print_difference(found: Difference, out: Console) -> None:
    """Print the changed figures, a line each, with what each cause is of the change."""
    horizon = f"{found.horizon:%Y-%m-%d %H:%M} UTC" if found.horizon else "the end"
    out.print(f"Everything up to {horizon}, as known on {found.earlier} and on {found.later}.", markup=False)
    if found.changed:
        heads = ("figure", "", found.earlier, *(cause.replace("_", " ") for cause in CAUSES), found.later)
        out.print("{:<12} {:<34} {:>12} {:>9} {:>9} {:>9} {:>9} {:>12}".format(*heads), markup=False)
    for row in found.changed:
        causes = "".join(f"{row[cause]:>+10,}" if row[cause] else f"{'':>10}" for cause in CAUSES)
        subject = row["subject"][:34]
        out.print(f"{row['figure']:<12} {subject:<34} {row['earlier']:>12,}{causes} {row['later']:>12,}", markup=False)
    out.print(f"{len(found.changed)} figures differ, {found.unchanged} do not.", markup=False)
