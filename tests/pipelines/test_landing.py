import json
import os

import pytest

from pipelines.errors import DataError
from pipelines.landing import discover
from transforms.mapping import Source


def sources(**patterns):
    return {
        name: Source.model_validate({"format": "csv", "files": pattern, "fields": {"event": {"value": "seen"}}})
        for name, pattern in patterns.items()
    }


@pytest.fixture
def landing(tmp_path):
    folder = tmp_path / "landing"
    (folder / "web").mkdir(parents=True)
    return folder


def test_files_are_found_by_pattern_and_told_by_source_and_path(landing):
    for name in ("b.csv", "a.csv", ".hidden.csv"):
        (landing / "web" / name).write_text(name)
    (landing / "crm.csv").write_text("crm")

    files = discover(landing, sources(web="web/**/*.csv", crm="crm*.csv")).files

    assert [(file.source, file.relative) for file in files] == [
        ("crm", "crm.csv"),
        ("web", "web/a.csv"),
        ("web", "web/b.csv"),
    ]


def test_two_stars_at_the_end_ask_for_every_file_below(landing):
    (landing / "web" / "day").mkdir()
    for name in ("web/a.csv", "web/day/b.csv", "other.csv"):
        (landing / name).write_text(name)

    files = discover(landing, sources(web="web/**")).files

    assert [file.relative for file in files] == ["web/a.csv", "web/day/b.csv"]


def test_the_same_content_under_another_name_is_one_file_since_its_first_landing(landing):
    (landing / "web" / "b.csv").write_text("same")
    first = discover(landing, sources(web="web/*")).files
    (landing / "web" / "a.csv").write_text("same")

    files = discover(landing, sources(web="web/*")).files

    assert [(file.file_id, file.landed_at) for file in files] == [(first[0].file_id, first[0].landed_at)]


def test_new_content_under_an_old_name_is_a_new_file(landing):
    path = landing / "web" / "a.csv"
    path.write_text("one")
    before = discover(landing, sources(web="web/*")).files
    path.write_text("two")

    after = discover(landing, sources(web="web/*")).files

    assert before[0].file_id != after[0].file_id


def test_the_journal_is_only_appended_to(landing):
    (landing / "web" / "a.csv").write_text("one")
    discover(landing, sources(web="web/*"))
    journal = landing / "_journal" / "files.ndjson"
    before = journal.read_text()
    (landing / "web" / "b.csv").write_text("two")

    discover(landing, sources(web="web/*"))
    discover(landing, sources(web="web/*"))

    assert journal.read_text().startswith(before)
    assert [json.loads(line)["path"] for line in journal.read_text().splitlines()] == ["web/a.csv", "web/b.csv"]


def test_a_journal_line_cut_by_a_crash_is_passed_over(landing):
    (landing / "web" / "a.csv").write_text("one")
    first = discover(landing, sources(web="web/*")).files
    journal = landing / "_journal" / "files.ndjson"
    journal.write_text(journal.read_text() + '{"file_id": "12')
    (landing / "web" / "b.csv").write_text("two")

    discover(landing, sources(web="web/*"))

    assert discover(landing, sources(web="web/*")).files[0].landed_at == first[0].landed_at
    assert json.loads(journal.read_text().splitlines()[-1])["path"] == "web/b.csv"


def test_the_journal_itself_never_lands(landing):
    (landing / "web" / "a.csv").write_text("one")

    for _ in range(2):
        assert [file.relative for file in discover(landing, sources(web="**/*")).files] == ["web/a.csv"]


def test_a_link_out_of_the_landing_folder_is_refused(landing, tmp_path):
    (tmp_path / "secret.csv").write_text("secret")
    os.symlink(tmp_path / "secret.csv", landing / "web" / "a.csv")

    found = discover(landing, sources(web="web/*"))

    assert found.files == []
    assert "outside the landing folder" in found.refused[0][2]


def test_a_file_of_two_sources_is_refused_and_both_are_named(landing):
    (landing / "web" / "a.csv").write_text("one")

    found = discover(landing, sources(web="web/*", shop="**/*.csv"))

    assert found.refused == [
        ("web", "web/a.csv", "also matched by the source 'shop'; make the patterns tell them apart")
    ]


def test_a_pattern_that_matches_nothing_is_named(landing):
    (landing / "web" / "a.csv").write_text("one")

    found = discover(landing, sources(web="web/*", crm="crm/*.csv"))

    assert [(name, pattern) for name, pattern, _ in found.unmatched] == [("crm", "crm/*.csv")]
    assert 'no file matches sources.crm.files "crm/*.csv"' in found.unmatched[0][2]


def test_a_missing_or_empty_landing_folder_is_an_error_that_says_what_to_do(landing, tmp_path):
    with pytest.raises(
        DataError, match=r"does not exist; make it and put files there, or make a sample: journeys sample"
    ):
        discover(tmp_path / "nowhere", sources(web="web/*"))
    with pytest.raises(DataError, match=r"no file under .* matches sources.web.files web/\*"):
        discover(landing, sources(web="web/*"))


def test_of_several_patterns_of_a_source_one_has_to_match(tmp_path):
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "a.csv").write_text("x")

    found = discover(landing, sources(web=["*.csv", "*.parquet"], crm=["none*"]))

    assert [pattern for _, pattern, _ in found.unmatched] == ["none*"]
