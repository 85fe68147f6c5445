"""Erasure: a person is forgotten in every file, comes back with no reload, and a kill at any moment changes nothing of that."""

import gzip
import json
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines import erasure
from pipelines.cli import app
from pipelines.engines.local import LocalEngine
from pipelines.errors import DataError
from pipelines.ingest import load_new_files
from pipelines.landing import content_id
from pipelines.night import Night
from pipelines.retractions import retracted_pairs
from pipelines.settings import Workspace
from pipelines.warehouse import Warehouse, literal, scratch
from transforms.canonical import keyed

JOURNEY = """
landing: {quiet: 0s}
sources:
  web:
    format: csv
    files: "web*"
    fields: {event: event, event_id: id, occurred_at: at, user_id: user, anonymous_id: browser, email: mail, phone: phone}
  app:
    format: parquet
    files: "app*"
    fields: {event: {value: open}, event_id: id, occurred_at: at, user_id: user, device_id: device}
  shop:
    format: ndjson
    kind: crm
    files: "shop/*"
    identical_rows: keep
    fields: {event: {value: order_placed}, occurred_at: at, email: buyer.mail}
    properties: [note]
  crm:
    format: csv
    kind: crm
    files: "crm*"
    record: {object: contact, id: id, modified_at: changed, undated: keep}
    fields: {crm_contact_id: id, email: mail, user_id: user}
"""
WEB = "id,event,at,user,browser,mail,phone\n"
DAY_ONE = [
    "w1,page_view,2026-01-01T10:00:00Z,,browser-ann,,",
    "w2,login,2026-01-01T10:05:00Z,ann-one,browser-ann,Ann.Smith@Example.com,+49 170 5558213",
    "w3,page_view,2026-01-01T10:00:00Z,,browser-ben,,",
    "w4,login,2026-01-01T10:01:00Z,ben-two,browser-ben,ben@example.com,",
    "w5,login,2026-01-02T09:00:00Z,ann-one,kiosk,,",
    "w6,page_view,2026-01-02T09:01:00Z,,kiosk,,",
    "w7,login,2026-01-03T09:00:00Z,ben-two,kiosk,,",
    "w8,page_view,2026-01-03T09:01:00Z,,kiosk,,",
    "w9,page_view,not a time,ann-one,,,",
]
DAY_TWO = [
    "w2,login,2026-01-01T10:05:00Z,ann-one,browser-ann,ann.smith@example.com,+49 170 5558213",
    "w2,login,2026-01-01T10:06:00Z,ann-one,browser-ann,,",
    "w6,page_view,2026-01-02T09:01:00Z,,kiosk,,",
    "x1,page_view,2026-01-04T09:00:00Z,,browser-cid,,",
    "x2,page_view,2026-01-05T09:00:00Z,,browser-ann,,",
]
CRM = ["c-ann,2026-01-01T00:00:00Z,ann.smith@example.com,ann-one", "c-ben,2026-01-01T00:00:00Z,ben@example.com,ben-two"]
CRM_LATER = ["c-ann,2026-02-01T00:00:00Z,ann.smith@example.com,ann-one"]
SHOP = [
    {"at": "2026-01-01T11:00:00Z", "buyer": {"mail": "ANN.smith@example.com"}, "note": "for Ann"},
    {"at": "2026-01-01T11:00:00Z", "buyer": {"mail": "ben@example.com"}, "note": "x"},
    {"at": "2026-01-01T11:00:00Z", "buyer": {"mail": "ben@example.com"}, "note": "x"},
]
BROKEN = '{"at": "2026-01-01T11:00:00Z", "buyer": {"mail": "ann.smith@example.com"\n'
SHOP_LATER = [{"at": "2026-01-01T11:00:00Z", "buyer": {"mail": "ben@example.com"}, "note": "x"}]
APP = {
    "id": ["a1", "a2", "a3"],
    "at": ["2026-01-06T08:00:00Z", "2026-01-06T08:00:00Z", "2026-01-06T09:00:00Z"],
    "user": ["ann-one", "ben-two", None],
    "device": ["phone-ann", "phone-ben", "phone-ann"],
}
HERS_WEB = {"w1", "w2", "w5", "w6", "w9", "x2"}
SPOKEN = ("ann-one", "ann.smith", "5558213", "browser-ann", "phone-ann", "c-ann", "for Ann")


class Place(Workspace):
    """A workspace whose night loads what landed, resolves who is who, and builds the timeline."""

    def night(self):
        settings = self.configuration
        night = Night(self)
        with night.warehouse.opened():
            load_new_files(
                night.warehouse,
                self.landing,
                settings.sources,
                journey=settings.journey,
                hmac_key=self.hmac_key,
                found=night.discover(),
            )
            engine = LocalEngine(night.warehouse, settings)
            engine.identity(retracted=retracted_pairs(self.landing))
            engine.timeline(vanished=night.remember_vanished)
        erasure.finish(self)
        return self

    def erase(self, asked="ann-one", run=None):
        return erasure.erase(self, asked, run=run or self.night, say=lambda _line: None)

    def rehearse(self, asked="ann-one"):
        return erasure.rehearse(self, asked, say=lambda _line: None)

    def rows(self, query):
        return Warehouse(self.build_file).query(query).rows()

    def core(self):
        """Who has which events, and every identifier's customer."""
        events = self.rows(
            "SELECT customer_id, source, event_id, occurred_at, session_id FROM core.events ORDER BY ALL"
        )
        return events, self.rows("SELECT namespace, value, customer_id, status FROM core.identity_map ORDER BY ALL")

    def outcomes(self):
        return self.rows(
            "SELECT source, outcome, count(*) FROM raw.row_outcomes JOIN raw.files USING (file_id) GROUP BY ALL ORDER BY ALL"
        )

    def values(self):
        """All that the person can be known by, as it stands in files and in the warehouse."""
        hashed = [keyed(text, self.hmac_key) for text in ("ann.smith@example.com", "+491705558213")]
        return [*SPOKEN, *hashed]


def world(folder, *, with_her):
    """A workspace in which what concerns Ann landed, or never did."""
    place = Place(folder)
    (folder / "landing" / "shop").mkdir(parents=True)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (folder / "journey.yaml").write_text(JOURNEY)

    def kept(lines):
        return [line for line in lines if with_her or not (line[:2] in HERS_WEB or line.startswith("c-ann"))]

    landing = place.landing
    (landing / "web1.csv").write_text(WEB + "".join(f"{line}\n" for line in kept(DAY_ONE)))
    (landing / "web2.csv.gz").write_bytes(gzip.compress((WEB + "\n".join(kept(DAY_TWO))).encode()))
    (landing / "crm1.csv").write_text("id,changed,mail,user\n" + "".join(f"{line}\n" for line in kept(CRM)))
    (landing / "crm2.csv").write_text("id,changed,mail,user\n" + "".join(f"{line}\n" for line in kept(CRM_LATER)))
    shop = "".join(json.dumps(line) + "\n" for line in (SHOP if with_her else SHOP[1:]))
    (landing / "shop" / "b.ndjson").write_text(shop + (BROKEN if with_her else ""))
    with (
        pa.OSFile(str(landing / "shop" / "a.ndjson.zst"), "wb") as sink,
        pa.CompressedOutputStream(sink, "zstd") as out,
    ):
        out.write("".join(json.dumps(line) + "\n" for line in SHOP_LATER).encode())
    app = pa.table(APP)
    pq.write_table(app if with_her else app.slice(1, 1), landing / "app.parquet")
    return place


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return world(tmp_path_factory.mktemp("with"), with_her=True).night().root


@pytest.fixture
def place(loaded, tmp_path):
    return Place(shutil.copytree(loaded, tmp_path / "with"))


@pytest.fixture(scope="module")
def without_her(tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    return world(folder, with_her=False).night().core()


def texts_of(path: Path) -> str:
    """All that a file says: text as it is, unpacked, or every text of every table."""
    if path.suffix == ".duckdb":
        with scratch() as connection:
            connection.execute(f"ATTACH {literal(path)} AS held (READ_ONLY)")
            columns = connection.sql(
                "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() "
                "WHERE database_name = 'held' AND data_type LIKE 'VARCHAR%'"
            ).fetchall()
            texts = [
                str(connection.sql(f'SELECT "{column}" FROM held.{table}').fetchall()) for table, column in columns
            ]
        return "\n".join(texts) + path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        return str(pl.read_parquet(path).rows()) + path.read_bytes().decode("latin-1")
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".zst":
        content = pa.input_stream(str(path), compression="zstd").read()
    return content.decode("latin-1")


def traces(place: Place) -> list[tuple[str, str]]:
    """Where in the files of a workspace a value of the person stands."""
    files = [path for path in place.root.rglob("*") if path.is_file()]
    said = {path.relative_to(place.root).as_posix(): texts_of(path).lower() for path in files}
    return [(name, value) for name, text in said.items() for value in place.values() if value.lower() in text]


# ---------------------------------------------------------------- what is erased


def test_after_it_the_tables_are_those_of_a_world_in_which_the_person_never_came(place, without_her):
    place.erase()

    assert place.core() == without_her


def test_a_search_finds_the_person_before_and_no_longer_after(place):
    before = traces(place)

    place.erase()

    assert {value for _, value in before} == set(place.values())
    assert traces(place) == []


def test_a_rebuild_from_what_is_left_gives_the_same(place, without_her):
    place.erase()
    shutil.rmtree(place.build_file.parent)

    place.night()

    assert place.core() == without_her


def test_rows_of_others_stay_byte_by_byte_and_keep_their_landing_time(place):
    landed = place.rows("SELECT path, landed_at FROM raw.files ORDER BY path")

    place.erase()

    assert place.rows("SELECT path, landed_at FROM raw.files ORDER BY path") == landed
    lines = [line for line in DAY_ONE if line[:2] not in HERS_WEB]
    assert (place.landing / "web1.csv").read_text() == WEB + "".join(f"{line}\n" for line in lines)


def test_of_a_shared_browser_only_the_persons_own_events_go(place):
    place.erase()

    assert place.rows("SELECT event_id FROM core.events WHERE event_id IN ('w5', 'w6', 'w7', 'w8') ORDER BY ALL") == [
        ("w7",), ("w8",),
    ]  # fmt: skip


def test_copies_under_other_names_are_rewritten_too(place):
    for name in ("backup of web", "_remote/s3/acme/web1.csv"):
        copy = place.landing / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place.landing / "web1.csv", copy)

    place.erase()

    assert traces(place) == []
    assert content_id(place.landing / "backup of web") == content_id(place.landing / "web1.csv")


def test_what_the_journal_tells_of_the_person_goes_and_the_rest_stays(place):
    journal = place.landing / "_journal"
    gone = {"session_id": "s", "source": "web", "superseded_at": "2026-01-01T00:00:00+00:00"}
    lines = [{**gone, "event_id": event} for event in ("w1", "w3", "contact:c-ann:open")]
    (journal / "sessions.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = {"pair_id": "p", "kind": "login", "edge_id": "e", "reason": "r", "at": "2026-01-01T00:00:00+00:00"}
    pairs = [("ann-one", "browser-cid"), ("ben-two", "browser-cid")]
    retracted = [
        {**told, "from_namespace": "user_id", "from_value": one, "to_namespace": "anonymous_id", "to_value": other}
        for one, other in pairs
    ]
    (journal / "retractions.ndjson").write_text("".join(json.dumps(line) + "\n" for line in retracted))

    receipt = place.erase()

    left = [json.loads(line)["event_id"] for line in (journal / "sessions.ndjson").read_text().splitlines()]
    assert left == ["w3"]
    assert "ann-one" not in (journal / "retractions.ndjson").read_text()
    assert "ben-two" in (journal / "retractions.ndjson").read_text()
    assert traces(place) == []
    assert receipt.places["core.events"] == 8


def test_tables_and_pages_of_reports_that_name_the_customer_lose_the_rows_or_go(place):
    her = place.rows("SELECT customer_id FROM core.identity_map WHERE value = 'ann-one'")[0][0]
    tables = place.reports / "2026-01-06" / "tables"
    tables.mkdir(parents=True)
    (tables / "who.csv").write_text(f"customer,step\r\n{her},1\r\nfedcba9876543210,2\r\n", newline="")
    pl.DataFrame({"customer": [her, "fedcba9876543210"]}).write_parquet(tables / "who.parquet")
    (tables.parent / "who.html").write_text(f"<td>{her}</td>")
    (tables.parent / "index.html").write_text("<td>fedcba9876543210</td>")

    rehearsed = place.rehearse().reports
    receipt = place.erase()

    assert receipt.reports == rehearsed == {
        "2026-01-06/tables/who.csv": "1 row removed",
        "2026-01-06/tables/who.parquet": "1 row removed",
        "2026-01-06/who.html": "removed",
    }  # fmt: skip
    assert (tables / "who.csv").read_bytes() == b"customer,step\r\nfedcba9876543210,2\r\n"
    assert pl.read_parquet(tables / "who.parquet")["customer"].to_list() == ["fedcba9876543210"]
    assert [page.name for page in tables.parent.glob("*.html")] == ["index.html"]


def test_rows_that_were_asked_for_again_stay_as_they_were_judged(place):
    later = "2026-12-31T00:00:00+00:00"
    file_id = place.rows("SELECT file_id FROM raw.files WHERE path = 'web1.csv'")[0][0]
    said = {"file_id": file_id, "source": "web", "path": "web1.csv", "reason": "future_time", "at": later}
    replays = place.landing / "_journal" / "replays.ndjson"
    replays.write_text(json.dumps(said) + "\n")
    place.night()

    place.erase()

    told = [json.loads(line) for line in replays.read_text().splitlines()]
    now = place.rows("SELECT file_id FROM raw.files WHERE path = 'web1.csv'")[0][0]
    assert [(line["file_id"], line["at"]) for line in told] == [(file_id, later), (now, later)]
    assert place.rows("SELECT count(*) FROM raw.web_events WHERE event_id = 'w3'") == [(1,)]


def test_a_source_that_is_gone_while_its_files_have_to_be_rewritten_is_asked_for(place, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("pipelines.erasure._copies", killed)
        place.erase()
    place.journey_file.write_text(JOURNEY.replace("  crm:\n", "  customers:\n"))

    with pytest.raises(
        DataError, match=r"crm1.csv still holds rows of an erased person, and its source 'crm' is no longer"
    ):
        Place(place.root).night()


WHOLE = """
sources:
  web:
    format: csv
    files: "web*"
    whole: {by: [day], exported_at: [_%Y%m%d]}
    fields: {event: event, event_id: id, occurred_at: at, user_id: user, anonymous_id: browser}
"""
WHOLE_DAY = [
    "d1,login,2026-01-01T09:00:00Z,ann-one,kiosk",
    "d1,page_view,2026-01-01T09:01:00Z,,kiosk",
    "d1,login,2026-01-01T19:00:00Z,ben-two,kiosk",
]


def days(folder, lines):
    """A workspace with a day that was exported twice, the second time with a row more."""
    place = Place(folder)
    place.landing.mkdir(parents=True)
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    (folder / "journey.yaml").write_text(WHOLE)
    numbered = [f"e{WHOLE_DAY.index(line)},{line}\n" for line in lines]
    later = "e9,d1,login,2026-01-01T20:00:00Z,ben-two,browser-ben\n"
    for name, extra in (("web_20260102.csv", ""), ("web_20260103.csv", later)):
        (place.landing / name).write_text("id,day,event,at,user,browser\n" + "".join(numbered) + extra)
    return place.night()


def test_older_versions_of_a_whole_lose_the_persons_rows_too(tmp_path):
    place = days(tmp_path / "with", WHOLE_DAY)

    receipt = place.erase()

    assert receipt.files == {"web_20260102.csv": 2, "web_20260103.csv": 2}
    assert place.core() == days(tmp_path / "without", WHOLE_DAY[2:]).core()


# ---------------------------------------------------------------- the receipt


def test_a_rehearsal_counts_what_the_erasure_does_and_writes_nothing(place):
    before = {path: path.read_bytes() for path in place.landing.rglob("*") if path.is_file()}

    rehearsed = place.rehearse()
    after = {path: path.read_bytes() for path in place.landing.rglob("*") if path.is_file()}
    receipt = place.erase()

    assert after == before
    assert rehearsed.is_rehearsal and not receipt.is_rehearsal
    assert (rehearsed.files, rehearsed.places, rehearsed.identifiers) == (
        receipt.files,
        receipt.places,
        receipt.identifiers,
    )
    assert receipt.files == {
        "app.parquet": 2, "crm1.csv": 1, "crm2.csv": 1, "shop/b.ndjson": 2, "web1.csv": 5, "web2.csv.gz": 4,
    }  # fmt: skip
    assert receipt.identifiers == {
        "anonymous_id": 1, "crm_contact_id": 1, "device_id": 1, "email": 1, "phone": 1, "user_id": 1,
    }  # fmt: skip
    assert {name: receipt.places[name] for name in ("raw.row_outcomes", "raw.quarantine", "core.events")} == {
        "raw.row_outcomes": 15, "raw.quarantine": 2, "core.events": 8,
    }  # fmt: skip


@pytest.mark.parametrize("asked", ["ann-one", "user_id:ann-one", "Ann.Smith@example.com", "+49 170 5558213", "c-ann"])
def test_any_identifier_names_the_person_and_says_when_they_were_erased(place, asked):
    place.erase(asked)
    journal = (place.landing / "_journal" / "erasures.ndjson").read_bytes()

    with pytest.raises(DataError, match=r"was erased on 20\d\d-\d\d-\d\d \d\d:\d\d UTC already"):
        place.erase("ann.smith@example.com" if asked == "ann-one" else "ann-one")

    assert (place.landing / "_journal" / "erasures.ndjson").read_bytes() == journal


@pytest.mark.parametrize(
    ("asked", "error", "problem"),
    [
        ("ann-onee", DataError, r"the nearest is user_id:ann-one"),
        ("kiosk", DataError, r"'kiosk' is shared: several people have it, so it is no person"),
    ],
)
def test_whoever_cannot_be_told_is_not_erased(place, asked, error, problem):
    with pytest.raises(error, match=problem):
        place.erase(asked)

    assert not (place.landing / "_journal" / "erasures.ndjson").exists()


def test_without_the_key_or_under_another_one_nobody_is_erased(place):
    (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=other\n")
    with pytest.raises(
        DataError, match=r"the rules of app, crm, shop, web .* are not those by which the files were read"
    ):
        Place(place.root).erase()
    (place.root / ".env").write_text("")
    with pytest.raises(DataError, match="no key for personal values: set JOURNEYS_HMAC_KEY"):
        Place(place.root).erase()

    assert not (place.landing / "_journal" / "erasures.ndjson").exists()


@pytest.mark.parametrize("name", ["web1.csv", "shop/a.ndjson.zst"])
def test_a_file_that_would_have_to_be_read_again_and_is_gone_stops_it(place, name):
    (place.landing / name).unlink()

    with pytest.raises(DataError, match=f"1 loaded file .* is no longer below .*{name}"):
        place.erase()

    assert not (place.landing / "_journal" / "erasures.ndjson").exists()


def test_the_command_answers_in_counts_and_says_what_would_be_right(place):
    said = CliRunner().invoke(app, ["erase", "ann-one", "--dry-run", "--workspace", str(place.root)])
    told = CliRunner().invoke(app, ["erase", "ann-one", "--dry-run", "--json", "--workspace", str(place.root)])
    unknown = CliRunner().invoke(app, ["erase", "ann-onee", "--workspace", str(place.root)])

    assert said.exit_code == told.exit_code == 0
    assert "Landed files rewritten (6, 15 rows):" in said.stdout
    assert said.stdout.endswith("Nothing was written.\n")
    assert json.loads(told.stdout)["files"]["web1.csv"] == 5
    assert (unknown.exit_code, "the nearest is user_id:ann-one" in unknown.stderr) == (1, True)


# ---------------------------------------------------------------- reloads


def test_what_lands_again_is_suppressed_and_counted(place, without_her):
    place.erase()
    again = [line for line in DAY_ONE if line[:2] in ("w1", "w2", "w5", "w9")]
    (place.landing / "web3.csv").write_text(WEB + "".join(f"{line}\n" for line in again))

    place.night()

    assert place.rows("SELECT outcome, count(*) FROM raw.row_outcomes JOIN raw.files USING (file_id) "
                      "WHERE path = 'web3.csv' GROUP BY ALL ORDER BY ALL") == [("quarantined", 1), ("suppressed", 3)]  # fmt: skip
    assert place.rows("SELECT raw_text FROM raw.quarantine WHERE path = 'web3.csv'") == [(None,)]
    assert place.core() == without_her
    assert [name for name, _ in traces(place)] == ["landing/web3.csv"] * len({*(n for _, n in traces(place))})


def test_a_broken_line_that_lands_again_keeps_its_reason_and_not_its_text(place):
    place.erase()
    (place.landing / "shop" / "c.ndjson").write_text(
        json.dumps(SHOP_LATER[0]) + "\n" + BROKEN + BROKEN.replace("ann", "cid")
    )

    place.night()

    kept = place.rows("SELECT row, reason, raw_text FROM raw.quarantine WHERE path = 'shop/c.ndjson' ORDER BY row")
    assert kept == [(2, "parse_error", None), (3, "parse_error", BROKEN.replace("ann", "cid").strip())]


def test_a_row_that_names_somebody_else_too_is_suppressed(place):
    place.erase()
    (place.landing / "web3.csv").write_text(WEB + "y1,login,2026-03-01T00:00:00Z,ben-two,browser-ann,,\n")

    place.night()

    assert place.rows("SELECT count(*) FROM raw.web_events WHERE event_id = 'y1'") == [(0,)]


def test_the_shared_browser_is_not_suppressed(place):
    place.erase()
    (place.landing / "web3.csv").write_text(WEB + "y1,page_view,2026-03-01T00:00:00Z,,kiosk,,\n")

    place.night()

    assert place.rows("SELECT count(*) FROM core.events WHERE event_id = 'y1'") == [(1,)]


def test_a_second_person_is_erased_under_the_same_salt(place):
    place.erase()

    place.erase("ben-two")

    told = [json.loads(line) for line in (place.landing / "_journal" / "erasures.ndjson").read_text().splitlines()]
    assert len({line["salt"] for line in told if line["step"] == "tombstone"}) == 1
    assert place.rows("SELECT DISTINCT value FROM core.identity_map") == [("browser-cid",)]


# ---------------------------------------------------------------- kills


class Killed(BaseException):
    """The process ends here."""


def killed(*_args, **_kwargs):
    raise Killed


def nth(number, function):
    """A function that ends the process when it is called for the n-th time."""
    calls = iter(range(1, 1_000))

    def called(*args, **kwargs):
        if next(calls) == number:
            raise Killed
        return function(*args, **kwargs)

    return called


MOMENTS = {
    "after the journal was told": ("pipelines.erasure._copies", lambda: killed, "night"),
    "before a file is renamed": ("pipelines.erasure.put_in_place", lambda: nth(1, erasure.put_in_place), "night"),
    "between two files": ("pipelines.erasure.put_in_place", lambda: nth(4, erasure.put_in_place), "erase"),
    "after all files were rewritten": ("pipelines.night.discover", lambda: killed, "night"),
    "before the last part": ("pipelines.warehouse.Warehouse.compact", lambda: killed, "erase"),
    "before the receipt": ("pipelines.erasure.scrub", lambda: killed, "night"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_erasure_that_was_killed_is_finished_by_the_next_run_or_by_erasing_again(
    place, without_her, moment, monkeypatch
):
    shutil.copyfile(place.landing / "web1.csv", place.landing / "copy of web1")
    expected = place.rehearse()
    name, stand_in, then = MOMENTS[moment]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(name, stand_in())
        place.erase()

    if then == "night":
        place.night()
    else:
        assert place.erase().files == expected.files

    assert place.core() == without_her
    assert traces(place) == []
    with pytest.raises(DataError, match="was erased on"):
        place.erase()


def test_an_erasure_of_which_only_tombstones_were_written_has_not_begun(place, monkeypatch):
    before = place.core()
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.erasure.note", lambda landing, steps: note_some(landing, steps[:3]))
        with pytest.raises(StopIteration):
            place.erase(run=lambda: None)

    assert place.night().core() == before


def note_some(landing, steps):
    from pipelines.tombstones import note

    note(landing, steps)


# ---------------------------------------------------------------- the whole night


def test_a_whole_night_publishes_without_the_person_and_a_rebuild_agrees(tmp_path, monkeypatch):
    from pipelines.run import run_in_process
    from pipelines.verify import verify

    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    place = world(tmp_path / "whole", with_her=True)
    run_in_process(place, say=lambda _line: None)
    assert ("warehouse/journeys.duckdb", "ann-one") in traces(place)

    receipt = place.erase(run=lambda: run_in_process(place, say=lambda _line: None) and None)

    assert receipt.places["published"] > 0
    assert traces(place) == []
    assert [each.table for each in verify(place, say=lambda _line: None) if each.first_difference] == []
