"""Report inputs: what the report site is given, and what a run says of itself."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property, partial
from html import unescape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.errors import ConfigurationError, DataError
from pipelines.night import Night
from pipelines.notices import Notice, alert_notices, late_sources
from pipelines.publish import EMPTY, publish_site, stage_site
from pipelines.settings import Workspace
from pipelines.warehouse import LACKING, PublishedWarehouse, Warehouse, sql_files, sql_text
from reports.downloads import Answer
from reports.page import Query
from reports.segments import MOST_MAPS, of_segment, segment_query
from reports.site import SiteFacts, UnknownPage, build_site, build_standalone
from transforms.contracts import OPS_REPORT_MANIFEST, OPS_RUNS, OPS_STEPS

READ = (
    "core.funnel_definitions",
    "mart.stage_conversion",
    "mart.stage_transitions",
    "mart.stage_reach",
    "mart.kpis",
    "mart.sessions_daily",
    "mart.funnel_steps",
    "mart.funnel_daily",
    "mart.funnel_breakdown",
    "mart.funnel_change_steps",
    "mart.funnel_change_groups",
    "mart.data_quality",
    "ops.balances",
    "ops.schema_drift",
    "ops.failed_files",
)
"""Tables and views that the site reads whole."""
WAITING_SHOWN = 3
VIEWS = tuple(f"mart.{path.stem}" for path in sql_files("mart"))
QUERIED = {"mart.attribution": "ops/attribution_totals.sql", "mart.funnel_entrants": "ops/first_attempts.sql"}
COUNTED = (
    "account_totals",
    "accounts",
    "acquisition",
    "ad_spend",
    "adoption",
    "attribution_markov",
    "breakdown_coverage",
    "carts",
    "change_newcomers",
    "churn",
    "churn_points",
    "customer_value",
    "event_days",
    "feature_use",
    "friction",
    "funnel_drivers",
    "funnel_instead",
    "funnel_parts",
    "group_days",
    "identity_blocked",
    "identity_bridges",
    "identity_health",
    "identity_largest",
    "identity_sensitivity",
    "identity_shared",
    "journey_paths",
    "kpi_months",
    "lateness",
    "lifecycle",
    "lost_reasons",
    "map_questions",
    "promoters_who_left",
    "purchase_frequency",
    "quarantine_reasons",
    "referrals",
    "renewals",
    "retention",
    "reviews",
    "sales_outcomes",
    "stage_flow",
    "stage_velocity",
    "stuck",
    "stuck_longest",
    "subscription_risks",
    "subscriptions",
    "support",
    "support_weeks",
    "surveys",
    "surveys_by_contact",
    "ticket_meanwhile",
    "ticket_reasons",
    "ticket_steps",
    "ticket_ways",
    "touchpoints",
    "unmapped_events",
)
"""Files of sql/reports whose answers the site is drawn from, named `reports.<file>`."""
COUNTED_FOR_FUTURE = ("touchpoint_use",)
"""Files of sql/reports that are asked too where journey.yaml says what the journey shall become."""
MAPPED, MAPPED_OF_SEGMENTS = ("map_actions", "map_contacts", "map_surveys"), ("map_moves", "map_reach")
"""Files of sql/reports about the customers of a segment; the first ones are asked for everybody too."""
READ_BY_COUNTED = (
    "core.customer_segments",
    "core.events",
    "core.sessions",
    "core.stage_entries",
    "core.customers",
    "raw.quarantine",
    "ops.settings",
    "mart.adoption",
    "mart.attribution_markov",
    "mart.funnel_entrant_groups",
    "mart.competing_outcomes",
    "mart.identity_bridges",
    "mart.identity_sensitivity",
    "mart.journey_paths",
    "mart.retention",
    "mart.stage_velocity",
)
REPORT_TABLES = tuple(dict.fromkeys((*READ, *QUERIED, *VIEWS, *READ_BY_COUNTED)))


@dataclass(frozen=True)
class LastNight(Night):
    """The last night that was published, to be drawn again."""

    @cached_property
    def warehouse(self) -> Warehouse:
        """The published file."""
        return PublishedWarehouse(self.workspace.published)


def redraw(place: Workspace) -> Path:
    """Draw the report site again from the published warehouse; returns its overview page.

    Raises DataError when nothing was published yet, or by a version of the product that made other tables.
    """
    night = LastNight(place)
    with published(night):
        stage_site(site_files(night), place.staged_site)
        return publish_site(place.staged_site, place.reports, report_day(night), site_name=night.journey.name)


@contextmanager
def published(night: LastNight) -> Iterator[None]:
    """The published warehouse while the block lasts; raises DataError where it lacks a table or column that the report is drawn from."""
    with night.warehouse.opened():
        try:
            yield
        except LACKING as error:
            missing = str(error).splitlines()[0]
            raise DataError(
                f"{night.workspace.published} was published by another version of the product ({missing}); run `journeys run`, "
                "which makes it again from what landed, and the report with it"
            ) from error


def site_files(night: Night) -> dict[str, bytes]:
    """The files of the report site, as the night's warehouse has them."""
    asked = asking_once(night.warehouse)
    tables = report_tables(night, asked)
    return build_site(tables, journey=night.journey, facts=site_facts(night), answer=asked)


def asking_once(warehouse: Warehouse) -> Answer:
    """Answers the SQL of figures; what several of them ask is asked once."""
    return cache(partial(answer, warehouse))


def answer(warehouse: Warehouse, query: Query) -> pl.DataFrame:
    """The rows of the SQL that stands under a figure."""
    with warehouse.opened() as connection:
        for variable, value in query.variables:
            connection.execute(f"SET VARIABLE {variable} = $value", {"value": value})
        return warehouse.query(sql_text(f"reports/{query.file}.sql"))


def standalone(place: Workspace, page: str | None) -> bytes:
    """The report of the published warehouse, or one page of it, as one file.

    Raises DataError as of `redraw`, ConfigurationError for a page that there is not.
    """
    night = LastNight(place)
    with published(night):
        tables = report_tables(night, asking_once(night.warehouse))
        try:
            return build_standalone(tables, journey=night.journey, facts=site_facts(night), page=page)
        except UnknownPage as error:
            raise ConfigurationError(str(error)) from error


def report_tables(night: Night, asked: Answer) -> dict[str, pl.DataFrame]:
    """The frames that the site is drawn from, by the name of their table; of the tables in `QUERIED` what the site reads."""
    tables = {name: night.warehouse.read(name) for name in READ}
    tables |= {name: night.warehouse.query(sql_text(file)) for name, file in QUERIED.items()}
    counted = (*COUNTED, *COUNTED_FOR_FUTURE) if night.journey.future else COUNTED
    tables |= {f"reports.{name}": asked(Query(name)) for name in counted}
    tables |= {of_segment(name): asked(segment_query(name)) for name in MAPPED}
    segments = [segment.name for segment in night.journey.segments[:MOST_MAPS]]
    return tables | {
        of_segment(name, segment): asked(segment_query(name, segment))
        for segment in segments
        for name in (*MAPPED, *MAPPED_OF_SEGMENTS)
    }


def site_facts(night: Night) -> SiteFacts:
    """What the pages say of the data behind them."""
    totals = night.warehouse.query(sql_text("ops/run_totals.sql")).row(0, named=True)
    return SiteFacts(
        data_version=data_version(night),
        configuration_version=night.configuration.version,
        product_version=product_version(),
        horizon=night.stage_horizon(),
        day=report_date(night),
        rows_in=totals["rows_in"],
        loaded=totals["loaded"],
        quarantined=totals["quarantined"],
        failed_files=night.warehouse.read("ops.failed_files")["path"].to_list(),
        held_back_by=night.held_back_by(),
    )


def report_day(night: Night) -> str:
    """The day that a report is about: that of the horizon in the report time zone; 'empty' when nothing happened."""
    day = report_date(night)
    return day.isoformat() if day else EMPTY


def report_date(night: Night) -> date | None:
    """The day of the horizon in the report time zone; None when nothing happened."""
    horizon = night.stage_horizon()
    return horizon.astimezone(ZoneInfo(night.journey.time_zone)).date() if horizon else None


def run_record(night: Night) -> pl.DataFrame:
    """One row of OPS_RUNS: how this run went, and what it leaves behind."""
    totals = night.warehouse.query(sql_text("ops/run_totals.sql")).row(0, named=True)
    failed = night.warehouse.read("ops.failed_files").rows(named=True)
    row = {
        "run_id": night.run_id,
        "started_at": night.started_at,
        "ended_at": datetime.now(UTC),
        "status": "partial" if failed else "ok",
        "files_loaded": night.loaded["files"],
        "rows_in": night.loaded["rows"],
        "events": totals["events"],
        "customers": totals["customers"],
        "data_version": data_version(night),
        "configuration_version": night.configuration.version,
        "product_version": product_version(),
        "message": message(night, len(failed)),
    }
    return pl.DataFrame([row], schema=OPS_RUNS.schema)


def step_records(night: Night) -> pl.DataFrame:
    """Rows of OPS_STEPS: what each step took so far, in order."""
    rows = [
        {
            "run_id": night.run_id,
            "step": step.name,
            "rows": step.rows,
            "seconds": round(step.seconds, 3),
            "peak_mb": step.peak_mb,
        }
        for step in night.steps
    ]
    return pl.DataFrame(rows, schema=OPS_STEPS.schema)


def message(night: Night, failed: int) -> str | None:
    """What an operator has to know of a run; None when all is well."""
    parts = [f"{failed} files could not be read: see ops.failed_files."] if failed else []
    if night.waiting:
        names = ", ".join(night.waiting[:WAITING_SHOWN]) + (", …" if len(night.waiting) > WAITING_SHOWN else "")
        several = len(night.waiting) > 1
        kept = (
            f"{len(night.waiting)} files are still being written and wait"
            if several
            else "1 file is still being written and waits"
        )
        parts.append(f"{kept} for the next run: {names}.")
    source, horizon = night.held_back_by(), night.stage_horizon()
    if source and horizon:
        parts.append(
            f"Known only up to {horizon:%Y-%m-%d %H:%M} UTC, where the source '{source}' ends; "
            "if it is complete beyond that, say so with its `complete_to`."
        )
    return " ".join(parts) or None


def notices_of(night: Night) -> list[Notice]:
    """What people are to be told of a run that was published."""
    failed = night.warehouse.read("ops.failed_files").rows(named=True)
    partial = [
        Notice("partial", f"{row['path']} could not be read: {row['problem']}", {"path": row["path"]}) for row in failed
    ]
    newest = dict(night.warehouse.query(sql_text("core/source_horizons.sql")).rows())
    late = late_sources(newest, at=night.started_at, after=night.configuration.notices.late_after)
    return [*partial, *late, *alert_notices(night.warehouse.read("ops.alerts").rows(named=True))]


def manifest(pages: dict[str, bytes]) -> pl.DataFrame:
    """The pages of a site as rows of OPS_REPORT_MANIFEST, in order of name."""
    rows = [
        {"page": name, "title": title(content), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(pages.items())
    ]
    return pl.DataFrame(rows, schema=OPS_REPORT_MANIFEST.schema)


def title(page: bytes) -> str | None:
    """The title of an HTML page; None for other files."""
    found = re.search(rb"<!doctype html>.*?<title>(.*?)</title>", page[:10_000], re.DOTALL)
    return unescape(found[1].decode()).strip() if found else None


def data_version(night: Night) -> str:
    """Hash of the set of loaded rows."""
    return str(night.warehouse.query(sql_text("ops/data_version.sql")).item())


def product_version() -> str:
    """The version of the installed product."""
    try:
        return version("journeys")
    except PackageNotFoundError:
        return "0"
