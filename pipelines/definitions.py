"""The table of contents, in order of data flow: what Dagster sees."""

import dagster as dg

from pipelines.assets import core, mart, raw, reports
from pipelines.checks import checks
from pipelines.errors import DamagedWarehouse
from pipelines.night import Night
from pipelines.schedules import nightly, nightly_schedule, past_reports
from pipelines.sensors import bucket_sensor, failure_sensor, landing_sensor
from pipelines.settings import workspace_at

assets = [
    raw.landed,
    raw.balances,
    raw.schema_drift,
    raw.settings,
    core.identity,
    core.events,
    core.sessions,
    core.superseded,
    core.entries,
    core.session_touches,
    core.customers,
    core.segments,
    core.funnels,
    mart.funnel_entrants,
    mart.funnel_changes,
    mart.drivers_of_conversion,
    mart.conversion_of_stages,
    mart.velocity,
    mart.transitions,
    mart.credit,
    mart.removal_effects,
    mart.paths,
    mart.returning_customers,
    mart.key_figures,
    mart.contacts,
    mart.bridges,
    mart.sensitivity,
    mart.sales,
    mart.outcomes,
    mart.milestones,
    mart.horizons,
    mart.alerts,
    mart.views,
    reports.site,
    reports.published,
]


@dg.resource(description="The workspace that JOURNEYS_WORKSPACE names, else data/ of the checkout.")
def night_of_the_workspace(_context: dg.InitResourceContext) -> Night:
    """A fresh night for each run; a build file that cannot be opened for damage is built again from what landed."""
    night = Night(workspace_at(None))
    try:
        with night.warehouse.opened():
            return night
    except DamagedWarehouse:
        night.warehouse.remove()
        return night


defs = dg.Definitions(
    assets=[*assets, reports.as_known_on_report],
    asset_checks=checks,
    jobs=[nightly, past_reports],
    schedules=[nightly_schedule],
    sensors=[landing_sensor, bucket_sensor, failure_sensor],
    resources={"night": night_of_the_workspace},
    executor=dg.in_process_executor,
)
