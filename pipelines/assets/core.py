"""Core assets: who, when, in which session and stage."""

from pipelines.catalog import Rows, table_asset
from pipelines.night import Night
from pipelines.warehouse import ask
from transforms.funnels import funnel_definitions
from transforms.sessions import superseded_sessions


@table_asset(
    "core.identity_edges",
    "core.identity_map",
    "core.customer_aliases",
    deps=["raw.web_events", "raw.crm_events", "raw.crm_records"],
)
def identity(night: Night) -> Rows:
    """Stitch identifiers to customers."""
    return night.engine.identity(retracted=night.retracted)


@table_asset("core.events", deps=["raw.web_events", "raw.crm_events", "core.identity_map"])
def events(night: Night) -> Rows:
    """Build each customer's timeline."""
    return night.engine.timeline(vanished=night.remember_vanished)


@table_asset("core.sessions", deps=["core.events"])
def sessions(night: Night) -> Rows:
    """Summarise each session."""
    return night.engine.per_customer("core.sessions")


@table_asset("core.session_superseded", deps=["core.events"])
def superseded(night: Night) -> Rows:
    """Say what became of sessions that are no longer there."""
    vanished = night.vanished_sessions()
    with night.warehouse.opened() as connection:
        events = ask(connection, "core/events_of_sessions.sql", vanished=vanished)
    return night.store("core.session_superseded", superseded_sessions(vanished.lazy(), events.lazy()))


@table_asset("core.touches", deps=["core.events", "core.sessions"])
def session_touches(night: Night) -> Rows:
    """List the contacts that attribution may credit."""
    return night.engine.per_customer("core.touches")


@table_asset("core.stage_entries", deps=["core.events"])
def entries(night: Night) -> Rows:
    """List each customer's moves between stages."""
    return night.engine.per_customer("core.stage_entries")


@table_asset("core.customers", deps=["core.events", "core.stage_entries", "core.identity_map", "core.customer_aliases"])
def customers(night: Night) -> Rows:
    """Describe each customer."""
    return night.engine.per_customer("core.customers")


@table_asset("core.customer_segments", deps=["core.customers", "core.events"])
def segments(night: Night) -> Rows:
    """List who is in which segment."""
    return night.engine.per_customer("core.customer_segments")


@table_asset("core.funnel_definitions", deps=["core.events"])
def funnels(night: Night) -> Rows:
    """Write down the funnels, with the horizon of each."""
    horizons = night.funnel_horizons(night.funnels)
    return night.store("core.funnel_definitions", funnel_definitions(night.funnels, horizons=horizons))
