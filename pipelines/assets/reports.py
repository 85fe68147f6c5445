"""Report assets: the site that product teams open, and the moment at which everything becomes public."""

from datetime import timedelta

import dagster as dg

import pipelines.assets.core
import pipelines.assets.mart
import pipelines.assets.raw  # noqa: F401  (what these write is published together, or not at all)
from pipelines.audiences import hand_over, plan
from pipelines.catalog import WRITER_POOL, WRITTEN, asset_key
from pipelines.night import Night
from pipelines.notices import send
from pipelines.publish import publish_run, publish_site, publish_warehouse, stage_site
from pipelines.report_inputs import (
    REPORT_TABLES,
    manifest,
    notices_of,
    redraw,
    report_day,
    run_record,
    site_files,
    step_records,
)
from pipelines.rules import remember_rules
from pipelines.schedules import ON_DEMAND
from pipelines.unchanged import note_published
from pipelines.warehouse import insert
from reports.archive import NEWEST
from transforms.contracts import OPS_RUNS


@dg.asset(
    key=dg.AssetKey(["reports", "site"]),
    group_name="reports",
    description="The report site: an overview, a page per funnel, the stages, and the quality of the data.",
    kinds={"plotly"},
    deps=[asset_key(name) for name in REPORT_TABLES],
    pool=WRITER_POOL,
)
def site(night: dg.ResourceParam[Night]) -> dg.MaterializeResult[None]:
    """Draw the pages, and keep them until they are published."""
    if night.is_unchanged:
        kept = night.warehouse.read("ops.report_manifest")
        return dg.MaterializeResult(metadata={"files": kept.height, "bytes": int(kept["bytes"].sum())})
    with night.timed("report site"):
        pages = site_files(night)
        stage_site(pages, night.workspace.staged_site)
    night.store("ops.report_manifest", manifest(pages))
    return dg.MaterializeResult(metadata={"files": len(pages), "bytes": sum(map(len, pages.values()))})


FIRST_DAY = "2020-01-01"
VERSIONS = ("data_version", "configuration_version", "product_version")
LATE_AFTER = timedelta(hours=36)


@dg.asset(
    key=dg.AssetKey(["reports", "published"]),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=LATE_AFTER, warn_window=timedelta(hours=26)),
    group_name="reports",
    description="The warehouse and the report site as people see them: swapped in whole, by rename.",
    kinds={"duckdb"},
    deps=[site, *(asset_key(name) for name in WRITTEN)],
    pool=WRITER_POOL,
)
def published(context: dg.AssetExecutionContext, night: dg.ResourceParam[Night]) -> dg.MaterializeResult[None]:
    """Publish what this run made, and note its versions on the run."""
    record = run_record(night)
    with night.warehouse.writing() as connection:
        insert(connection, OPS_RUNS, record)
    night.store("ops.steps", step_records(night))
    night.store("ops.audiences", plan(night))
    remember_rules(night.workspace.landing, night.configuration, night.started_at)
    with night.timed("publish"):
        if night.is_unchanged:
            publish_run(night.warehouse, night.workspace.published)
            overview = night.workspace.reports / NEWEST / "index.html"
        else:
            publish_warehouse(night.warehouse, night.workspace.published)
            overview = publish_site(
                night.workspace.staged_site, night.workspace.reports, report_day(night), site_name=night.journey.name
            )
    note_published(night.warehouse, night.workspace, retracted=night.retracted)
    night.unsent.extend(hand_over(night))
    night.unsent.extend(send(night.configuration.notices, night.journey.name, notices_of(night)))
    versions = {f"journeys/{name}": str(record[name][0]) for name in VERSIONS}
    context.instance.add_run_tags(context.run.run_id, versions)
    where = {"overview": str(overview), "warehouse": str(night.workspace.published)}
    return dg.MaterializeResult(metadata={**where, "notices that could not be sent": len(night.unsent)})


@dg.asset(
    key=dg.AssetKey(["reports", "as_known_on"]),
    partitions_def=dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1),
    group_name="reports",
    tags={ON_DEMAND: ""},
    description="The report as it was known at the end of a day, from what had landed by then and by the rules of today; the night "
    "leaves it alone, a backfill draws days.",
    kinds={"plotly"},
    pool=WRITER_POOL,
)
def as_known_on_report(context: dg.AssetExecutionContext, night: dg.ResourceParam[Night]) -> dg.MaterializeResult[None]:
    """Build the warehouse of that day beside the build file, draw its report, and let the warehouse go."""
    from pipelines.past import as_known_on  # which builds by running these very assets

    with as_known_on(night.workspace, context.partition_key, say=context.log.info) as past:
        overview = redraw(past)
    return dg.MaterializeResult(metadata={"overview": dg.MetadataValue.path(str(overview))})
