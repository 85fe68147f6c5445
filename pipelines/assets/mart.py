"""Mart assets: what is counted and shown."""

from collections.abc import Iterator

import dagster as dg

from pipelines.catalog import WRITER_POOL, Rows, asset_key, table_asset, view_spec
from pipelines.night import Night
from pipelines.stitching import effect_of_stitching
from pipelines.warehouse import create_macros_and_views, lazily, sql_files
from transforms.attribution import attribution
from transforms.conversion import kpis, stage_conversion, stage_transitions
from transforms.identity_health import identity_bridges, identity_sensitivity
from transforms.retention import weekly_retention


@table_asset(
    "mart.funnel_entrants",
    "mart.funnel_entrant_groups",
    deps=["core.events", "core.funnel_definitions"],
)
def funnel_entrants(night: Night) -> Rows:
    """Find every counted attempt of every funnel."""
    funnels = night.funnels
    return night.engine.funnels(funnels, horizons=night.funnel_horizons(funnels))


@table_asset("mart.stage_conversion", deps=["core.stage_entries"])
def conversion_of_stages(night: Night) -> Rows:
    """Count who reached the later stages."""
    entries = night.warehouse.read("core.stage_entries").lazy()
    return night.store(
        "mart.stage_conversion", stage_conversion(entries, journey=night.journey, horizon=night.stage_horizon())
    )


@table_asset("mart.stage_transitions", deps=["core.stage_entries"])
def transitions(night: Night) -> Rows:
    """Count the moves between stages."""
    entries = night.warehouse.read("core.stage_entries").lazy()
    return night.store("mart.stage_transitions", stage_transitions(entries, journey=night.journey))


@table_asset("mart.attribution", deps=["core.events", "core.touches"])
def credit(night: Night) -> Rows:
    """Credit the touches before each conversion."""
    return night.engine.per_customer(
        attribution,
        reads={"touches": "core.touches", "events": "core.events"},
        writes="mart.attribution",
        settings={},
    )


@table_asset("mart.retention", deps=["core.customers", "core.events"])
def returning_customers(night: Night) -> Rows:
    """Count who came back, week by week."""
    time_zone, horizon = night.journey.time_zone, night.stage_horizon()
    customers = night.warehouse.read("core.customers").lazy()
    with night.warehouse.opened() as connection:
        events = lazily(connection, "FROM core.events")
        weeks = weekly_retention(customers, events, time_zone=time_zone, horizon=horizon).collect()
    return night.store("mart.retention", weeks)


@table_asset("mart.kpis", deps=["mart.stage_conversion", "core.stage_entries", "core.customers", "core.sessions"])
def key_figures(night: Night) -> Rows:
    """Hold the key figures against their targets."""
    read = night.warehouse.read
    figures = kpis(
        journey=night.journey,
        conversion=read("mart.stage_conversion").lazy(),
        entries=read("core.stage_entries").lazy(),
        customers=read("core.customers").lazy(),
        sessions=read("core.sessions").lazy(),
    )
    return night.store("mart.kpis", figures)


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
    read = night.warehouse.read
    rates = identity_sensitivity(
        read("mart.funnel_entrants").lazy(),
        read("mart.stage_conversion").lazy(),
        effect_of_stitching(night).lazy(),
        journey=night.journey,
    )
    return night.store("mart.identity_sensitivity", rates)


@dg.multi_asset(name="views", specs=[view_spec(path) for path in sql_files("mart")], pool=WRITER_POOL)
def views(night: dg.ResourceParam[Night]) -> Iterator[dg.MaterializeResult[None]]:
    """Create the views and macros that aggregate the stored tables."""
    with night.warehouse.writing() as connection:
        for name in create_macros_and_views(connection):
            yield dg.MaterializeResult(asset_key=asset_key(name))
