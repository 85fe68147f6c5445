"""Wholes that are exported again: of each the newest version counts, whatever landed first."""

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from tests.pipelines.test_ingest import Workspace
from transforms.mapping import Source
from transforms.wholes import time_in_name

DAYS = {
    "format": "csv",
    "files": "day/**/*.csv",
    "fields": {"event_id": "id", "event": "action", "occurred_at": "at", "user_id": "user"},
    "whole": {"by": ["day"], "exported_at": ["%Y%m%dT%H%M", "_20??????_%Y%m%d"], "provisional": ["*intraday*"]},
}
HEADER = "day,id,action,at,user\n"
OUTCOMES = "SELECT path, row, outcome FROM raw.row_outcomes JOIN raw.files USING (file_id) ORDER BY ALL"
LOADED = "SELECT event_id, event FROM raw.web_events ORDER BY ALL"


def row(day, id, action="see", at="2026-01-31 09:00:00", user="ann"):
    return f"{day},{id},{action},{at},{user}\n"


class Days(Workspace):
    def __init__(self, folder, **said):
        super().__init__(folder, days={**DAYS, **said})

    def put(self, name, content):
        (self.landing / "day" / name).parent.mkdir(parents=True, exist_ok=True)
        return super().put(f"day/{name}", content)

    def outcomes(self):
        return [(path.removeprefix("day/"), row, outcome) for path, row, outcome in self.rows(OUTCOMES)]


@pytest.fixture
def days(tmp_path):
    return Days(tmp_path)


def test_a_newer_export_that_lands_later_takes_the_place_of_the_older_one(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1) + row("d1", 1) + row("d1", 2) + row("d1", 2, "buy")).load()

    days.put("d1_20260202T0300.csv", HEADER + row("d1", 1, "buy") + row("d1", 3)).load()

    assert days.rows(LOADED) == [("d1:1", "buy"), ("d1:3", "see")]
    assert [outcome for _, _, outcome in days.outcomes()] == ["superseded"] * 4 + ["loaded"] * 2
    assert days.rows("SELECT whole, count(*) FROM raw.exports GROUP BY whole") == [("d1", 2)]


def test_an_older_export_that_lands_later_changes_nothing(days):
    days.put("d1_20260202T0300.csv", HEADER + row("d1", 1)).load()

    summary = days.put("d1_20260201T0300.csv", HEADER + row("d1", 1) + row("d1", 2)).load()

    assert summary.outcomes == {"superseded": 2}
    assert days.rows(LOADED) == [("d1:1", "see")]


@pytest.mark.parametrize("first", ["20260201T0300", "20260202T0300"])
def test_two_versions_may_land_in_one_night(days, first):
    names = sorted(["20260201T0300", "20260202T0300"], key=lambda name: name != first)
    for number, name in enumerate(names):
        days.put(f"{number}_{name}.csv", HEADER + row("d1", name))

    days.load()

    assert days.rows(LOADED) == [("d1:20260202T0300", "see")]


def test_a_file_of_several_days_loses_only_those_that_were_exported_again(days):
    days.put("all_20260201T0300.csv", HEADER + row("d1", 1) + row("d2", 1)).load()

    days.put("d2_20260202T0300.csv", HEADER + row("d2", 2)).load()

    assert days.rows(LOADED) == [("d1:1", "see"), ("d2:2", "see")]
    assert [outcome for _, _, outcome in days.outcomes()] == ["loaded", "superseded", "loaded"]


def test_files_of_one_export_time_are_one_version(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 0)).load()
    days.put("d1-0_20260202T0300.csv", HEADER + row("d1", 1) + row("d1", 2)).load()

    days.put("d1-1_20260202T0300.csv", HEADER + row("d1", 2) + row("d1", 3)).load()

    assert days.rows(LOADED) == [("d1:1", "see"), ("d1:2", "see"), ("d1:3", "see")]
    assert Counter(outcome for _, _, outcome in days.outcomes()) == {"superseded": 1, "loaded": 3, "duplicate": 1}


def test_rows_that_cannot_be_used_and_blank_ones_stay_what_they_are(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1) + row("d1", 2, at="soon") + "\n" + row("", 3)).load()

    days.put("d1_20260202T0300.csv", HEADER + row("d1", 9)).load()

    assert [outcome for _, _, outcome in days.outcomes()][:4] == ["superseded", "quarantined", "blank", "quarantined"]
    assert days.rows("SELECT row, reason, field FROM raw.quarantine ORDER BY row") == [
        (2, "bad_time", "occurred_at"), (4, "type_conflict", "whole"),
    ]  # fmt: skip


def test_an_export_of_which_no_row_can_be_used_replaces_nothing(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1)).load()

    days.put("d1_20260202T0300.csv", HEADER + row("d1", 1, at="soon")).load()

    assert days.rows(LOADED) == [("d1:1", "see")]


def test_a_provisional_export_ranks_below_every_other(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1)).load()

    days.put("intraday_d1_20260209T0300.csv", HEADER + row("d1", 2)).load()

    assert days.rows(LOADED) == [("d1:1", "see")]


def test_without_an_export_time_the_file_that_landed_last_counts(days):
    days.put("b.csv", HEADER + row("d1", 1)).load()

    days.put("a.csv", HEADER + row("d1", 2)).load()

    assert days.rows(LOADED) == [("d1:2", "see")]


def test_equal_rows_may_be_kept_within_each_version(tmp_path):
    days = Days(tmp_path, identical_rows="keep", fields={"event": "action", "occurred_at": "at", "user_id": "user"})
    days.put("d1_20260201T0300.csv", HEADER + 3 * row("d1", 1) + row("d2", 1)).load()

    days.put("d1_20260202T0300.csv", HEADER + 2 * row("d1", 1)).load()

    assert days.rows("SELECT count(*), count(DISTINCT event_id) FROM raw.web_events") == [(3, 3)]


# ---------------------------------------------------------------- export times


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("events_20210131_20210202T0315.ndjson.gz", "2021-02-02T02:15"),
        ("exported=20210202T0315Z/events_20210131-000000000000.parquet", "2021-02-02T03:15"),
        ("20210202T0315/events_20210203T0415.parquet", "2021-02-03T03:15"),
        ("events_20210131_20210202.parquet", "2021-02-01T23:00"),
        ("events_20210131.parquet", None),
        ("events_20210131-000000000000.parquet", None),
        ("events_20210202T031500.parquet", None),
        ("events_20219902T0315.parquet", None),
    ],
)
def test_the_export_time_is_found_in_the_path(name, told):
    found = time_in_name(name, DAYS["whole"]["exported_at"], zone="Europe/Berlin")

    assert found == (told and datetime.fromisoformat(told).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("%Y%m%dT%Q", "unknown part '%Q' in the pattern '%Y%m%dT%Q'; use %Y, %y"),
        ("%H%M", "the pattern '%H%M' tells no day"),
        ("%Y%m%d_%Y%m%d", "a part of the time twice; write ? for digits that do not count"),
    ],
)
def test_a_pattern_that_cannot_tell_an_export_time_is_refused(pattern, problem):
    with pytest.raises(ValueError, match=problem.replace("?", r"\?")):
        Source.model_validate({**DAYS, "whole": {"by": ["day"], "exported_at": [pattern]}})


@pytest.mark.parametrize("other", [{"group": {"by": ["day"]}}, {"record": {"object": "day", "id": "day"}}])
def test_wholes_are_made_of_events(other):
    fields = {"event": "action", "occurred_at": "at", "user_id": "user"}

    with pytest.raises(ValueError, match="`whole` is for events"):
        Source.model_validate({**DAYS, "fields": fields, **other})


def manifest(time, **said):
    return json.dumps({"exported_at": time, **said})


def test_a_manifest_in_the_folder_tells_when_its_files_were_exported(days):
    days.put("2/manifest.json", manifest("2026-02-02T03:00:00Z")).put("2/a.csv", HEADER + row("d1", 2))
    days.load()

    days.put("1/manifest.json", manifest("2026-02-01T03:00:00Z")).put("1/a.csv", HEADER + row("d1", 1)).load()

    assert days.rows(LOADED) == [("d1:2", "see")]


def test_a_files_own_manifest_goes_before_its_name_and_its_name_before_the_folders(days):
    days.put("manifest.json", manifest("2026-02-09T00:00:00Z", files=["plain*"]))
    days.put("plain.csv", HEADER + row("d1", 1))
    days.put("named_20260201T0000.csv", HEADER + row("d1", 2))
    days.put("own_20260201T0000.csv", HEADER + row("d1", 3))
    days.put("own_20260201T0000.csv.manifest.json", manifest("2026-02-03T00:00:00Z"))

    days.load()

    assert days.rows("SELECT path, exported_at::DATE::VARCHAR FROM raw.exports JOIN raw.files USING (file_id) ORDER BY path") == [
        ("day/named_20260201T0000.csv", "2026-02-01"),
        ("day/own_20260201T0000.csv", "2026-02-03"),
        ("day/plain.csv", "2026-02-09"),
    ]  # fmt: skip


@pytest.mark.parametrize("said", ["{", "[]", "{}", manifest("soon")])
def test_a_manifest_that_tells_no_time_holds_its_files_back(days, said):
    days.put("a.csv", HEADER + row("d1", 1)).put("manifest.json", said)

    summary = days.load()

    assert summary.files_loaded == 0
    assert [(path, "manifest.json" in problem) for path, _, problem in summary.problems] == [("day/a.csv", True)]


# ---------------------------------------------------------------- content that comes again


def test_content_that_comes_again_under_a_later_name_is_that_export(days):
    old, new = HEADER + row("d1", 1), HEADER + row("d1", 2)
    days.put("d1_20260201T0300.csv", old).put("d1_20260202T0300.csv", new).load()

    days.put("d1_20260203T0300.csv", old).load()

    assert days.rows(LOADED) == [("d1:1", "see")]
    assert Counter(outcome for _, _, outcome in days.outcomes()) == {"loaded": 1, "superseded": 1}


def test_content_that_comes_again_and_counts_already_is_not_read_again(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1)).load()

    again = days.put("d1_20260203T0300.csv", HEADER + row("d1", 1)).load()
    days.put("d1_20260202T0300.csv", HEADER + row("d1", 2)).load()

    assert again.files_loaded == 0
    assert days.rows(LOADED) == [("d1:1", "see")]


def test_a_changed_export_time_is_refused_when_a_file_it_concerns_is_gone(days):
    old = HEADER + row("d1", 1)
    days.put("d1_20260201T0300.csv", old).put("d1_20260202T0300.csv", HEADER + row("d1", 2)).load()
    (days.landing / "day" / "d1_20260202T0300.csv").unlink()

    with pytest.raises(DataError, match="have come again with another export time"):
        days.put("d1_20260203T0300.csv", old).load()

    assert days.rows(LOADED) == [("d1:2", "see")]


def test_a_source_that_is_gone_leaves_no_exports(days):
    days.put("d1_20260201T0300.csv", HEADER + row("d1", 1)).load()
    days.sources = {"other": Source.model_validate({**DAYS, "identical_rows": "keep"})}

    days.load()

    assert days.rows("SELECT source, whole FROM raw.exports") == [("other", "d1")]


# ---------------------------------------------------------------- the law of any order

TIMES = ("20260201T0000", "20260202T0000", "20260203T0000")
rows = st.builds(
    row,
    st.sampled_from(["d1", "d2", ""]), st.sampled_from("123"), st.sampled_from(["see", "buy"]),
    st.sampled_from(["2026-01-31 09:00:00", "2026-01-31 09:00:01", "soon"]),
)  # fmt: skip
exports = st.tuples(st.sampled_from(["", "intraday_"]), st.sampled_from(TIMES), st.lists(rows, min_size=1, max_size=4))


@st.composite
def landings(draw):
    """Files by name, and two ways of landing them, several a night."""
    files = {
        f"{number}_{kind}{time}.csv": HEADER + "".join(content)
        for number, (kind, time, content) in enumerate(draw(st.lists(exports, min_size=2, max_size=5)))
    }
    orders = [draw(st.permutations(sorted(files))) for _ in range(2)]
    return files, [(order, draw(st.integers(1, 5))) for order in orders]


def landed(folder, files, order, a_night):
    days = Days(folder)
    with days.warehouse.opened():
        for start in range(0, len(order), a_night):
            for name in order[start : start + a_night]:
                days.put(name, files[name])
            days.load()
    return days


def counted_ids(files):
    """The ids of the events that count, worked out row by row."""
    told = [(content, ("intraday" not in name, name[-17:])) for name, content in files.items()]
    good = [
        (day, id, max(rank for other, rank in told if other == content))
        for content, _ in told
        for day, id, _, at, _ in (line.split(",") for line in content.splitlines()[1:])
        if day and at != "soon"
    ]
    newest = {day: max(rank for other, _, rank in good if other == day) for day, _, _ in good}
    return sorted({f"{day}:{id}" for day, id, rank in good if rank == newest[day]})


AGAIN = {
    "0_20260201T0000.csv": HEADER + row("d1", 1),
    "1_20260202T0000.csv": HEADER + row("d1", 2) + row("d2", 2),
    "2_20260203T0000.csv": HEADER + row("d1", 1),
    "3_20260203T0000.csv": HEADER + row("d1", 1) + row("d1", 3),
}


@settings(max_examples=15, deadline=None)
@given(landings())
@example((AGAIN, [(sorted(AGAIN), 1), (sorted(AGAIN, reverse=True), 4)]))
def test_any_order_of_landing_gives_the_same_tables_and_outcomes(drawn):
    files, ((first, one), (second, other)) = drawn
    kinds = "SELECT outcome, whole, count(*) FROM raw.row_outcomes GROUP BY ALL ORDER BY ALL"
    superseded = "SELECT file_id, row FROM raw.row_outcomes WHERE outcome = 'superseded' ORDER BY ALL"

    with tempfile.TemporaryDirectory() as folder:
        left = landed(Path(folder) / "left", files, first, one)
        right = landed(Path(folder) / "right", files, second, other)

        assert left.tables() == right.tables()
        assert left.rows(kinds) == right.rows(kinds)
        assert left.rows(superseded) == right.rows(superseded)
        assert [id for (id,) in left.rows("SELECT event_id FROM raw.web_events ORDER BY ALL")] == counted_ids(files)
