"""Increments: what core was last built from, so that a run works only for the customers for whom something has changed.

All of it is bookkeeping in the build file, schema `state`, written in the transactions that write the tables it speaks of;
where it does not know, a table is made anew as a whole.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel

from pipelines.engines.per_customer import PER_CUSTOMER
from pipelines.warehouse import SQL, Connection, ask, run, scalar, sql_text
from transforms.channel_rules import RULES
from transforms.funnel_stream import spans_customers
from transforms.journey import Funnel, Journey

ENGINES = Path(__file__).resolve().parent
TRANSFORMS = ENGINES.parents[1] / "transforms"
ENTRANTS, GROUPS = "mart.funnel_entrants", "mart.funnel_entrant_groups"
FOLLOWING = (*PER_CUSTOMER, ENTRANTS)
SEARCHED = "each funnel by its own rules"
NOT_OF_THE_TIMELINE = {"name", "funnels", "segments", "kpis", "changes", "stage_window"}
WORTHWHILE = 0.5


@dataclass(frozen=True)
class Extent:
    """How many events there are, how many of them are new or have changed, and how many old forms are gone."""

    present: int
    fresh: int
    gone: int
    gone_web: int

    @property
    def is_small(self) -> bool:
        """True when so little has changed that the rest is worth keeping."""
        return self.fresh + self.gone <= WORTHWHILE * self.present


def find_changes(connection: Connection) -> Extent:
    """Compare the events at hand with those that core.events was built from; leaves the tables of sql/state/changes.sql."""
    run(connection, "core/web_timeline.sql")
    run(connection, "core/crm_timeline.sql")
    run(connection, "state/changes.sql")
    return Extent(**ask(connection, "state/extent.sql").row(0, named=True))


def data_version(connection: Connection) -> str:
    """Version of the rows of raw."""
    return str(scalar(connection, sql_text("state/raw_version.sql")))


# ---------------------------------------------------------------- rules


def rules_version(settings: Mapping[str, Any]) -> str:
    """Hash of the settings of a transform, and of the code that reads them."""
    said = {name: _said(value) for name, value in settings.items() if not callable(value)}
    return _digest(json.dumps([said, RULES.version, code_version()], sort_keys=True))


def _said(value: Any) -> Any:
    if isinstance(value, Journey):
        return value.model_dump(mode="json", exclude=NOT_OF_THE_TIMELINE)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_said(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def code_version() -> str:
    """Hash of the transforms, of the SQL that feeds them, and of the engines below them."""
    code = [*ENGINES.glob("*.py"), *TRANSFORMS.rglob("*.py")]
    files = sorted([*code, *(SQL / "core").glob("*.sql"), *(SQL / "state").glob("*.sql")])
    texts = [file.read_text(encoding="utf-8") for file in files]
    return _digest("\n".join([version("polars"), version("duckdb"), *texts]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- what was built


def built(connection: Connection, name: str, rules: str) -> dict[str, Any] | None:
    """What is known of a table that was built by these rules; None when it was not."""
    rows = ask(connection, "state/built.sql", {"name": name, "rules": rules}).rows(named=True)
    return rows[0] if rows else None


def built_last(connection: Connection, name: str) -> dict[str, Any] | None:
    """What is known of a table, by whatever rules it was built; None when it was not."""
    rows = ask(connection, "state/built_last.sql", {"name": name}).rows(named=True)
    return rows[0] if rows else None


def note_built(
    connection: Connection, name: str, rules: str, *, data_version: str | None = None, horizon: datetime | None = None
) -> None:
    """Write down by which rules, and from which rows, a table was built; nothing of it has to be made anew now."""
    told = {"name": name, "rules": rules, "data_version": data_version, "horizon": horizon}
    run(connection, "state/forget_built.sql", {"name": name})
    run(connection, "state/note_built.sql", told)
    run(connection, "state/forget_touched.sql", {"name": name})


def forget_following(connection: Connection) -> None:
    """Whatever follows from the timeline has to be made anew as a whole."""
    for name in FOLLOWING:
        run(connection, "state/forget_built.sql", {"name": name})


def touch_following(connection: Connection) -> None:
    """Whatever follows from the timeline has to be made anew for the customers of the table `touched`."""
    for name in FOLLOWING:
        run(connection, "state/touch.sql", {"name": name})


def remember_moved(connection: Connection, identity_map: pl.DataFrame) -> None:
    """Write down which identifiers a new map points elsewhere than the stored one."""
    run(connection, "state/moved.sql", incoming_map=identity_map)


# ---------------------------------------------------------------- funnels


def searched_before(
    connection: Connection,
    funnels: Sequence[Funnel],
    rules: Mapping[str, str],
    horizons: Mapping[str, datetime | None],
) -> dict[str, datetime]:
    """The horizon to which each funnel was searched that need not be searched anew for every customer.

    It was searched by the same rules to a horizon that was no later; what spans customers is not kept.
    """
    if not built(connection, ENTRANTS, SEARCHED):
        return {}
    kept = {}
    for funnel in funnels:
        last, now = built(connection, f"funnel {funnel.name}", rules[funnel.name]), horizons[funnel.name]
        if not spans_customers(funnel) and last and last["horizon"] and now and last["horizon"] <= now:
            kept[funnel.name] = last["horizon"]
    return kept


def touch_open(connection: Connection, funnel: Funnel, *, before: datetime, now: datetime | None) -> None:
    """Touch the customers whose attempts at a funnel a later horizon may change."""
    if before != now:
        said = {"funnel": funnel.name, "before": before, "now": now, "has_exclusions": bool(funnel.exclusions)}
        run(connection, "state/touch_open.sql", {"name": ENTRANTS, **said})


def forget_attempts(connection: Connection, kept: list[str]) -> None:
    """Take back the attempts of touched customers, and all those of funnels that are not kept."""
    run(connection, "state/forget_funnels.sql", {"kept": kept})
    run(connection, "state/forget_other_groups.sql", {"kept": kept})
    run(connection, "state/forget_other_entrants.sql", {"kept": kept})
    run(connection, "state/forget_groups.sql", {"name": ENTRANTS})
    run(connection, "state/forget_entrants.sql", {"name": ENTRANTS})


def note_searched(connection: Connection, rules: Mapping[str, str], horizons: Mapping[str, datetime | None]) -> None:
    """Write down by which rules, and to which horizon, each funnel was searched."""
    for name, version_ in rules.items():
        note_built(connection, f"funnel {name}", version_, horizon=horizons[name])
    note_built(connection, ENTRANTS, SEARCHED)
