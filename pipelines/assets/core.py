"""Core assets: who, when, in which session and stage."""

from pipelines.catalog import Rows, table_asset
from pipelines.night import Night
from pipelines.warehouse import ask
from transforms.customers import describe_customers
from transforms.events import customer_activity, touches
from transforms.funnels import funnel_definitions
from transforms.segments import customer_segments
from transforms.sessions import summarise_sessions, superseded_sessions
from transforms.stages import matches, stage_entries


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
    return night.engine.per_customer(
        summarise_sessions,
        reads={"events": "core.events"},
        writes="core.sessions",
        settings={"journey": night.journey},
    )


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
    return night.engine.per_customer(
        touches,
        reads={"events": "core.events", "sessions": "core.sessions"},
        writes="core.touches",
        settings={"journey": night.journey},
    )


@table_asset("core.stage_entries", deps=["core.events"])
def entries(night: Night) -> Rows:
    """List each customer's moves between stages."""
    return night.engine.per_customer(
        stage_entries,
        reads={"events": "core.events"},
        writes="core.stage_entries",
        settings={"journey": night.journey},
    )


@table_asset("core.customers", deps=["core.events", "core.stage_entries", "core.identity_map", "core.customer_aliases"])
def customers(night: Night) -> Rows:
    """Describe each customer."""
    return night.engine.per_customer(
        lambda identity_map, aliases, events, entries, journey: describe_customers(
            identity_map, aliases, customer_activity(events, entries, journey=journey), identity=journey.identity
        ),
        reads={
            "identity_map": "core.identity_map",
            "aliases": "core.customer_aliases",
            "events": "core.events",
            "entries": "core.stage_entries",
        },
        writes="core.customers",
        settings={"journey": night.journey},
    )


@table_asset("core.customer_segments", deps=["core.customers", "core.events"])
def segments(night: Night) -> Rows:
    """List who is in which segment."""
    return night.engine.per_customer(
        customer_segments,
        reads={"customers": "core.customers", "events": "core.events"},
        writes="core.customer_segments",
        settings={"segments": night.journey.segments, "matches": matches},
    )


@table_asset("core.funnel_definitions", deps=["core.events"])
def funnels(night: Night) -> Rows:
    """Write down the funnels, with the horizon of each."""
    horizons = night.funnel_horizons(night.funnels)
    return night.store("core.funnel_definitions", funnel_definitions(night.funnels, horizons=horizons))
