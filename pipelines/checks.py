"""Checks: every query below sql/checks finds offending rows; one that finds any stops the night before the next layer."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pipelines.catalog import asset_key
from pipelines.night import Night
from pipelines.warehouse import SQL, sql_files


def headline(text: str) -> str:
    """The first comment line of a SQL file."""
    return text.splitlines()[0].removeprefix("--").strip()


def is_warning(text: str) -> bool:
    """Whether a check only warns: its headline begins with "Warns"."""
    return headline(text).startswith("Warns")


def checks_of(folder: Path) -> dg.AssetChecksDefinition:
    """The asset checks of one table, sql/checks/<schema>/<table>/<name>.sql, in one step."""
    schema, table = folder.relative_to(SQL / "checks").parts
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}
    key = asset_key(f"{schema}.{table}")

    @dg.multi_asset_check(
        name=f"{schema}__{table}__checks",
        specs=[
            dg.AssetCheckSpec(name, asset=key, description=headline(text), blocking=not is_warning(text))
            for name, text in texts.items()
        ],
    )
    def check(night: dg.ResourceParam[Night]) -> Iterator[dg.AssetCheckResult]:
        for name, text in texts.items():
            if night.is_unchanged and not is_warning(text):
                yield dg.AssetCheckResult(
                    asset_key=key,
                    check_name=name,
                    passed=True,
                    metadata={"since": "nothing has changed since it passed"},
                )
                continue
            with night.timed(f"check {schema}.{table} {name}"):
                offending = night.warehouse.query(text)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=offending.is_empty(),
                severity=dg.AssetCheckSeverity.WARN if is_warning(text) else dg.AssetCheckSeverity.ERROR,
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


checks = [checks_of(folder) for folder in sorted({path.parent for path in sql_files("checks")})]
