"""Retractions: what is taken apart stays apart through rebuilds and any order of loads, and what it changes is told."""

import json
import shutil

import pytest

from pipelines.engines.local import LocalEngine
from pipelines.errors import ConfigurationError, DataError
from pipelines.ingest import load_new_files
from pipelines.retractions import rehearse, retracted_pairs, unmerge
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse, sql_text

JOURNEY = """
sources:
  web:
    format: csv
    files: "web*"
    fields: {event: {value: login}, event_id: id, occurred_at: at, user_id: user, anonymous_id: browser, email: mail}
"""
HEADER = "id,at,user,browser,mail"


class Place(Workspace):
    """A workspace whose night loads what landed and resolves who is who."""

    def land(self, name, *lines):
        self.landing.mkdir(exist_ok=True)
        (self.landing / name).write_text("\n".join([HEADER, *lines]) + "\n")
        return self

    def night(self):
        settings, warehouse = self.configuration, Warehouse(self.build_file)
        with warehouse.opened():
            load_new_files(warehouse, self.landing, settings.sources, journey=settings.journey, hmac_key=self.hmac_key)
            engine = LocalEngine(warehouse, settings)
            engine.identity(retracted=retracted_pairs(self.landing))
            engine.timeline()
        return self

    def rebuild(self):
        shutil.rmtree(self.build_file.parent)
        return self.night()

    def rows(self, query):
        return Warehouse(self.build_file).query(query).rows()

    def people(self):
        """The ids of the events of each customer."""
        return self.rows(
            "SELECT list(event_id ORDER BY event_id) AS ids FROM core.events GROUP BY customer_id ORDER BY ids"
        )

    def edge(self, user, other):
        found = self.rows("SELECT edge_id, from_value, to_value FROM core.identity_edges")
        return next(edge for edge, *ends in found if set(ends) == {user, other})

    def unmerge(self, edge, reason="one office computer"):
        return unmerge(self, edge, reason=reason, run=self.night)


@pytest.fixture
def place(tmp_path):
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (tmp_path / "journey.yaml").write_text(JOURNEY)
    return Place(tmp_path)


def ends_of(customers):
    return [[item["value"] for item in row["identifiers"]] for row in customers]


BROWSED = ("e1,2026-01-01T10:00:00Z,u1,b1,", "e2,2026-01-01T10:05:00Z,,b1,")


def test_what_is_taken_apart_becomes_two_customers_and_its_events_move(place):
    place.land("web1.csv", *BROWSED).night()

    change = place.unmerge(place.edge("u1", "b1"))

    assert place.people() == [(["e1"],), (["e2"],)]
    assert ends_of(change.before) == [["b1", "u1"]]
    assert sorted(ends_of(change.after)) == [["b1"], ["u1"]]
    assert (change.moved_events, change.moved_sessions) == (1, 1)


def test_a_rebuild_from_what_landed_gives_the_same(place):
    place.land("web1.csv", *BROWSED).night().unmerge(place.edge("u1", "b1"))
    before = place.rows("FROM core.identity_map ORDER BY ALL")

    place.rebuild()

    assert place.rows("FROM core.identity_map ORDER BY ALL") == before
    assert place.rows("SELECT status FROM core.identity_edges") == [("retracted",)]


def test_earlier_evidence_of_the_pair_changes_its_edge_and_joins_nothing(place):
    place.land("web1.csv", *BROWSED).night()
    edge = place.edge("u1", "b1")
    place.unmerge(edge)

    place.land("web2.csv", "e0,2026-01-01T09:00:00Z,u1,b1,").night()

    assert place.edge("u1", "b1") != edge
    assert place.people() == [(["e0", "e1"],), (["e2"],)]


def test_a_conflict_elsewhere_is_revived(place):
    place.land("web1.csv", "e1,2026-01-01T10:00:00Z,u1,,m@mail.example", "e2,2026-01-01T11:00:00Z,u2,,m@mail.example",
               "e3,2026-01-01T12:00:00Z,,,m@mail.example").night()  # fmt: skip
    (mail,) = place.rows("SELECT value FROM core.identity_map WHERE namespace = 'email'")[0]

    change = place.unmerge(place.edge("u1", mail))

    assert place.people() == [(["e1"],), (["e2", "e3"],)]
    assert place.rows("SELECT status FROM core.identity_edges ORDER BY occurred_at") == [("retracted",), ("applied",)]
    assert sorted(ends_of(change.after), key=len) == [["u1"], [mail, "u2"]]
    assert sorted(ends_of(change.before), key=len) == [["u2"], [mail, "u1"]]


def test_a_browser_of_two_people_becomes_that_of_the_other(place):
    place.land("web1.csv", *BROWSED, "e3,2026-01-02T10:00:00Z,u2,b1,", "e4,2026-01-02T10:05:00Z,,b1,").night()

    change = place.unmerge(place.edge("u2", "b1"))

    assert place.people() == [(["e1", "e2", "e4"],), (["e3"],)]
    assert change.before[-1]["customer_id"] is None
    assert change.moved_events == 1


def test_a_rehearsal_says_what_unmerging_would_change_and_writes_nothing(place):
    place.land("web1.csv", *BROWSED).night()
    edge = place.edge("u1", "b1")
    rows = place.rows("FROM core.events ORDER BY ALL")

    told = rehearse(place, edge, reason="x")

    assert place.rows("FROM core.events ORDER BY ALL") == rows
    assert not (place.landing / "_journal" / "retractions.ndjson").exists()
    assert [path.name for path in place.build_file.parent.iterdir()] == [place.build_file.name]
    done = place.unmerge(edge)
    assert (told.before, told.after, told.moved_events) == (done.before, done.after, done.moved_events)


def test_the_journal_names_the_pair_the_edge_and_the_reason(place):
    place.land("web1.csv", *BROWSED).night()
    edge = place.edge("u1", "b1")

    place.unmerge(edge[:8])

    (line,) = (place.landing / "_journal" / "retractions.ndjson").read_text().splitlines()
    told = json.loads(line)
    assert (told["edge_id"], told["kind"], told["reason"]) == (edge, "login", "one office computer")
    assert [told[name] for name in ("from_namespace", "from_value", "to_namespace", "to_value")] == [
        "anonymous_id", "b1", "user_id", "u1",
    ]  # fmt: skip


def test_the_data_version_changes_with_what_is_taken_apart(place):
    place.land("web1.csv", *BROWSED).night()
    before = place.rows(sql_text("ops/data_version.sql"))

    place.unmerge(place.edge("u1", "b1"))

    assert place.rows(sql_text("ops/data_version.sql")) != before


# ---------------------------------------------------------------- what is refused


def test_an_unknown_edge_is_refused_with_the_nearest(place):
    place.land("web1.csv", *BROWSED).night()
    edge = place.edge("u1", "b1")

    with pytest.raises(
        DataError, match=f"no edge '{edge[:15]}!' .the nearest is {edge}.; find the edges of somebody with"
    ):
        place.unmerge(edge[:15] + "!")


def test_the_first_digits_of_several_edges_are_refused_with_all_of_them(place):
    lines = [f"e{number},2026-01-01T10:00:00Z,u{number},b{number}," for number in range(17)]
    place.land("web1.csv", *lines).night()
    (first, ids) = place.rows(
        "SELECT edge_id[:1] AS first, list(edge_id ORDER BY edge_id) FROM core.identity_edges GROUP BY first "
        "HAVING count(*) BETWEEN 2 AND 6 ORDER BY first LIMIT 1"
    )[0]

    with pytest.raises(DataError, match=f"several edges begin with '{first}': {', '.join(ids)}"):
        place.unmerge(first)


@pytest.mark.parametrize("with_night", [True, False])
def test_a_pair_is_taken_apart_once_and_the_second_time_says_when_and_why(place, with_night):
    place.land("web1.csv", *BROWSED).night()
    edge = place.edge("u1", "b1")
    unmerge(place, edge, reason="a shared desk", run=place.night if with_night else lambda: None)

    with pytest.raises(
        DataError, match=r"anonymous_id:b1 and user_id:u1 were taken apart on 20..-..-.. .* a shared desk"
    ):
        place.unmerge(edge)


def test_nothing_is_taken_apart_before_the_first_night(place):
    with pytest.raises(DataError, match=r"nothing was loaded yet in .*; load what landed with: journeys run"):
        place.unmerge("abc")


def test_a_reason_must_be_given(place):
    place.land("web1.csv", *BROWSED).night()

    with pytest.raises(ConfigurationError, match="--reason is empty"):
        place.unmerge(place.edge("u1", "b1"), reason=" ")
