import json
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import ConfigurationError, DataError
from pipelines.ingest import load_new_files
from pipelines.replay import replay, sentence
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse

JOURNEY = """
sources:
  orders:
    format: csv
    kind: crm
    files: "orders*"
    fields: {{event: {{value: order_placed}}, occurred_at: {when}, user_id: user}}
"""


class Place(Workspace):
    """A workspace whose night only loads what landed."""

    def say(self, when="at"):
        self.journey_file.write_text(JOURNEY.format(when=when))
        self.__dict__.pop("configuration", None)
        return self

    def land(self, name, content):
        self.landing.mkdir(exist_ok=True)
        (self.landing / name).write_text(content)
        return self

    def load(self):
        settings = self.configuration
        load_new_files(
            Warehouse(self.build_file), self.landing, settings.sources, journey=settings.journey, hmac_key=self.hmac_key
        )

    def replay(self, reason, path=None):
        return replay(self, reason=reason, path=path, run=self.load)

    def rows(self, query):
        return Warehouse(self.build_file).query(query).rows()


@pytest.fixture
def place(tmp_path):
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    return Place(tmp_path).say()


GERMAN = '{from: at, format: "%d.%m.%Y"}'


def test_rows_move_after_the_mapping_is_mended_and_none_is_doubled(place):
    place.land("orders1.csv", "at,user\n31.01.2026,ann\n,bob\n").load()

    moved = place.say(GERMAN).replay("bad_time")

    assert moved.rows == 1
    assert moved.now == [{"outcome": "loaded", "reason": None, "rows": 1}]
    assert place.rows("SELECT user_id FROM raw.crm_events") == [("ann",)]
    assert place.rows("SELECT outcome, count(*) FROM raw.row_outcomes GROUP BY ALL ORDER BY ALL") == [
        ("loaded", 1), ("quarantined", 1),
    ]  # fmt: skip


def test_a_row_that_is_wrong_in_another_way_says_so(place):
    place.land("orders1.csv", "at,user\n31.01.2026,\n").load()

    moved = place.say(GERMAN).replay("bad_time")

    assert sentence(moved, None) == ("1 row kept aside as bad_time; now 1 quarantined (missing_identity).")


def test_nothing_moves_while_the_mapping_is_the_same(place):
    place.land("orders1.csv", "at,user\n31.01.2026,ann\n").load()

    with pytest.raises(DataError, match="these rows would be kept aside again: the rules of orders are those"):
        place.replay("bad_time")

    assert not (place.landing / "_journal" / "replays.ndjson").exists()


def test_rows_in_the_future_are_judged_again_as_if_they_landed_now(place):
    ahead = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    place.land("orders1.csv", f"at,user\n{ahead},ann\n2026-01-31,bob\n").load()
    assert place.rows("SELECT reason FROM raw.quarantine") == [("future_time",)]

    moved = replay(place, reason="future_time", path=None, run=lambda: later(place, days=4))

    assert moved.now == [{"outcome": "loaded", "reason": None, "rows": 1}]
    assert place.rows("SELECT user_id FROM raw.crm_events ORDER BY ALL") == [("ann",), ("bob",)]


def later(place, *, days):
    """The next run, as if the replay had been asked for some days later."""
    journal = place.landing / "_journal" / "replays.ndjson"
    entry = json.loads(journal.read_text())
    entry["at"] = (datetime.fromisoformat(entry["at"]) + timedelta(days=days)).isoformat()
    journal.write_text(json.dumps(entry) + "\n")
    place.load()


def test_a_rebuild_from_what_landed_keeps_what_was_replayed(place):
    ahead = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    place.land("orders1.csv", f"at,user\n{ahead},ann\n").load()
    replay(place, reason="future_time", path=None, run=lambda: later(place, days=4))
    place.build_file.unlink()

    place.load()

    assert place.rows("SELECT user_id FROM raw.crm_events") == [("ann",)]


def test_only_the_rows_of_the_file_that_is_named_are_told(place):
    place.land("orders1.csv", "at,user\n31.01.2026,ann\n").land("orders2.csv", "at,user\n30.01.2026,bob\n").load()

    moved = place.say(GERMAN).replay("bad_time", "orders2.csv")

    assert moved.rows == 1


def test_no_row_of_that_kind_is_no_mistake(place):
    place.land("orders1.csv", "at,user\n2026-01-31,ann\n").load()

    assert sentence(place.replay("bad_time"), None) == "No row is kept aside as bad_time."


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (("bad_tme", None), "unknown reason 'bad_tme' \\(did you mean 'bad_time'\\?\\)"),
        (("bad_time", "order1.csv"), "unknown file 'order1.csv' \\(did you mean 'orders1.csv'\\?\\)"),
    ],
)
def test_an_unknown_reason_or_file_is_refused_with_the_nearest(place, asked, problem):
    place.land("orders1.csv", "at,user\n31.01.2026,ann\n").load()

    with pytest.raises(ConfigurationError, match=problem):
        place.replay(*asked)


def test_before_the_first_run_there_is_nothing_to_replay(place):
    with pytest.raises(DataError, match="nothing was loaded yet"):
        place.replay("bad_time")
