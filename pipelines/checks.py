"""Checks: every query below sql/checks finds offending rows; one that finds any stops the night before the next layer."""

from pathlib import Path

import dagster as dg

from pipelines.catalog import asset_key
from pipelines.night import Night
from pipelines.warehouse import SQL, sql_files


def headline(text: str) -> str:
    """The first comment line of a SQL file."""
    return text.splitlines()[0].removeprefix("--").strip()


def check_of(path: Path) -> dg.AssetChecksDefinition:
    """The asset check of one file sql/checks/<schema>/<table>/<name>.sql. A headline that begins with "Warns" only warns."""
    text = path.read_text(encoding="utf-8")
    schema, table = path.relative_to(SQL / "checks").parts[:2]
    warns = headline(text).startswith("Warns")

    @dg.asset_check(
        name=path.stem,
        asset=asset_key(f"{schema}.{table}"),
        description=headline(text),
        blocking=not warns,
    )
    def check(night: dg.ResourceParam[Night]) -> dg.AssetCheckResult:
        offending = night.warehouse.query(text)
        return dg.AssetCheckResult(
            passed=offending.is_empty(),
            severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
            metadata={
                "offending_rows": offending.height,
                "first_rows": dg.MetadataValue.md(_markdown(offending.head(5).rows(named=True))),
            },
        )

    return check


def _markdown(rows: list[dict[str, object]]) -> str:
    if not rows:
        return "none"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


checks = [check_of(path) for path in sql_files("checks")]
