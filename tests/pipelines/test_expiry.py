"""Expiry: what is older than may be kept is gone from every file, comes back with no reload, and a kill changes nothing of that."""

import gzip
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines import erasure, expiry
from pipelines.cli import app
from pipelines.errors import ConfigurationError
from pipelines.journal import JOURNAL, SESSIONS, append
from pipelines.night import Night, Vanished
from pipelines.run import build_tables
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse
from tests.pipelines.test_erasure import (
    APP,
    CRM,
    CRM_LATER,
    DAY_ONE,
    DAY_TWO,
    JOURNEY,
    SHOP,
    WEB,
    Killed,
    killed,
    nth,
    texts_of,
)
from transforms.erasure import expired_rows

FIRST_KEPT = date(2026, 1, 2)
OLD_WEB = {"w1", "w2", "w3", "w4"}
DORA = "d1,page_view,2026-01-01T12:00:00Z,,browser-dora,,"
AGE = timedelta(days=(datetime.now(UTC).date() - FIRST_KEPT).days)
STAGES = """
stages:
  - {name: awareness, touchpoints: [{name: visit, when: {event: page_view}}]}
  - {name: retention, touchpoints: [{name: login, when: {event: login}}]}
"""


class Place(Workspace):
    """A workspace whose night makes all tables."""

    def night(self) -> "Place":
        build_tables(Night(self))
        erasure.finish(self)
        return self

    def expire(self, run=None) -> erasure.Receipt:
        return expiry.expire(self, AGE, run=run or self.night, say=lambda _line: None)

    def rehearse(self) -> erasure.Receipt:
        return expiry.rehearse(self, AGE, say=lambda _line: None)

    def rows(self, query: str) -> list[tuple]:
        return Warehouse(self.build_file).query(query).rows()

    def core(self) -> list[list[tuple]]:
        tables = ("core.events", "core.identity_map", "core.sessions", "core.customers")
        return [self.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in tables]

    def traces(self) -> list[str]:
        """The files in which an id of an old event stands."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return sorted(
            path.name
            for path in files
            if any(word in texts_of(path) for word in ("old-w1-id", "old-order", "browser-dora"))
        )


def world(folder: Path, *, with_old: bool) -> Place:
    """A workspace in which what happened before the second of January landed, or never did."""

    def kept(lines: list[str]) -> list[str]:
        told = [line for line in lines if with_old or not (line[:2] in OLD_WEB or "2026-01-01" in line)]
        return [line.replace("w1,", "old-w1-id,", 1) if line.startswith("w1,") else line for line in told]

    (folder / "landing" / "shop").mkdir(parents=True)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (folder / "journey.yaml").write_text(JOURNEY + STAGES)
    landing = folder / "landing"
    (landing / "web1.csv").write_text(WEB + "".join(f"{line}\n" for line in kept([*DAY_ONE, DORA])))
    (landing / "web2.csv.gz").write_bytes(gzip.compress((WEB + "\n".join(kept(DAY_TWO))).encode()))
    (landing / "crm1.csv").write_text("id,changed,mail,user\n" + "".join(f"{line}\n" for line in kept(CRM)))
    (landing / "crm2.csv").write_text("id,changed,mail,user\n" + "".join(f"{line}\n" for line in kept(CRM_LATER)))
    orders = [{**SHOP[0], "note": "old-order"}, {**SHOP[1], "at": "2026-01-03T00:00:00Z"}]
    (landing / "shop" / "b.ndjson").write_text(
        "".join(json.dumps(line) + "\n" for line in (orders if with_old else orders[1:]))
    )
    pq.write_table(pa.table(APP), landing / "app.parquet")
    return Place(folder)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory.mktemp("with"), with_old=True).night().root


@pytest.fixture
def place(loaded: Path, tmp_path: Path) -> Place:
    return Place(shutil.copytree(loaded, tmp_path / "with"))


@pytest.fixture(scope="module")
def without_old(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple]]:
    return world(tmp_path_factory.mktemp("without"), with_old=False).night().core()


def test_a_row_has_expired_when_everything_of_it_that_has_a_time_is_older() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    rows = pl.DataFrame(
        {"file": [0] * 6, "row": [1, 2, 2, 3, 4, 4], "evident_at": [old, old, new, None, None, old]},
        schema_overrides={"file": pl.UInt32, "evident_at": pl.Datetime("us", "UTC")},
    )

    found = expired_rows(rows, before=datetime(2026, 1, 2, tzinfo=UTC))

    assert sorted(found["row"]) == [1, 4]


def test_after_it_the_tables_are_those_of_a_world_in_which_nothing_old_had_landed(
    place: Place, without_old: list[list[tuple]]
) -> None:
    place.expire()

    assert place.core() == without_old


def test_a_search_finds_what_is_old_before_and_no_longer_after(place: Place) -> None:
    assert len(place.traces()) >= 3

    place.expire()

    assert place.traces() == []


def test_what_is_old_comes_back_with_no_reload_and_stands_in_the_books(
    place: Place, without_old: list[list[tuple]]
) -> None:
    again = (place.landing / "web1.csv").read_text()
    place.expire()

    (place.landing / "web9.csv").write_text(again + "n1,page_view,2025-01-01T00:00:00Z,,browser-new,,\n")
    place.night()

    assert place.core()[1:] == without_old[1:]
    suppressed = "SELECT count(*) FROM raw.row_outcomes WHERE outcome = 'suppressed'"
    assert place.rows(suppressed) == [(6,)]


def test_a_rehearsal_tells_the_same_counts_and_writes_nothing(place: Place) -> None:
    before = {path: path.read_bytes() for path in place.landing.rglob("*") if path.is_file()}

    told = place.rehearse()

    assert {path: path.read_bytes() for path in place.landing.rglob("*") if path.is_file()} == before
    done = place.expire()
    assert (told.files, told.places, told.before) == (done.files, done.places, done.before)
    assert told.files == {"crm1.csv": 2, "shop/b.ndjson": 1, "web1.csv": 5, "web2.csv.gz": 2}


MOMENTS = {
    "after the journal was told": ("pipelines.erasure._copies", lambda: killed),
    "between two files": ("pipelines.erasure.put_in_place", lambda: nth(2, erasure.put_in_place)),
    "after all files were rewritten": ("pipelines.night.discover", lambda: killed),
    "before the last part": ("pipelines.warehouse.Warehouse.compact", lambda: killed),
    "before the receipt": ("pipelines.erasure.clean_journal", lambda: nth(2, erasure.clean_journal)),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_expiry_that_was_killed_is_finished_by_the_next_run(
    place: Place, without_old: list[list[tuple]], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, stand_in = MOMENTS[moment]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(name, stand_in())
        place.expire()

    place.night()

    assert place.core() == without_old
    assert place.traces() == []
    assert not list((place.landing / JOURNAL).glob("expired-*"))


def test_reports_and_the_journal_lose_customers_and_sessions_that_are_no_more(place: Place) -> None:
    gone = place.rows(
        "SELECT customer_id FROM core.customers WHERE last_seen_at < TIMESTAMPTZ '2026-01-02 00:00:00+00'"
    )
    stays = place.rows(
        "SELECT customer_id FROM core.customers WHERE last_seen_at > TIMESTAMPTZ '2026-01-02 00:00:00+00'"
    )
    (place.reports / "2026-01-09").mkdir(parents=True)
    page, kept = (place.reports / "2026-01-09" / name for name in ("stuck.html", "other.html"))
    page.write_text(f"<p>{gone[0][0]}</p>")
    kept.write_text(f"<p>{stays[0][0]}</p>")
    journal = place.landing / JOURNAL / SESSIONS
    append(
        journal,
        [
            Vanished("s1", "web", "old-w1-id", "2026-01-09T00:00:00+00:00"),
            Vanished("s2", "web", "w5", "2026-01-09T00:00:00+00:00"),
        ],
    )

    done = place.expire()

    assert not page.exists() and kept.exists()
    assert done.reports == {"2026-01-09/stuck.html": "removed"}
    assert done.journal == {SESSIONS: 1}
    assert "old-w1-id" not in journal.read_text() and '"w5"' in journal.read_text()


def test_less_than_a_day_is_refused_with_nothing_changed(place: Place) -> None:
    with pytest.raises(ConfigurationError, match="a day or more"):
        expiry.expire(place, timedelta(hours=23), run=place.night, say=lambda _line: None)


@pytest.mark.parametrize(
    ("age", "problem"), [("soon", "expected a duration"), ("0d", "a day or more"), ("none", "takes an age")]
)
def test_an_age_that_is_none_ends_with_2(place: Place, age: str, problem: str) -> None:
    told = CliRunner().invoke(app, ["expire", "--older-than", age, "-w", str(place.root)])

    assert told.exit_code == 2
    assert problem in told.output


def test_the_command_says_what_would_go(place: Place) -> None:
    told = CliRunner().invoke(app, ["expire", "--older-than", f"{AGE.days}d", "--dry-run", "-w", str(place.root)])

    assert told.exit_code == 0, told.output
    assert "Would erase everything from before 2026-01-02." in told.output
    assert "web1.csv: 5 rows" in told.output and "Nothing was written." in told.output
