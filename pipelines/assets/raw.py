"""Raw assets: what landed, row by row."""

from pipelines.catalog import Rows, table_asset
from pipelines.ingest import load_new_files
from pipelines.night import Night
from pipelines.warehouse import sql_text


@table_asset(
    "raw.files",
    "raw.row_outcomes",
    "raw.quarantine",
    "raw.web_events",
    "raw.crm_events",
    "raw.crm_records",
    "ops.failed_files",
)
def landed(night: Night) -> Rows:
    """Read the files that landed since the last run; each row gets its outcome."""
    return load_new_files(night)


@table_asset("ops.balances", deps=["raw.row_outcomes"])
def balances(night: Night) -> Rows:
    """Balance the books of every file."""
    return {
        "ops.balances": night.warehouse.replace("ops.balances", night.warehouse.query(sql_text("ops/balances.sql")))
    }
