"""What was known on a day: answers from what had landed by then, and why figures differ between two days."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
import yaml

from pipelines import answers
from pipelines.difference import difference
from pipelines.errors import ConfigurationError, DataError
from pipelines.journal import JOURNAL, RETRACTIONS, append
from pipelines.night import Night
from pipelines.past import as_known_on
from pipelines.retractions import Retraction
from pipelines.rules import remember_rules
from pipelines.run import build_tables
from pipelines.settings import Workspace
from transforms.identity import pair_id

RULES = {
    "landing": {"quiet": "0s"},
    "sources": {
        "web": {
            "format": "ndjson",
            "files": "*.ndjson",
            "fields": {
                "event_id": "id",
                "event": "event",
                "occurred_at": "at",
                "anonymous_id": "cookie",
                "user_id": "user",
            },
        }
    },
    "conversions": [{"event": "order_placed"}],
    "stages": [
        {"name": "awareness", "touchpoints": [{"name": "visit", "when": {"event": "page_view"}}]},
        {"name": "purchase", "touchpoints": [{"name": "order", "when": {"event": "order_placed"}}]},
    ],
    "funnels": [{"name": "order", "steps": [{"event": "page_view"}, {"event": "order_placed"}], "window": "2d"}],
}


class Place(Workspace):
    """A workspace in which files land on days of one's choice, and nights only fill the build file."""

    def land(self, name, day, *hits):
        self.landing.mkdir(exist_ok=True)
        lines = [
            json.dumps(
                {"id": f"{name}{number}", "event": event, "at": f"2026-01-{at}:00Z", "cookie": cookie, "user": user}
            )
            for number, (event, at, cookie, user) in enumerate(hits)
        ]
        (self.landing / f"{name}.ndjson").write_text("".join(line + "\n" for line in lines))
        build_tables(Night(self))
        journal = self.landing / JOURNAL / "files.ndjson"
        entries = [json.loads(line) for line in journal.read_text().splitlines()]
        told = [entry | {"landed_at": f"{day}T12:00:00+00:00"} if name in entry["path"] else entry for entry in entries]
        journal.write_text("".join(json.dumps(entry) + "\n" for entry in told))
        return self

    def say(self, **rules):
        self.journey_file.write_text(yaml.safe_dump(RULES | rules, sort_keys=False))
        self.__dict__.pop("configuration", None)
        return self

    def count(self, day, query):
        with as_known_on(self, day, say=quiet) as past:
            return answers.sql(past, query)[1][0][0]

    def causes(self, earlier="2026-02-01", later="2026-02-02"):
        found = difference(self, earlier, later, say=quiet)
        return {
            (row["figure"], row["subject"]): {
                name: row[name] for name in ("rules", "merges", "late_rows", "unmerges") if row[name]
            }
            for row in found.changed
        }


def quiet(_line):
    pass


@pytest.fixture
def place(tmp_path):
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    made = Place(tmp_path).say()
    return made.land(
        "a", "2026-02-01", ("page_view", "01T10:00", "c1", None), ("page_view", "01T11:00", "c2", None), ("page_view", "09T10:00", "c3", None)
    )  # fmt: skip


def test_a_day_is_answered_from_the_files_that_had_landed_by_its_end(place):
    place.land("b", "2026-02-02", ("page_view", "02T10:00", "c9", None))

    assert [place.count(day, "SELECT count(*) FROM core.events") for day in ("2026-02-01", "2026-02-02")] == [3, 4]


def test_what_was_taken_apart_later_was_one_on_the_day(place):
    place.land("b", "2026-02-01", ("login", "03T10:00", "c1", "ann"), ("login", "03T11:00", "c2", "ann"))
    take_apart(place, "c2", "2026-02-03T00:00:00+00:00")

    customers = [place.count(day, "SELECT count(*) FROM core.customers") for day in ("2026-02-02", "2026-02-03")]

    assert customers == [2, 3]


def take_apart(place, cookie, at):
    ends = {"from_namespace": "anonymous_id", "from_value": cookie, "to_namespace": "user_id", "to_value": "ann"}
    pair = pl.DataFrame(ends).select(pair_id()).item()
    told = Retraction(pair, **ends, kind="login", edge_id="e", reason="a shared computer", at=at)
    append(place.landing / JOURNAL / RETRACTIONS, [told])


def test_the_workspace_is_left_as_it_is(place):
    before = place.build_file.read_bytes()

    place.count("2026-02-01", "SELECT 1")

    assert place.build_file.read_bytes() == before
    assert [path.name for path in place.build_file.parent.iterdir()] == ["build.duckdb"]


def test_a_day_before_anything_landed_is_refused_with_the_first_day(place):
    with pytest.raises(DataError, match="the first file landed on 2026-02-01"):
        place.count("2026-01-01", "SELECT 1")


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "01.02.2026"])
def test_what_is_no_day_is_refused(place, day):
    with pytest.raises(ConfigurationError, match="expected a day such as 2026-01-31"):
        place.count(day, "SELECT 1")


def test_late_rows_are_told_as_the_cause_and_rows_beyond_the_horizon_are_none(place):
    place.land("b", "2026-02-02", ("order_placed", "01T12:00", "c1", None), ("page_view", "20T10:00", "c8", None))

    assert place.causes() == {
        ("conversions", "order_placed"): {"late_rows": 1},
        ("events", ""): {"late_rows": 1},
        ("funnel", "order, 2 order_placed"): {"late_rows": 1},
        ("sessions", ""): {"late_rows": 1},
        ("stage", "purchase"): {"late_rows": 1},
    }


def test_a_late_login_that_joins_two_visitors_is_a_merge(place):
    place.land("b", "2026-02-02", ("login", "20T10:00", "c1", "ann"), ("login", "20T11:00", "c2", "ann"))

    assert place.causes() == {
        ("customers", ""): {"merges": -1},
        ("funnel", "order, 1 page_view"): {"merges": -1},
        ("stage", "awareness"): {"merges": -1},
    }


def test_what_was_taken_apart_since_is_told(place):
    place.land("b", "2026-02-01", ("login", "03T10:00", "c1", "ann"), ("login", "03T11:00", "c2", "ann"))
    take_apart(place, "c2", "2026-02-02T10:00:00+00:00")

    causes = place.causes()

    assert causes["customers", ""] == {"unmerges": 1}
    assert {cause for told in causes.values() for cause in told} == {"unmerges"}


def test_another_rule_is_told_as_the_cause(place):
    remember_rules(place.landing, place.configuration, datetime(2026, 2, 1, tzinfo=UTC))
    place.say(conversions=[{"event": "page_view"}])

    assert place.causes() == {("conversions", "page_view"): {"rules": 3}}


def test_nothing_differs_when_nothing_came(place):
    assert place.causes() == {}


def test_the_second_day_has_to_come_after_the_first(place):
    with pytest.raises(ConfigurationError, match="the first day comes before the second"):
        place.causes("2026-02-02", "2026-02-02")
