"""Dependencies: each direct one has its reason and its pin, and no address stands among the pins."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def direct() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {re.split(r"[\[<>=~! ]", said)[0].lower() for group in groups for said in group}


def test_every_direct_dependency_has_its_reason() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]{12,} \|$", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)

    told = {name.strip().lower() for row in rows for name in row.split(",")}

    assert told == direct()


def test_every_direct_dependency_is_pinned() -> None:
    pinned = {line.split("==")[0].lower() for line in PINS.splitlines() if "==" in line}

    assert direct() - pinned == set()


def test_no_address_stands_among_the_pins() -> None:
    assert not re.search(r"://|^-|@", PINS, re.MULTILINE)
