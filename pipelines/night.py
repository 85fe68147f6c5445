"""The night: what one run works with, given to every asset as a resource."""

import resource
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import perf_counter

import polars as pl

from pipelines.engines.local import LocalEngine
from pipelines.engines.spark import SparkEngine, Submit, submit_alone
from pipelines.erasure import go_on
from pipelines.journal import JOURNAL, SESSIONS, append, entries
from pipelines.landing import Discovery, discover
from pipelines.retractions import retracted_pairs
from pipelines.settings import Configuration, Workspace
from pipelines.tombstones import not_of_erased
from pipelines.unchanged import is_unchanged
from pipelines.warehouse import Warehouse, lazily, quoted, scalar, sql_text
from transforms.contracts import MART_HORIZONS
from transforms.journey import Funnel, Journey
from transforms.mapping import completeness


@dataclass(frozen=True)
class Vanished:
    """A line of the journal: a session, known by the event that opened it, that a night no longer found."""

    session_id: str
    source: str
    event_id: str
    at: str


@dataclass
class Step:
    """A step of a run: what it took, how many rows its tables hold afterwards, and whether they were left as they were."""

    name: str
    rows: int | None = None
    seconds: float = 0.0
    peak_mb: int = 0
    is_kept: bool = False


@dataclass(frozen=True)
class Night:
    """One run over one workspace. Its start is the only clock that a run reads, and goes into ops.runs alone.

    `until` is the instant before which an entry of the journal counts; None for all of them.
    """

    workspace: Workspace
    say: Callable[[str], None] = field(default=lambda _line: None)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    loaded: dict[str, int] = field(default_factory=lambda: {"files": 0, "rows": 0})
    waiting: list[str] = field(default_factory=list)
    unsent: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    done: Callable[[Step], None] = field(default=lambda _step: None)
    until: datetime | None = None
    submitters: list[Submit] = field(default_factory=lambda: [submit_alone])

    @property
    def configuration(self) -> Configuration:
        """journey.yaml."""
        return self.workspace.configuration

    @property
    def journey(self) -> Journey:
        """The journey of journey.yaml."""
        return self.configuration.journey

    @property
    def run_id(self) -> str:
        """Id of the run in ops.runs."""
        return f"{self.started_at:%Y%m%dT%H%M%S.%fZ}"

    @cached_property
    def warehouse(self) -> Warehouse:
        """The private build file."""
        return Warehouse(self.workspace.build_file, memory=self.configuration.engine.memory)

    @cached_property
    def engine(self) -> LocalEngine:
        """Where transforms run."""
        if self.configuration.engine.name == "spark":
            return SparkEngine(self.warehouse, self.configuration, submit=self.submit)
        return LocalEngine(self.warehouse, self.configuration)

    def submit(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        """Run a program of the step at hand to its end; its exit status."""
        return self.submitters[-1](command, env)

    @property
    def funnels(self) -> list[Funnel]:
        """The funnels of the journey, in its time zone."""
        return [funnel.model_copy(update={"time_zone": self.journey.time_zone}) for funnel in self.journey.funnels]

    @cached_property
    def is_unchanged(self) -> bool:
        """True when, after this run has read what landed, everything is as the last published run left it."""
        return is_unchanged(self.warehouse, self.workspace, retracted=self.retracted)

    @cached_property
    def retracted(self) -> pl.DataFrame:
        """The pair_id of identifiers that somebody has taken apart."""
        return retracted_pairs(self.workspace.landing, until=self.until)

    def discover(self) -> Discovery:
        """What is to be loaded: all that landed. Erasures that have begun are carried on first."""
        configuration = self.configuration
        go_on(self.workspace.landing, configuration, say=self.say, hmac_key=lambda: self.workspace.hmac_key)
        return discover(self.workspace.landing, configuration.sources, settling=configuration.landing, say=self.say)

    def remember_vanished(self, sessions: pl.DataFrame) -> None:
        """Write session_id, source and event_id of sessions that are no longer there to the journal; none of erased persons."""
        at = self.started_at.isoformat()
        told = not_of_erased(sessions, self.workspace.landing)
        rows = told.select("session_id", "source", "event_id").iter_rows()
        gone = [Vanished(session_id, source, event_id, at) for session_id, source, event_id in rows]
        append(self.workspace.landing / JOURNAL / SESSIONS, gone)

    def vanished_sessions(self) -> pl.DataFrame:
        """All sessions that a night found to be no longer there: session_id, source, event_id, superseded_at."""
        journal = self.workspace.landing / JOURNAL / SESSIONS
        told = [astuple(entry) for entry in entries(journal, Vanished, until=self.until)]
        frame = pl.DataFrame(told, schema=["session_id", "source", "event_id", "superseded_at"], orient="row")
        return frame.cast(pl.String).with_columns(
            pl.col("superseded_at").str.to_datetime("%+", time_unit="us", time_zone="UTC")
        )

    @contextmanager
    def timed(self, name: str, submit: Submit = submit_alone) -> Iterator[Step]:
        """Keep what a step takes, for as long as the block runs; `submit` runs the programs of the step."""
        step, begun = Step(name), perf_counter()
        self.submitters[:] = [submit]
        yield step
        step.seconds = perf_counter() - begun
        step.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        self.steps.append(step)
        self.done(step)

    def store(self, name: str, frame: pl.DataFrame | pl.LazyFrame) -> dict[str, int]:
        """Put these rows in place of a table's; returns the table's row count by its name."""
        return {name: self.warehouse.replace(name, frame.lazy().collect())}

    def scan(self, table: str) -> pl.LazyFrame:
        """A table as a LazyFrame that reads only the columns asked for; collected while the step lasts, as of the last commit."""
        with self.warehouse.opened() as connection:
            return lazily(connection, f"FROM {quoted(table)}")

    def row_counts(self, names: Iterable[str]) -> dict[str, int]:
        """How many rows each of these tables holds."""
        with self.warehouse.opened() as connection:
            return {name: scalar(connection, f"SELECT count(*) FROM {quoted(name)}") for name in names}

    def source_horizons(self) -> dict[str, datetime]:
        """Per source, the newest instant up to which it is complete: declared, else the newest seen less its lateness."""
        sources = self.configuration.sources
        seen = self.warehouse.query(sql_text("core/source_horizons.sql"))
        horizons = {}
        for name, newest in seen.rows():
            source = sources.get(name)
            declared = completeness(source.complete_to, time_zone=self.journey.time_zone) if source else None
            horizons[name] = declared or newest - (source.lateness if source else timedelta(0))
        return horizons

    def funnel_horizons(self, funnels: Iterable[Funnel]) -> dict[str, datetime | None]:
        """Per funnel, the least horizon over the sources that can match one of its steps or exclusions."""
        horizons = self.source_horizons()
        delivered = self.warehouse.query(sql_text("core/source_events.sql")).rows()
        answer: dict[str, datetime | None] = {}
        for funnel in funnels:
            events = {step.event for step in funnel.steps} | {exclusion.event for exclusion in funnel.exclusions}
            stages = {step.stage for step in funnel.steps if step.stage}
            takes_any = any(step.any for step in funnel.steps)
            sources = {source for source, event, stage in delivered if takes_any or event in events or stage in stages}
            answer[funnel.name] = min((horizons[source] for source in sources), default=None)
        return answer

    def stage_horizon(self) -> datetime | None:
        """The least horizon over the sources whose events are part of the journey."""
        return min(self._journey_horizons().values(), default=None)

    def horizons(self) -> pl.LazyFrame:
        """MART_HORIZONS: a row per source with events, in order of name."""
        known, in_journey = self.source_horizons(), self._journey_horizons()
        rows = [(source, known[source], source in in_journey) for source in sorted(known)]
        return pl.LazyFrame(rows, schema=MART_HORIZONS.schema, orient="row")

    def held_back_by(self) -> str | None:
        """The source that ends the horizon more than a day before the others of the journey; None when they agree."""
        horizons = self._journey_horizons()
        earliest, latest = min(horizons.values(), default=None), max(horizons.values(), default=None)
        if earliest is None or latest is None or latest - earliest <= timedelta(days=1):
            return None
        return min(horizons, key=lambda source: (horizons[source], source))

    def _journey_horizons(self) -> dict[str, datetime]:
        horizons = self.source_horizons()
        delivered = self.warehouse.query(sql_text("core/source_events.sql")).rows()
        return {source: horizons[source] for source, _, stage in delivered if stage is not None}
