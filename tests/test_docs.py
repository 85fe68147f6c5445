"""The guides are held to the code: generated pages are current, links lead somewhere, examples are valid."""

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.scaling import needs, table, words
from pipelines.dictionary import dictionary_markdown, dictionary_tables, journey_schema
from pipelines.settings import read_configuration
from pipelines.warehouse import sql_files

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_the_dictionary_is_current() -> None:
    assert (ROOT / "docs" / "dictionary.md").read_text(encoding="utf-8") == dictionary_markdown(), "run: make docs"


def test_the_schema_of_journey_yaml_is_current() -> None:
    assert (ROOT / "docs" / "journey.schema.json").read_text(encoding="utf-8") == journey_schema(), "run: make docs"


def test_every_view_describes_itself_and_its_columns() -> None:
    views = [table for table in dictionary_tables() if table["kind"] == "view"]

    assert len(views) == len(sql_files("mart"))
    assert all(view["sentence"] and view["grain"] and view["columns"] for view in views)


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.name for guide in GUIDES])
def test_links_between_guides_lead_somewhere(guide: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", guide.read_text(encoding="utf-8"))

    assert [target for target in targets if not (guide.parent / target).exists()] == []


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.name for guide in GUIDES])
def test_yaml_in_the_guides_is_a_valid_journey(guide: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)):
        assert isinstance(yaml.safe_load(block), dict)
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        read_configuration(path)


def test_the_scaling_page_says_what_its_program_works_out() -> None:
    told = {"months": 12, "hours": 6, "core_hour": 0.045, "tb_month": 23}

    worked_out = table({f"{words(size)} a month": needs(a_month=size, **told) for size in (1e7, 1e9, 1e11)})

    assert worked_out in (ROOT / "docs" / "scaling.md").read_text()


def test_what_many_events_take_grows_in_a_straight_line() -> None:
    told = {"months": 1, "hours": 6, "core_hour": 1.0, "tb_month": 0.0}

    one, hundred = (needs(a_month=size, **told)[-1].much for size in (1e9, 1e11))

    assert one == "407; 0" and hundred == "40,667; 0"
