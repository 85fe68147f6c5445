"""The house: which room may import what, and nothing of this machine in the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "transforms": {"dagster", "duckdb", "plotly", "yaml", "pipelines", "reports"},
    "reports": {"dagster", "duckdb", "yaml", "pipelines"},
}


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_room_imports_only_what_it_may(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not imports(path) & FORBIDDEN[package], path


def test_only_the_warehouse_imports_duckdb() -> None:
    importers = [path.name for path in (ROOT / "pipelines").rglob("*.py") if "duckdb" in imports(path)]

    assert importers == ["warehouse.py"]


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        path
        for package in ("transforms", "reports", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_every_table_says_its_grain_and_every_column_has_a_sentence() -> None:
    from transforms.contracts import TABLES

    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert set(table.grain) <= set(names), table.name
        assert len(names) == len(set(names)), table.name
        assert all(column.sentence.endswith((".", "…")) for column in table.columns), table.name
