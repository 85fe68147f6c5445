import gzip
import json
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.ingest import load_new_files
from pipelines.preview import preview
from pipelines.warehouse import Warehouse
from transforms.journey import Journey
from transforms.mapping import Source

PROVENANCE = ("file_id", "row")
SHOP = {
    "format": "csv",
    "files": "shop*.csv*",
    "fields": {"event_id": "id", "event": "action", "occurred_at": "at", "user_id": "user", "email": "mail"},
}
HEADER = "id,action,at,user,mail\n"


@cache
def empty_warehouse():
    """The bytes of a warehouse without rows, made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Warehouse(Path(folder) / "empty.duckdb")
        with empty.opened():
            pass
        return empty.path.read_bytes()


class Workspace:
    """A landing folder and a warehouse."""

    def __init__(self, folder, part_rows=500_000, **sources):
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.warehouse = Warehouse(folder / "build.duckdb")
        self.warehouse.path.write_bytes(empty_warehouse())
        self.with_sources(**sources)
        self.part_rows = part_rows

    def with_sources(self, **sources):
        self.sources = {name: Source.model_validate(said) for name, said in sources.items()}
        return self

    def put(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (self.landing / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return self

    def load(self):
        return load_new_files(
            self.warehouse, self.landing, self.sources, journey=Journey(), hmac_key=b"key", part_rows=self.part_rows
        )

    def rows(self, query):
        return self.warehouse.query(query).rows()

    def outcomes(self):
        return self.rows("SELECT path, row, outcome FROM raw.row_outcomes JOIN raw.files USING (file_id) ORDER BY ALL")

    def tables(self):
        """What the law of any order speaks of: events and records without provenance."""
        names = {
            "raw.web_events": "source, event_id",
            "raw.crm_events": "source, event_id",
            "raw.crm_records": "source, object, record_id",
        }
        with self.warehouse.opened():
            return {
                name: self.warehouse.query(f"FROM {name} ORDER BY {key}").drop(PROVENANCE).rows()
                for name, key in names.items()
            }


def line(event_id, action="buy", at="2026-01-31 09:00:00", user="ann", mail=""):
    return f"{event_id},{action},{at},{user},{mail}\n"


@pytest.fixture
def shop(tmp_path):
    return Workspace(tmp_path, shop=SHOP)


# ---------------------------------------------------------------- books


def test_every_row_has_one_outcome_and_the_books_balance(shop):
    shop.put(
        "shop1.csv",
        HEADER + line(1) + line(1) + line(1, "sell") + "\n" + "x,y\n" + line(2, at="") + line(3, user="null") + line(4),
    )

    summary = shop.load()

    assert [outcome for _, _, outcome in shop.outcomes()] == [
        "loaded", "duplicate", "conflict", "blank", "quarantined", "quarantined", "quarantined", "loaded",
    ]  # fmt: skip
    assert summary.outcomes == {"blank": 1, "conflict": 1, "duplicate": 1, "loaded": 2, "quarantined": 3}
    assert (summary.files_loaded, summary.rows_in, summary.problems) == (1, 8, [])
    assert shop.rows("SELECT rows_in FROM raw.files") == [(8,)]


def test_a_quarantined_row_keeps_its_reason_place_and_text(shop):
    shop.put("shop1.csv", HEADER + "x,y\n" + line(2, at="soon"))

    shop.load()

    assert shop.rows("SELECT path, row, reason, field, raw_text FROM raw.quarantine ORDER BY row") == [
        ("shop1.csv", 1, "wrong_columns", None, "x,y"),
        ("shop1.csv", 2, "bad_time", "occurred_at", "2,buy,soon,ann,"),
    ]


BLOCKED = (
    "SELECT path, namespace, value_class, rows FROM raw.blocked_values JOIN raw.files USING (file_id) ORDER BY ALL"
)


def test_identifiers_that_name_nobody_are_counted_by_file_and_forgotten_with_what_was_read(tmp_path):
    place = Workspace(tmp_path, shop=SHOP)
    place.put(
        "shop1.csv",
        HEADER + line("a", user="guest", mail="a@b.example") + line("b") + line("c", user="000", mail="x@y.example"),
    )
    place.put("shop2.csv", HEADER + line("d", user="Guest", mail="a@b.example") + line("e", user="null"))

    place.load()

    counted = [
        ("shop1.csv", "user_id", "all zeros", 1), ("shop1.csv", "user_id", "placeholder word", 1),
        ("shop2.csv", "user_id", "placeholder word", 2),
    ]  # fmt: skip
    assert place.rows(BLOCKED) == counted
    place.with_sources(shop={**SHOP, "fields": {**SHOP["fields"], "user_id": "mail"}}).load()
    assert place.rows(BLOCKED) == []


def test_a_file_that_was_loaded_is_not_loaded_again_under_any_name(shop):
    shop.put("shop1.csv", HEADER + line(1)).load()

    again = shop.put("shop2.csv", HEADER + line(1)).load()

    assert (again.files_loaded, again.rows_in) == (0, 0)
    assert shop.rows("SELECT path FROM raw.files") == [("shop1.csv",)]


def test_books_that_do_not_balance_stop_the_load_and_undo_it(shop, monkeypatch):
    monkeypatch.setattr("pipelines.ingest.Books._write_outcomes", lambda _self, _rows: None)
    shop.put("shop1.csv", HEADER + line(1))

    with pytest.raises(DataError, match=r"shop1.csv: 1 rows were read but 0 have an outcome"):
        shop.load()

    assert shop.rows("FROM raw.files") == []
    assert shop.rows("FROM raw.web_events") == []


def test_an_empty_file_is_a_file_of_no_rows(shop):
    shop.put("shop1.csv", "")

    assert shop.load().files_loaded == 1


# ---------------------------------------------------------------- several files


def test_a_better_row_that_lands_later_takes_over_and_corrects_the_earlier_file(shop):
    shop.put(
        "shop1.csv", HEADER + line(1, "late", "2026-01-31 10:00:00") + line(1, "late", "2026-01-31 10:00:00")
    ).load()

    shop.put("shop2.csv", HEADER + line(1, "early", "2026-01-31 09:00:00")).load()

    assert shop.rows("SELECT event FROM raw.web_events") == [("early",)]
    assert [outcome for _, _, outcome in shop.outcomes()] == ["conflict", "conflict", "loaded"]


def test_a_worse_row_that_lands_later_changes_nothing(shop):
    shop.put("shop1.csv", HEADER + line(1, "early", "2026-01-31 09:00:00")).load()

    shop.put("shop2.csv", HEADER + line(1, "late", "2026-01-31 10:00:00")).load()

    assert shop.rows("SELECT event FROM raw.web_events") == [("early",)]
    assert [outcome for _, _, outcome in shop.outcomes()] == ["loaded", "conflict"]


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_loaded(shop):
    whole = gzip.compress((HEADER + "".join(line(number) for number in range(2_000))).encode())
    shop.put("shop1.csv", HEADER + line(1)).put("shop3.csv", HEADER + line(3))
    (shop.landing / "shop2.csv.gz").write_bytes(whole[: len(whole) // 2])

    summary = shop.load()

    assert summary.files_loaded == 2
    assert [(path, source) for path, source, _ in summary.problems] == [("shop2.csv.gz", "shop")]
    assert shop.rows("SELECT path, problem LIKE 'not a complete gzip file%' FROM ops.failed_files") == [
        ("shop2.csv.gz", True)
    ]
    assert shop.rows("SELECT event_id FROM raw.web_events ORDER BY ALL") == [("1",), ("3",)]


def test_a_large_file_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    shop = Workspace(tmp_path, shop=SHOP, part_rows=100)
    monkeypatch.setattr("pipelines.readers.text.blocks.__kwdefaults__", {"size": 1_000})
    whole = gzip.compress((HEADER + "".join(line(number) for number in range(2_000))).encode())
    (shop.landing / "shop1.csv.gz").write_bytes(whole[:-20])

    summary = shop.load()

    assert len(summary.problems) == 1
    assert shop.rows("SELECT (SELECT count(*) FROM raw.row_outcomes) + (SELECT count(*) FROM raw.web_events)") == [(0,)]


def test_a_large_file_is_loaded_in_parts_with_one_set_of_books(tmp_path, monkeypatch):
    shop = Workspace(tmp_path, shop=SHOP, part_rows=100)
    monkeypatch.setattr("pipelines.readers.text.blocks.__kwdefaults__", {"size": 1_000})
    shop.put("shop1.csv", HEADER + "".join(line(number % 700) for number in range(1_000)))

    summary = shop.load()

    assert summary.outcomes == {"duplicate": 300, "loaded": 700}
    assert shop.rows("SELECT count(*), max(row) FROM raw.row_outcomes") == [(1_000, 1_000)]


def test_a_source_without_its_lookup_file_is_told_and_the_others_are_loaded(tmp_path):
    web = {"format": "csv", "files": "web.csv", "lookups": {"users": {"file": "users.csv", "key": "c"}},
           "fields": {"event": {"value": "seen"}, "occurred_at": "at", "user_id": {"lookup": "users", "key": "c", "get": "u"}}}  # fmt: skip
    both = (
        Workspace(tmp_path, web=web, shop=SHOP).put("web.csv", "c,at\n1,2026-01-31\n").put("shop.csv", HEADER + line(1))
    )

    summary = both.load()

    assert summary.files_loaded == 1
    assert "the lookup file users.csv of lookups.users is not below the landing folder" in summary.problems[0][2]


# ---------------------------------------------------------------- changed rules


def changed(place, **said):
    place.sources["shop"] = Source.model_validate({**SHOP, **said})
    return place


def test_when_the_mapping_changes_the_files_are_read_again(shop):
    shop.put("shop1.csv", HEADER + line(1) + line(2, at="31.01.2026 10:00")).load()
    fields = {**SHOP["fields"], "occurred_at": {"first": ["at"], "format": "%d.%m.%Y %H:%M"}}

    again = changed(shop, fields=fields).load()

    assert again.outcomes == {"loaded": 1, "quarantined": 1}
    assert shop.rows("SELECT event_id FROM raw.web_events") == [("2",)]
    assert shop.rows("SELECT row FROM raw.quarantine") == [(1,)]


def test_what_was_read_by_changed_rules_equals_a_first_reading(shop, tmp_path):
    shop.put("shop1.csv", HEADER + line(1) + line(1, "sell")).load()
    changed(shop, time_zone="Asia/Tokyo").load()

    fresh = changed(Workspace(tmp_path / "fresh", shop=SHOP), time_zone="Asia/Tokyo").put(
        "shop1.csv", HEADER + line(1) + line(1, "sell")
    )
    fresh.load()

    assert shop.tables() == fresh.tables()
    assert shop.outcomes() == fresh.outcomes()


def test_lateness_alone_does_not_have_files_read_again(shop):
    shop.put("shop1.csv", HEADER + line(1)).load()

    assert changed(shop, lateness="1h").load().files_loaded == 0


def test_a_source_that_is_gone_leaves_nothing(shop):
    shop.put("shop1.csv", HEADER + line(1)).load()
    shop.sources["till"] = Source.model_validate(SHOP)
    del shop.sources["shop"]

    shop.load()

    assert shop.rows("SELECT source, event_id FROM raw.web_events") == [("till", "1")]


def test_changed_rules_are_refused_when_a_file_is_no_longer_there(shop):
    shop.put("shop1.csv", HEADER + line(1)).put("shop2.csv", HEADER + line(2)).load()
    (shop.landing / "shop1.csv").unlink()

    with pytest.raises(DataError, match=r"the rules of the source 'shop' have changed.*shop1.csv"):
        changed(shop, time_zone="Asia/Tokyo").load()

    assert shop.rows("SELECT event_id FROM raw.web_events ORDER BY ALL") == [("1",), ("2",)]


# ---------------------------------------------------------------- records, groups, several events


def deals(folder):
    record = {"object": "deal", "id": "id", "modified_at": "changed"}
    events = [
        {"event": "deal_created", "fields": {"occurred_at": "created"}},
        {
            "event": "deal_won",
            "when": {"stage": "won"},
            "fields": {"occurred_at": "closed", "state": {"value": "won"}, "value": "amount"},
        },
    ]
    said = {
        "format": "csv",
        "kind": "crm",
        "files": "deals*.csv",
        "record": record,
        "fields": {"crm_contact_id": "contact"},
        "events": events,
    }
    return Workspace(folder, deals=said)


DEALS = "id,contact,stage,created,closed,amount,changed\n"


def test_the_newest_version_of_a_record_wins_and_the_others_are_superseded(tmp_path):
    place = deals(tmp_path)
    place.put("deals1.csv", DEALS + "7,c1,won,2026-01-01,2026-01-09,5,2026-01-09\n").load()

    place.put("deals0.csv", DEALS + "7,c1,open,2026-01-01,,,2026-01-02\n8,c2,open,,,,2026-01-02\n").load()

    assert place.outcomes() == [
        ("deals0.csv", 1, "superseded"),
        ("deals0.csv", 2, "quarantined"),
        ("deals1.csv", 1, "loaded"),
    ]
    assert place.rows("SELECT event_id, value_minor, time_precision FROM raw.crm_events ORDER BY ALL") == [
        ("deal:7:deal_created:2026-01-01T00:00:00.000000Z", None, "day"),
        ("deal:7:won:2026-01-09T00:00:00.000000Z", 500, "day"),
    ]
    assert place.rows("SELECT record_id, crm_contact_id, evident_at::DATE::VARCHAR FROM raw.crm_records") == [
        ("7", "c1", "2026-01-01")
    ]


def test_an_undated_record_is_kept_where_the_mapping_says_so(tmp_path):
    place = deals(tmp_path)
    said = place.sources["deals"].model_dump(by_alias=True, exclude_unset=True)
    place.sources = {"deals": Source.model_validate({**said, "record": {**said["record"], "undated": "keep"}})}

    place.put("deals0.csv", DEALS + "8,c2,open,,,,2026-01-02\n").load()

    assert place.outcomes() == [("deals0.csv", 1, "loaded")]
    assert place.rows("SELECT record_id FROM raw.crm_records") == [("8",)]


def test_a_row_of_a_history_is_a_dated_state_known_as_the_record_s_own(tmp_path):
    said = {"format": "csv", "kind": "crm", "files": "history*.csv", "history": {"object": "deal", "id": "deal"},
            "fields": {"event": {"value": "deal_stage_entered"}, "occurred_at": "at", "state": "stage"}}  # fmt: skip
    place = Workspace(tmp_path, deals=said)

    place.put("history.csv", "deal,stage,at\n7,demo,2026-01-05 09:00\n7,demo,2026-01-05T09:00:00Z\n7,won,\n").load()

    assert [outcome for _, _, outcome in place.outcomes()] == ["loaded", "duplicate", "quarantined"]
    assert place.rows("SELECT event_id FROM raw.crm_events") == [("deal:7:demo:2026-01-05T09:00:00.000000Z",)]


def test_a_record_without_events_is_evidence_only(tmp_path):
    said = {"format": "csv", "kind": "crm", "files": "users.csv", "record": {"object": "user", "id": "cookie"},
            "fields": {"anonymous_id": "cookie", "user_id": "user"}, "events": []}  # fmt: skip
    place = Workspace(tmp_path, users=said).put("users.csv", "cookie,user\nc1,ann\nc2,\n")

    assert place.load().outcomes == {"loaded": 2}
    assert place.rows("SELECT count(*) FROM raw.crm_events") == [(0,)]
    assert place.rows("SELECT anonymous_id, user_id FROM raw.crm_records ORDER BY ALL") == [("c1", "ann"), ("c2", None)]


BASKETS = {
    "format": "csv",
    "kind": "crm",
    "files": "lines*.csv",
    "fields": {"event": {"value": "order_placed"}, "occurred_at": "at", "user_id": "user", "value": "price"},
    "group": {"by": ["basket"], "sum": ["value"], "min": ["occurred_at"]},
}


def test_line_items_of_one_group_add_up_over_files(tmp_path):
    place = Workspace(tmp_path, orders=BASKETS)
    header = "basket,user,at,price,product\n"
    place.put("lines1.csv", header + "b1,ann,2026-01-31 09:02:00,1.10,p1\nb1,ann,2026-01-31 09:02:00,1.10,p2\n").load()

    place.put("lines2.csv", header + "b1,ann,2026-01-31 09:01:00,0.05,p3\nb2,bob,2026-01-31 10:00:00,2,p1\n").load()

    assert place.rows("SELECT event_id, value_minor, strftime(occurred_at, '%H:%M') FROM raw.crm_events ORDER BY ALL") == [
        ("b1", 225, "09:01"), ("b2", 200, "10:00"),
    ]  # fmt: skip
    assert [outcome for _, _, outcome in place.outcomes()] == ["loaded"] * 4


def test_a_line_item_without_a_group_is_an_event_of_its_own(tmp_path):
    place = Workspace(tmp_path, orders=BASKETS)
    lines = "basket,user,at,price,product\nb1,ann,2026-01-31,1,p1\n,bob,2026-01-31,2,p1\n,cai,2026-01-31,3,p1\n"

    place.put("lines1.csv", lines).load()

    assert place.rows("SELECT user_id, value_minor FROM raw.crm_events ORDER BY ALL") == [
        ("ann", 100),
        ("bob", 200),
        ("cai", 300),
    ]


@pytest.mark.parametrize(("choice", "expected"), [("collapse", {"duplicate": 2, "loaded": 1}), ("keep", {"loaded": 3})])
def test_equal_rows_without_ids_are_one_event_or_are_kept(tmp_path, choice, expected):
    said = {"format": "csv", "files": "o*.csv", "identical_rows": choice,
            "fields": {"event": {"value": "order_placed"}, "occurred_at": "at", "user_id": "user"}}  # fmt: skip
    place = (
        Workspace(tmp_path, orders=said)
        .put("o1.csv", "at,user\n2026-01-31,ann\n2026-01-31,ann\n")
        .put("o2.csv", "at,user\n2026-01-31,ann\n\n")
    )

    outcomes = dict(place.load().outcomes)

    assert outcomes == {**expected, "blank": 1}


# ---------------------------------------------------------------- laws

calls = st.builds(
    lambda **said: json.dumps({key: value for key, value in said.items() if value is not None}),
    messageId=st.sampled_from(["m1", "m2", None]),
    type=st.sampled_from(["page", "identify"]),
    anonymousId=st.sampled_from(["v1", "null"]),
    timestamp=st.sampled_from(["2026-01-31T09:00:00Z", "2026-01-31T09:00:01Z", "soon"]),
    originalTimestamp=st.sampled_from(["2026-01-31T08:00:00Z", None]),
    sentAt=st.sampled_from(["2026-01-31T08:00:05Z", "2026-01-31T08:00:04Z", None]),
    receivedAt=st.sampled_from(["2026-01-31T09:00:05Z", "2026-01-31T09:00:06Z", None]),
    properties=st.sampled_from([{"a": 1}, {"a": 2}, None]),
)
versions = st.builds(
    "{},{},{},2026-01-0{},{},{},{}".format,
    st.sampled_from("78"), st.sampled_from(["c1", "c2"]), st.sampled_from(["won", "open"]), st.sampled_from("12"),
    st.sampled_from(["2026-01-09", ""]), st.sampled_from("56"), st.sampled_from(["2026-01-02", "2026-01-03", ""]),
)  # fmt: skip
lines = st.builds(
    "b{},ann,2026-01-31 09:0{}:00,{}.50,p{}".format,
    st.sampled_from("12"), st.sampled_from("01"), st.sampled_from("34"), st.sampled_from("xy"),
)  # fmt: skip
WEB = {"format": "segment", "files": "web*.ndjson"}
PARTS = {
    "web": (calls, "web{}.ndjson", ""),
    "deals": (versions, "deals{}.csv", DEALS),
    "orders": (lines, "lines{}.csv", "basket,user,at,price,product\n"),
}


@st.composite
def deliveries(draw, kind):
    """Rows, and two ways of splitting them into files that are landed one after the other, some of them twice."""
    rows = draw(st.lists(PARTS[kind][0], min_size=1, max_size=7))
    orders = [draw(st.permutations(rows + draw(st.lists(st.sampled_from(rows), max_size=2)))) for _ in range(2)]
    return [(order, draw(st.integers(1, 3))) for order in orders]


def everything(kind, order, size, folder):
    pattern, header = PARTS[kind][1:]
    said = {"web": WEB, "orders": BASKETS}.get(kind)
    place = deals(folder) if said is None else Workspace(folder, **{kind: said})
    with place.warehouse.opened():
        for number, start in enumerate(range(0, len(order), size)):
            place.put(pattern.format(number), header + "\n".join(order[start : start + size]) + "\n").load()
    return place


@pytest.mark.parametrize("kind", PARTS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_split_order_and_repetition_gives_the_same_tables(kind, data):
    (first, one), (second, other) = data.draw(deliveries(kind))

    with tempfile.TemporaryDirectory() as folder:
        left = everything(kind, first, one, Path(folder) / "left")
        right = everything(kind, second, other, Path(folder) / "right")

        assert left.tables() == right.tables()
        for place in (left, right):
            assert place.rows("SELECT file_id FROM raw.row_outcomes GROUP BY file_id, row HAVING count(*) > 1") == []
            doubled = (
                "SELECT row_key FROM raw.row_outcomes WHERE outcome = 'loaded' GROUP BY row_key HAVING count(*) > 1"
            )
            assert place.rows(doubled) == []


# ---------------------------------------------------------------- preview


def test_a_preview_shows_what_a_load_would_do_and_writes_nothing(shop):
    shop.sources["shop"] = Source.model_validate({**SHOP, "fields": {**SHOP["fields"], "country": "land"}})
    shop.put("shop1.csv", HEADER + line(1) + line(2, at=""))
    before = shop.warehouse.path.read_bytes()

    (seen,) = preview(shop.landing, shop.sources, journey=Journey())

    assert seen.summary() == {
        "source": "shop", "files": 1, "waiting": 0, "rows_sampled": 2, "missing": ["shop1.csv has no column 'land'"],
        "quarantine": {"wrong_columns": 2},
    }  # fmt: skip
    assert seen.events.is_empty()
    assert shop.warehouse.path.read_bytes() == before


def test_a_preview_shows_the_events_that_would_come_of_the_first_rows(shop):
    shop.put("shop1.csv", HEADER + line(1) + line(2, at=""))

    (seen,) = preview(shop.landing, shop.sources, journey=Journey())

    assert seen.events.select("source", "event_id", "event").rows() == [("shop", "1", "buy")]


def test_a_preview_tells_the_files_that_cannot_be_read(shop):
    shop.put("shop1.csv", b"PAR1....")

    (seen,) = preview(shop.landing, shop.sources, journey=Journey())

    assert seen.problems == ["shop1.csv: it is Parquet; set `format: parquet` for it"]
    assert seen.events.is_empty()
