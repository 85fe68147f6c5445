"""Raw assets: what landed, row by row."""

import polars as pl

from pipelines.catalog import Rows, table_asset
from pipelines.ingest import load_new_files
from pipelines.night import Night
from pipelines.warehouse import sql_text

LANDED = (
    "raw.sources",
    "raw.files",
    "raw.file_columns",
    "raw.blocked_values",
    "raw.exports",
    "raw.row_outcomes",
    "raw.quarantine",
    "raw.web_events",
    "raw.crm_events",
    "raw.ad_spend",
    "raw.crm_records",
    "raw.line_items",
    "ops.failed_files",
)


@table_asset(*LANDED, every_night=True)
def landed(night: Night) -> Rows:
    """Read the files that landed since the last run; each row gets its outcome."""
    summary = load_new_files(
        night.warehouse,
        night.workspace.landing,
        night.configuration.sources,
        journey=night.journey,
        hmac_key=night.workspace.hmac_key,
        found=night.discover(),
        until=night.until,
    )
    night.loaded.update(files=summary.files_loaded, rows=summary.rows_in)
    night.waiting.extend(summary.waiting)
    return night.row_counts(LANDED)


@table_asset("ops.balances", deps=["raw.row_outcomes"])
def balances(night: Night) -> Rows:
    """Balance the books of every file."""
    return {
        "ops.balances": night.warehouse.replace("ops.balances", night.warehouse.query(sql_text("ops/balances.sql")))
    }


@table_asset("ops.schema_drift", deps=["raw.file_columns", "raw.quarantine"])
def schema_drift(night: Night) -> Rows:
    """Say which files brought other columns than those before them."""
    return night.store("ops.schema_drift", night.warehouse.query(sql_text("ops/schema_drift.sql")))


@table_asset("ops.settings", every_night=True)
def settings(night: Night) -> Rows:
    """Write down the settings that views need."""
    journey = night.journey
    window = str(int(journey.stage_window.total_seconds())) if journey.stage_window else None
    said = {
        "business": journey.name,
        "currency": journey.currency,
        "stage_window_seconds": window,
        "time_zone": journey.time_zone,
    }
    return night.store("ops.settings", pl.DataFrame({"name": list(said), "value": list(said.values())}))
