"""Mart assets: what is counted and shown."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import polars as pl

from pipelines.catalog import WRITER_POOL, Rows, asset_key, table_asset, view_spec
from pipelines.night import Night
from pipelines.stitching import effect_of_stitching
from pipelines.warehouse import Connection, ask, create_macros_and_views, lazily, sql_files, sql_text
from transforms.adoption import adoption
from transforms.alerts import judge_alerts
from transforms.attribution import attribution_markov, journey_paths
from transforms.changes import funnel_change_groups, funnel_change_steps, matured_periods
from transforms.contracts import MART_FUNNEL_CHANGE_GROUPS, MART_FUNNEL_CHANGE_STEPS, MART_FUNNEL_DRIVERS
from transforms.conversion import kpis, stage_conversion, stage_transitions, stage_velocity
from transforms.drivers import DRIVER_ENTRANT, DRIVER_GROUP, funnel_drivers, landmark
from transforms.identity_health import identity_bridges, identity_sensitivity
from transforms.journey import Funnel
from transforms.paths import common_paths, stage_paths
from transforms.retention import weekly_retention
from transforms.sales import outcome_curves, sales_outcomes


@table_asset(
    "mart.funnel_entrants",
    "mart.funnel_entrant_groups",
    deps=["core.events", "core.funnel_definitions"],
)
def funnel_entrants(night: Night) -> Rows:
    """Find every counted attempt of every funnel."""
    funnels = night.funnels
    return night.engine.funnels(funnels, horizons=night.funnel_horizons(funnels))


@table_asset(
    "mart.funnel_change_steps",
    "mart.funnel_change_groups",
    deps=["mart.funnel_entrants", "mart.funnel_entrant_groups"],
)
def funnel_changes(night: Night) -> Rows:
    """Split the change of each funnel by step, and by mix and rate."""
    horizons = night.funnel_horizons(night.funnels)
    steps, split = [MART_FUNNEL_CHANGE_STEPS.empty()], [MART_FUNNEL_CHANGE_GROUPS.empty()]
    with night.warehouse.opened() as connection:
        for funnel in night.funnels:
            periods = matured_periods(funnel, horizon=horizons[funnel.name])
            if periods is None:
                continue
            asked = {"funnel": funnel.name, "first": periods.before_from, "last": periods.after_to}
            entrants, groups = (
                ask(connection, f"core/{name}.sql", asked).lazy()
                for name in ("entrants_compared", "entrant_groups_compared")
            )
            steps.append(funnel_change_steps(entrants, funnels=[funnel], horizons=horizons).collect())
            split.append(funnel_change_groups(entrants, groups, funnels=[funnel], horizons=horizons).collect())
    return night.store("mart.funnel_change_steps", pl.concat(steps)) | night.store(
        "mart.funnel_change_groups", pl.concat(split)
    )


@table_asset(
    "mart.funnel_drivers",
    deps=["core.events", "mart.funnel_entrants", "mart.funnel_entrant_groups"],
)
def drivers_of_conversion(night: Night) -> Rows:
    """Find what goes together with converting."""
    funnels, horizons = night.funnels, night.funnel_horizons(night.funnels)
    with night.warehouse.opened() as connection:
        found = [drivers_of(connection, funnel, horizons[funnel.name]) for funnel in funnels if funnel.window]
    return night.store("mart.funnel_drivers", pl.concat([MART_FUNNEL_DRIVERS.empty(), *found]))


def drivers_of(connection: Connection, funnel: Funnel, horizon: datetime | None) -> pl.DataFrame:
    """The drivers of one funnel with a window."""
    watch = landmark(funnel)
    if watch is None:
        return MART_FUNNEL_DRIVERS.empty()
    entrants, groups = (
        lazily(connection, f"FROM mart.{name} WHERE funnel = $funnel AND is_first", {"funnel": funnel.name})
        .select(columns)
        .collect()
        for name, columns in (("funnel_entrants", DRIVER_ENTRANT), ("funnel_entrant_groups", DRIVER_GROUP))
    )
    asked = {"funnel": funnel.name, "unit": funnel.unit, "landmark_seconds": watch.total_seconds()}
    behaviour = ask(connection, "core/driver_behaviour.sql", asked)
    return funnel_drivers(entrants, groups, behaviour, funnel=funnel, horizon=horizon)


@table_asset("mart.stage_conversion", deps=["core.stage_entries"])
def conversion_of_stages(night: Night) -> Rows:
    """Count who reached the later stages."""
    entries = night.scan("core.stage_entries")
    return night.store(
        "mart.stage_conversion", stage_conversion(entries, journey=night.journey, horizon=night.stage_horizon())
    )


@table_asset("mart.stage_velocity", deps=["core.stage_entries"])
def velocity(night: Night) -> Rows:
    """Measure how long customers take between stages."""
    entries = night.scan("core.stage_entries")
    return night.store(
        "mart.stage_velocity", stage_velocity(entries, journey=night.journey, horizon=night.stage_horizon())
    )


@table_asset("mart.stage_transitions", deps=["core.stage_entries"])
def transitions(night: Night) -> Rows:
    """Count the moves between stages."""
    entries = night.scan("core.stage_entries")
    return night.store("mart.stage_transitions", stage_transitions(entries, journey=night.journey))


@table_asset("mart.attribution", deps=["core.events", "core.touches"])
def credit(night: Night) -> Rows:
    """Credit the touches before each conversion."""
    return night.engine.per_customer("mart.attribution")


@table_asset("mart.attribution_markov", deps=["core.events", "core.touches"])
def removal_effects(night: Night) -> Rows:
    """Credit channels by what would be lost without them."""
    return night.store("mart.attribution_markov", attribution_markov(night.scan("core.touches"), conversions(night)))


@table_asset("mart.journey_paths", deps=["core.events", "core.touches", "core.stage_entries", "core.customers"])
def paths(night: Night) -> Rows:
    """Count the ways of customers."""
    channels = journey_paths(night.scan("core.touches"), conversions(night))
    stages = stage_paths(
        night.scan("core.stage_entries"), night.scan("core.customers"), stages=night.journey.stage_names
    )
    return night.store("mart.journey_paths", common_paths(channels, stages))


@table_asset("mart.retention", deps=["core.customers", "core.events"])
def returning_customers(night: Night) -> Rows:
    """Count who came back, week by week."""
    time_zone, horizon = night.journey.time_zone, night.stage_horizon()
    customers = night.scan("core.customers")
    with night.warehouse.opened() as connection:
        events = lazily(connection, "FROM core.events")
        weeks = weekly_retention(customers, events, time_zone=time_zone, horizon=horizon).collect()
    return night.store("mart.retention", weeks)


@table_asset("mart.kpis", deps=["mart.stage_conversion", "core.stage_entries", "core.customers", "core.sessions"])
def key_figures(night: Night) -> Rows:
    """Hold the key figures against their targets."""
    figures = kpis(
        journey=night.journey,
        conversion=night.scan("mart.stage_conversion"),
        entries=night.scan("core.stage_entries"),
        customers=night.scan("core.customers"),
        sessions=night.scan("core.sessions"),
    )
    return night.store("mart.kpis", figures)


@table_asset(
    "mart.segment_touchpoints",
    deps=["core.events", "core.sessions", "core.stage_entries", "core.customers", "core.customer_segments"],
)
def contacts(night: Night) -> Rows:
    """Count each kind of contact, and what goes wrong there, of every segment."""
    found = night.warehouse.query(sql_text("core/segment_touchpoints.sql"))
    return night.store("mart.segment_touchpoints", found)


@table_asset("mart.identity_bridges", deps=["core.identity_edges", "core.identity_map"])
def bridges(night: Night) -> Rows:
    """Find the ties on which customers hang."""
    with night.warehouse.opened() as connection:
        edges, identity_map = (lazily(connection, f"FROM core.{name}") for name in ("identity_edges", "identity_map"))
        found = identity_bridges(edges, identity_map).collect()
    return night.store("mart.identity_bridges", found)


@table_asset("mart.identity_sensitivity", deps=["core.events", "mart.funnel_entrants", "mart.stage_conversion"])
def sensitivity(night: Night) -> Rows:
    """Count the headline rates without stitching."""
    rates = identity_sensitivity(
        night.scan("mart.funnel_entrants"),
        night.scan("mart.stage_conversion"),
        effect_of_stitching(night).lazy(),
        journey=night.journey,
    )
    return night.store("mart.identity_sensitivity", rates)


@table_asset("mart.sales_outcomes", deps=["core.events"])
def sales(night: Night) -> Rows:
    """Say what became of deals and leads."""
    events = night.warehouse.query(sql_text("core/sales_events.sql")).lazy()
    return night.store("mart.sales_outcomes", sales_outcomes(events, horizon=night.stage_horizon()))


@table_asset("mart.competing_outcomes", deps=["mart.sales_outcomes"])
def outcomes(night: Night) -> Rows:
    """Draw the curves of won and lost."""
    records = night.warehouse.read("mart.sales_outcomes").lazy()
    return night.store("mart.competing_outcomes", outcome_curves(records, horizon=night.stage_horizon()))


@table_asset("mart.adoption", deps=["core.customers", "core.events"])
def milestones(night: Night) -> Rows:
    """Measure how soon purchasers reach each contact."""
    customers, horizon = night.scan("core.customers"), night.stage_horizon()
    with night.warehouse.opened() as connection:
        events = lazily(connection, sql_text("core/purchaser_events.sql"))
        found = adoption(customers, events, horizon=horizon).collect()
    return night.store("mart.adoption", found)


@table_asset("mart.horizons", deps=["core.events"])
def horizons(night: Night) -> Rows:
    """Write down up to when each source is complete."""
    return night.store("mart.horizons", night.horizons())


@table_asset("ops.alerts", deps=["mart.funnel_change_steps", "mart.kpis", "ops.balances"], every_night=True)
def alerts(night: Night) -> Rows:
    """Hold figures against the limits of the alerts."""
    figures = night.warehouse.query(sql_text("ops/alert_figures.sql")).lazy()
    before = night.warehouse.read("ops.alerts").lazy()
    judged = judge_alerts(figures, before, alerts=night.configuration.alerts, at=night.started_at)
    return night.store("ops.alerts", judged)


def conversions(night: Night) -> pl.LazyFrame:
    """The conversions of core.events."""
    return night.warehouse.query(sql_text("core/conversions.sql")).lazy()


@dg.multi_asset(name="views", specs=[view_spec(path) for path in sql_files("mart")], pool=WRITER_POOL)
def views(night: dg.ResourceParam[Night]) -> Iterator[dg.MaterializeResult[None]]:
    """Create the views and macros that aggregate the stored tables."""
    with night.warehouse.writing() as connection:
        for name in create_macros_and_views(connection):
            yield dg.MaterializeResult(asset_key=asset_key(name))
