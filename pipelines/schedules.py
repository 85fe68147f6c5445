"""Schedules: when the night begins."""

import os

import dagster as dg

from pipelines.answers import CRON, CRON_ZONE, EVERY_NIGHT

TOLD = {"journeys/failure_told_by": "command line"}
"""The tag of a run that tells people of its failure itself."""

ON_DEMAND = "journeys/on_demand"
"""The tag of assets that the night leaves alone."""

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all() - dg.AssetSelection.tag(ON_DEMAND, ""),
    description="From what landed to the published warehouse and the report site.",
    executor_def=dg.in_process_executor,
)

past_reports = dg.define_asset_job(
    "past_reports",
    selection=dg.AssetSelection.tag(ON_DEMAND, ""),
    description="Reports as they were known on days gone by.",
    executor_def=dg.in_process_executor,
)

nightly_schedule = dg.ScheduleDefinition(
    name="every_night",
    job=nightly,
    cron_schedule=os.environ.get(CRON, EVERY_NIGHT),
    execution_timezone=os.environ.get(CRON_ZONE, "UTC"),
    description="At two in the morning, unless JOURNEYS_SCHEDULE (cron) and JOURNEYS_SCHEDULE_TIME_ZONE say otherwise.",
)
