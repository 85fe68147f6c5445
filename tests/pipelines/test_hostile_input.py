"""Hostile and broken input: every row of it has the outcome that is said, the books balance, and a good file beside it loads."""

import gzip
import io
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.ingest import load_new_files
from pipelines.landing import discover, settled_files
from pipelines.readers import text as text_reader
from pipelines.sensors import landing_state
from pipelines.settings import Workspace as Home
from pipelines.settling import Settling
from tests.pipelines.test_ingest import Workspace
from transforms.journey import Journey

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {"event_id": "id", "event": "event", "occurred_at": "at", "user_id": "user"}
NUMBERS = {"seq": "seq", "value": "value"}
FORMATS = {
    "ndjson": {"format": "ndjson", "files": "*.ndjson*", "fields": {**FIELDS, **NUMBERS}, "properties": "*"},
    "csv": {"format": "csv", "files": "*.csv*", "fields": FIELDS, "properties": "*"},
    "tsv": {"format": "tsv", "files": "*.tsv*", "fields": FIELDS, "properties": "*"},
    "parquet": {"format": "parquet", "files": "*.parquet*", "fields": {**FIELDS, **NUMBERS}, "properties": "*"},
}
HEADER = "id,event,at,user\n"


def call(event_id, **said):
    return json.dumps({"id": event_id, "event": "buy", "at": "2026-01-31T09:00:00Z", "user": "ann", **said}) + "\n"


def record(event_id, event="buy"):
    return f"{event_id},{event},2026-01-31 09:00:00,ann\n"


def parquet(rows=1, **columns):
    """A Parquet file of good rows, with these columns added or replaced."""
    good = {
        "id": [f"r{number}" for number in range(1, rows + 1)],
        "event": ["buy"] * rows,
        "at": [datetime(2026, 1, 31, 9)] * rows,
        "user": ["ann"] * rows,
        "seq": pa.nulls(rows, pa.int64()),
        "value": pa.nulls(rows, pa.float64()),
    }
    return parquet_of(pa.table({**good, **columns}))


def parquet_of(table, **said):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **said)
    return buffer.getvalue()


GOOD = {
    "ndjson": call("good"),
    "csv": HEADER + record("good"),
    "tsv": (HEADER + record("good")).replace(",", "\t"),
    "parquet": parquet(id=["good"]),
}


def landed(folder, format, **files):
    """A landing folder with these files (double underscore for the dot) beside a good one, loaded; and what the load said."""
    place = Workspace(folder, source=FORMATS[format])
    for name, content in files.items():
        place.put(name.replace("__", "."), content)
    return loaded(place, format)


def loaded(place, format):
    place.put(f"good.{format}", GOOD[format])
    summary = place.load()
    assert place.rows("SELECT count(*) FROM raw.web_events WHERE event_id = 'good'") == [(1,)]
    assert_balanced(place, summary)
    return place, summary


def assert_balanced(place, summary):
    """Every row that was read has one outcome, and every event is that of a loaded row."""
    books = place.rows(
        "SELECT file_id, any_value(rows_in), count(outcome), count(DISTINCT row) "
        "FROM raw.files LEFT JOIN raw.row_outcomes USING (file_id) GROUP BY ALL"
    )
    assert [book for book in books if not book[1] == book[2] == book[3]] == []
    assert sum(book[1] for book in books) == summary.rows_in == sum(summary.outcomes.values())
    events = place.rows("SELECT count(*) FROM raw.web_events")[0][0]
    assert events == summary.outcomes.get("loaded", 0)


def outcomes(place, name="bad"):
    """The outcome of each row of a file, the reason for a quarantined one."""
    found = place.rows(
        "SELECT coalesce(reason, outcome) FROM raw.row_outcomes JOIN raw.files USING (file_id) "
        f"LEFT JOIN (SELECT file_id, row, reason FROM raw.quarantine) USING (file_id, row) WHERE path LIKE '{name}%' ORDER BY row"
    )
    return [outcome for (outcome,) in found]


def problem(summary):
    """The one problem that a load tells."""
    ((path, _, said),) = summary.problems
    return f"{path}: {said}"


# ---------------------------------------------------------------- bytes and lines


def test_a_line_that_is_not_utf_8_is_one_bad_row(tmp_path):
    lines = [
        call(1).encode(),
        call(2, x="~").encode().replace(b"~", b"M\xfcller"),
        call(3).encode().replace(b"ann", b"\xed\xa0\x80"),
    ]

    place, _ = landed(tmp_path, "ndjson", bad__ndjson=b"".join(lines))

    assert outcomes(place) == ["loaded", "encoding", "encoding"]
    assert "M�ller" in place.rows("SELECT raw_text FROM raw.quarantine WHERE row = 2")[0][0]


def test_a_record_of_several_lines_that_is_not_utf_8_is_one_bad_row(tmp_path):
    place, _ = landed(
        tmp_path, "csv", bad__csv=HEADER.encode() + b'1,"M\xfcll\ner",2026-01-31,ann\n' + record(2).encode()
    )

    assert outcomes(place) == ["encoding", "loaded"]


@pytest.mark.parametrize(("format", "line"), [("ndjson", call(1)), ("csv", HEADER + record(1))])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_text_in_another_encoding_is_refused_with_advice(tmp_path, format, line, encoding):
    _, summary = landed(tmp_path, format, **{f"bad__{format}": (line * 9).encode(encoding)})

    assert "UTF-8" in problem(summary)


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_line(tmp_path):
    place = Workspace(tmp_path, source=FORMATS["ndjson"], shop=FORMATS["csv"])
    place.put("bad.csv", b"\xef\xbb\xbf" + b'"id","event","at","user"\n' + record(1).encode())
    place.put("worse.csv", b"\xef\xbb\xbf").put("bad.ndjson", b"\xef\xbb\xbf" + call(1).encode())

    loaded(place, "ndjson")

    assert outcomes(place, "bad.csv") + outcomes(place, "bad.ndjson") == ["loaded", "loaded"]


def test_line_breaks_of_windows_and_blank_lines_are_accounted_for(tmp_path):
    blanks = "\n \n\t\r\n\u00a0\n\x0b\n"

    place, _ = landed(tmp_path, "ndjson", bad__ndjson=call(1).replace("\n", "\r\n") + blanks + call(2).strip())

    assert outcomes(place) == ["loaded", *["blank"] * 5, "loaded"]


@pytest.mark.parametrize(("format", "text"), [("ndjson", call(1) + call(2)), ("csv", HEADER + record(1))])
def test_lone_carriage_returns_are_refused_with_advice(tmp_path, format, text):
    _, summary = landed(tmp_path, format, **{f"bad__{format}": text.replace("\n", "\r")})

    assert "lone carriage return; save it with LF" in problem(summary)


def test_zeros_that_a_crash_left_spoil_their_own_lines_only(tmp_path):
    hole = "\0" * 200
    rows = HEADER + record(1) + hole + record(2) + record(3) + '4,"b\0",2026-01-31,ann\n' + record(5) + hole

    place, _ = landed(tmp_path, "csv", bad__csv=rows)
    other, _ = landed(tmp_path / "other", "ndjson", bad__ndjson=call(1) + hole + call(2) + call(3) + hole)

    assert outcomes(place) == ["loaded", "parse_error", "loaded", "parse_error", "loaded", "parse_error"]
    assert outcomes(other) == ["loaded", "parse_error", "loaded", "parse_error"]


@pytest.mark.parametrize("format", ["ndjson", "csv", "tsv"])
def test_an_empty_file_is_a_file_of_no_rows(tmp_path, format):
    place, summary = landed(tmp_path, format, **{f"bad__{format}": ""})

    assert (summary.files_loaded, summary.problems, outcomes(place)) == (2, [], [])


def large(format, length):
    """A file whose second of three rows holds a value of so many bytes."""
    if format == "ndjson":
        return call(1) + call(2, x="y" * length) + call(3)
    quote = '"' if format == "quoted" else ""
    return HEADER + record(1) + f"2,{quote}{'y' * length}{quote},2026-01-31,ann\n" + record(3)


PEAK = """
import resource, sys
from pathlib import Path
from tests.pipelines.test_hostile_input import FORMATS, outcomes
from tests.pipelines.test_ingest import Workspace
place = Workspace(Path(sys.argv[1]), source=FORMATS[sys.argv[2]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
summary = place.load()
assert summary.problems == [], summary.problems
print(outcomes(place), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak(folder, format):
    """The outcomes of a load in a process of its own, and the memory it took beyond that of its imports, in MiB."""
    command = [sys.executable, "-c", PEAK, str(folder), format]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, grown = done.stdout.strip().rsplit(" ", 1)
    return found, int(grown)


@pytest.mark.parametrize("name", ["bad.ndjson.gz", "quoted.csv"])
def test_a_line_of_100_megabytes_is_one_bad_row_and_is_never_held_whole(tmp_path, name):
    stem, format = name.split(".")[:2]
    place = Workspace(tmp_path, source=FORMATS[format])
    place.put(name.replace("quoted", "bad"), large(stem if stem == "quoted" else format, 100 << 20))

    found, grown = peak(tmp_path, format)

    assert found == "['loaded', 'too_large', 'loaded']"
    assert grown < 800


# ---------------------------------------------------------------- JSON


def test_objects_of_any_depth_and_width_are_rows_like_others(tmp_path):
    deep = 100_000
    rows = [
        call(1, x=0).replace("0}", "[" * deep + "]" * deep + "}"),
        call(2, x=0).replace("0}", '{"a":' * deep + "1" + "}" * deep + "}"),
        '{"a":' * deep + "\n",
        "[" * deep + "]" * deep + "\n",
        call(3, **{f"k{number}": number for number in range(10_000)}),
        call(4, user={"id": 1}),
    ]

    place, _ = landed(tmp_path, "ndjson", bad__ndjson="".join(rows))

    assert outcomes(place) == ["loaded", "loaded", "parse_error", "parse_error", "loaded", "type_conflict"]
    assert place.rows("SELECT count(*) FROM raw.web_events WHERE json_valid(properties)") == [(3,)]


def test_half_a_surrogate_is_no_json(tmp_path):
    rows = [
        call(1).replace("ann", r"\ud800"),
        call(2, x="~").replace("~", r"\udfff y"),
        call(3, x="\U0001f600"),
        call(4, x="\0"),
        call(5, **{"~": 1}).replace("~", r"\ud800"),
    ]

    place, _ = landed(tmp_path, "ndjson", bad__ndjson="".join(rows))

    assert outcomes(place) == ["parse_error", "parse_error", "loaded", "loaded", "parse_error"]


@pytest.mark.parametrize(
    ("number", "seq", "value"),
    [
        ("9223372036854775807", "loaded", "type_conflict"),
        ("9223372036854775808", "type_conflict", "type_conflict"),
        ("-9223372036854775809", "type_conflict", "type_conflict"),
        ("1e400", "type_conflict", "type_conflict"),
        ("-0", "loaded", "loaded"),
        ("NaN", "type_conflict", "type_conflict"),
        ("-Infinity", "type_conflict", "type_conflict"),
        ("1.5", "type_conflict", "loaded"),
        ('"９"', "type_conflict", "type_conflict"),
        ("0x10", "parse_error", "parse_error"),
        ("01", "parse_error", "parse_error"),
    ],
)
def test_numbers_that_no_column_holds_are_told(tmp_path, number, seq, value):
    rows = [call(name, **{name: "~"}).replace('"~"', number) for name in ("seq", "value")]

    place, _ = landed(tmp_path, "ndjson", bad__ndjson="".join(rows))

    assert outcomes(place) == [seq, value]


# ---------------------------------------------------------------- times

TIMES = {
    "0000-01-01T00:00:00Z": "bad_time", "0001-01-01": "bad_time", "1899-12-31": "bad_time", "1900-01-01": "loaded",
    "2199-12-31T23:59:59Z": "future_time", "9999-12-31T23:59:59.999999Z": "bad_time", "10000-01-01": "bad_time",
    "-0001-01-01": "bad_time", "2026-02-29": "bad_time", "2024-02-29": "loaded", "2026-01-31T23:59:60Z": "loaded",
    "2026-01-31T24:00:00Z": "bad_time", "2026-01-31T09:00:00+24:00": "bad_time", "2026-01-31T09:00:00-24:00": "bad_time",
    "2026-01-31T09:00:00+14:00": "loaded", "2026-01-31T09:00:00+99:99": "bad_time", "2026-13-01": "bad_time",
    "2026-01-31T09:60:00Z": "bad_time", "99999999999999999999": "bad_time", "": "missing_time", "NaN": "bad_time",
    "２０２６-01-31": "bad_time", "2026-01-31T09:00:00Z\0": "bad_time",
}  # fmt: skip
EPOCHS = {
    "9223372036854775807": "bad_time", "9223372036854775808": "bad_time", "-1": "loaded", "-0": "loaded", "1e400": "bad_time",
    "NaN": "bad_time", "Infinity": "bad_time", "1769850000.5": "loaded", "99999999999999999999999": "bad_time",
    "1769850000000000": "bad_time",
}  # fmt: skip


@pytest.mark.parametrize(("format", "times"), [("iso", TIMES), ("epoch_s", EPOCHS)])
def test_times_that_no_calendar_has_are_told(tmp_path, format, times):
    said = {**FORMATS["ndjson"], "fields": {**FIELDS, "occurred_at": {"from": "at", "format": format}}}
    place = Workspace(tmp_path, source=said)
    place.put("bad.ndjson", "".join(call(number, at=time) for number, time in enumerate(times)))

    summary = place.load()

    assert_balanced(place, summary)
    assert dict(zip(times, outcomes(place), strict=True)) == times


# ---------------------------------------------------------------- delimited text

OPEN = '7,"buy,2026-01-31 09:00:00,ann\n'
MANY = [record(number) for number in range(10, 400)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([OPEN, *MANY], ["parse_error", *["loaded"] * 390]),
        ([*MANY, OPEN], [*["loaded"] * 390, "parse_error"]),
        ([*MANY[:200], OPEN, *MANY[200:]], [*["loaded"] * 200, "parse_error", *["loaded"] * 190]),
        ([OPEN, *MANY, '8,"buy","2026-01-31",ann\n'], ["parse_error", *["loaded"] * 391]),
        ([OPEN, *MANY, '8,buy,2026-01-31",ann\n'], ["parse_error", *["loaded"] * 390, "bad_time"]),
        (['1,"b,u\ny",2026-01-31,ann\n', '2,"buy"x,2026-01-31,ann\n', record(3)], ["loaded", "parse_error", "loaded"]),
        (['1,b"u"y,2026-01-31,ann\n', '2, "bu,y",2026-01-31,ann\n'], ["loaded", "wrong_columns"]),
    ],
    ids=["first", "last", "middle", "then-quoted", "then-closed-by-chance", "text-after-quote", "quote-inside"],
)  # fmt: skip
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_quotes_that_do_not_match_spoil_their_own_line_only(tmp_path, monkeypatch, format, rows, expected):
    monkeypatch.setitem(text_reader.blocks.__kwdefaults__, "size", 4_000)
    delimiter = "\t" if format == "tsv" else ","

    place, _ = landed(tmp_path, format, **{f"bad__{format}": "".join([HEADER, *rows]).replace(",", delimiter)})

    assert outcomes(place) == expected


WIDE = HEADER.strip() + "".join(f",c{number}" for number in range(300)) + "\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEADER, []),
        (HEADER.strip(), []),
        ("\n\n" + HEADER + record(1), ["blank", "blank", "loaded"]),
        (HEADER + record(1) + HEADER + record(2), ["loaded", "bad_time", "loaded"]),
        (HEADER + "1,b,2026-01-31\n1,b,2026-01-31,ann,x\n,,,\n" + record(2), ["wrong_columns", "wrong_columns", "missing_time", "loaded"]),
        (HEADER + "," * 900_000 + "\n" + record(2), ["wrong_columns", "loaded"]),
        (HEADER.strip() + ",,,\n1,b,2026-01-31,ann,x,y,\n", ["loaded"]),
        (WIDE + record(1).strip() + ",1" * 300 + "\n" + record(2), ["loaded", "wrong_columns"]),
    ],
    ids=["header-only", "header-without-end", "blank-first", "header-twice", "widths", "900k-fields", "columns-without-name", "304-columns"],
)  # fmt: skip
def test_every_record_of_a_table_is_accounted_for(tmp_path, text, expected):
    place, summary = landed(tmp_path, "csv", bad__csv=text)

    assert (outcomes(place), summary.problems) == (expected, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,event,at,user,x,x\n1,b,2026-01-31,ann,2,3\n", r"line 1: the column 'x' is there twice (columns 5, 6)"),
        ('id,"event,at,user\n' + record(1), "line 1: the header cannot be read (parse_error); its quotes do not match"),
        (b"id,event,at,user,gr\xf6\xdfe\n", "line 1: the header cannot be read (encoding); save the file as UTF-8"),
        ("\n" + "x" * (2 << 20) + "\n", "line 2: the header cannot be read (too_large); is it a file of lines"),
        ("a;b\n1;2\n", "line 1: none of the mapped columns (at, event, id, user) is in the header: a;b; is the delimiter ','"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_told_apart_is_refused_with_its_line(tmp_path, text, message):
    _, summary = landed(tmp_path, "csv", bad__csv=text)

    assert f"bad.csv: {message}" in problem(summary)


# ---------------------------------------------------------------- compression


def zstd(text):
    return pa.Codec("zstd").compress(text.encode(), asbytes=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.ndjson.gz", gzip.compress(call(1).encode()) + gzip.compress(b"") + gzip.compress(call(2).encode())),
        ("bad.ndjson.zst", zstd(call(1)) + zstd(call(2))),
    ],
)
def test_a_compressed_file_may_have_several_members(tmp_path, name, content):
    place = Workspace(tmp_path, source=FORMATS["ndjson"])
    (place.landing / name).write_bytes(content)

    loaded(place, "ndjson")

    assert outcomes(place) == ["loaded", "loaded"]


WHOLE = gzip.compress("".join(call(number) for number in range(2_000)).encode())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.ndjson.gz", WHOLE[: len(WHOLE) // 2], "not a complete gzip file"),
        ("bad.ndjson.gz", WHOLE[:-4], "not a complete gzip file"),
        ("bad.ndjson.gz", WHOLE[:200] + b"\0\0\0\0" + WHOLE[204:], "not a complete gzip file"),
        ("bad.ndjson.gz", b"", "empty, but its name ends in .gz; a compressed file is never empty"),
        ("bad.ndjson.gz", call(1).encode(), "not a complete gzip file, as its ending says"),
        ("bad.ndjson.zst", WHOLE, "not a complete zstd file, as its ending says"),
        ("bad.ndjson", WHOLE, "gzip-compressed; name it with .gz at the end"),
        ("bad.ndjson", zstd(call(1)), "zstd-compressed; name it with .zst at the end"),
        ("bad.ndjson", parquet(), "Parquet; set `format: parquet` for it"),
    ],
    ids=["half", "no-end", "changed", "empty", "plain-gz", "gz-zst", "gz-plain", "zst-plain", "parquet"],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_with_advice(tmp_path, name, content, message):
    place = Workspace(tmp_path, source=FORMATS["ndjson"])
    (place.landing / name).write_bytes(content)

    _, summary = loaded(place, "ndjson")

    assert f"{name}: " in problem(summary)
    assert message in problem(summary)


def test_a_zip_bomb_is_refused_long_before_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reader, "UNPACKED_FREE", 1 << 20)
    monkeypatch.setattr(text_reader, "BLOCK_BYTES", 1 << 20)
    monkeypatch.setitem(text_reader.blocks.__kwdefaults__, "size", 1 << 20)
    place = Workspace(tmp_path, source=FORMATS["ndjson"])
    bomb = zstd(call(1) * 100_000)
    (place.landing / "bad.ndjson.zst").write_bytes(bomb * 5)
    (place.landing / "honest.ndjson.zst").write_bytes(
        zstd("".join(call(number, x=random.Random(number).random()) for number in range(20_000)))
    )

    _, summary = loaded(place, "ndjson")

    assert "it unpacks to more than 1 GiB and 250 times its size, as a zip bomb does; if it is genuine" in problem(
        summary
    )
    assert len(outcomes(place, "honest")) == 20_000


# ---------------------------------------------------------------- Parquet

PLAIN = parquet(2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLAIN[: len(PLAIN) // 2], "not a complete Parquet file"),
        (PLAIN[:-1], "not a complete Parquet file"),
        (PLAIN[:-4] + b"PARX", "not a complete Parquet file"),
        (PLAIN[:-8] + struct.pack("<I", 2**31) + b"PAR1", "not a complete Parquet file"),
        (b"", "not a complete Parquet file (Parquet file size is 0 bytes)"),
        (b"PAR1", "not a complete Parquet file"),
        (b"id,event\n1,buy\n", "not a complete Parquet file"),
        (gzip.compress(PLAIN), "not a complete Parquet file"),
        (parquet_of(pa.table({})), "none of the mapped columns (at, event, id, seq, user, value) is in it"),
        (parquet_of(pa.table([["1"], ["2"], ["b"]], names=["id", "id", "event"])), "the column 'id' is there twice"),
        (
            parquet_of(pa.table({"id": pa.DictionaryArray.from_arrays(pa.array([0] * 5_000_000, pa.int8()), ["1"])})),
            "it tells of 5,000,000 rows in",
        ),
    ],
    ids=["half", "no-end", "end", "footer", "empty", "magic", "text", "gz", "no-columns", "twice", "bomb"],
)
def test_a_parquet_file_that_is_none_is_refused_with_advice(tmp_path, content, message):
    _, summary = landed(tmp_path, "parquet", bad__parquet=content)

    assert f"bad.parquet: {message}" in problem(summary)


def not_utf8():
    return pa.StringArray.from_buffers(2, pa.array([0, 1, 3], pa.int32()).buffers()[1], pa.py_buffer(b"u\xff\xfe"))


NAN, INFINITY = float("nan"), float("inf")
NEST = pa.struct([("a", pa.null()), ("l", pa.list_(pa.struct([("x", pa.int64())])))])
MARS = pa.list_(pa.timestamp("us", "Mars/Base"))
NINE = "2026-01-31 09:00:00+00"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"user": pa.nulls(2)}, ["missing_identity"] * 2),
        ({"user": not_utf8()}, ["loaded", "encoding"]),
        ({"x": not_utf8()}, ["loaded", "encoding"]),
        ({"user": pa.array([b"u", b"\xff"])}, ["loaded", "encoding"]),
        ({"user": ["u", "x" * (1 << 20)]}, ["loaded", "too_large"]),
        ({"user": pa.array(["u", "v"], pa.large_string()), "x": pa.array(["u", None], pa.string_view())}, ["loaded"] * 2),
        ({"user": pa.array(["u", "v"]).dictionary_encode(), "x": pa.array([1, 2]).dictionary_encode()}, ["loaded"] * 2),
        ({"at": pa.array([2**62, -(2**62)], pa.timestamp("us"))}, ["bad_time"] * 2),
        ({"at": pa.array([2**61, 1769850000000], pa.timestamp("ms"))}, ["bad_time", "loaded"]),
        ({"at": pa.array([0, 1769850000 * 10**6], pa.timestamp("us", "Mars/Base"))}, ["loaded"] * 2),
        ({"at": pa.array([2**31 - 1, 20484], pa.date32())}, ["bad_time", "loaded"]),
        ({"at": pa.array([-(2**62), 20484 * 86_400_000], pa.date64())}, ["bad_time", "loaded"]),
        ({"value": pa.array([Decimal("12.345"), Decimal("-0.01")], pa.decimal128(38, 3))}, ["loaded"] * 2),
        ({"x": pa.array([Decimal("1" * 70), None], pa.decimal256(76, 0))}, ["loaded"] * 2),
        ({"value": [NAN, 1e300], "x": [NAN, -INFINITY]}, ["type_conflict"] * 2),
        ({"seq": pa.array([2**63, 2**63 - 1], pa.uint64())}, ["type_conflict", "loaded"]),
        ({"x": pa.array([1, -(2**62)], pa.duration("us")), "y": pa.array([1, 2**36], pa.time64("us"))}, ["loaded"] * 2),
        ({"x": pa.array([{"a": None, "l": [None, {"x": None}]}, None], NEST)}, ["loaded"] * 2),
        ({"x": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))}, ["loaded"] * 2),
        ({"": ["a", "b"]}, ["loaded"] * 2),
    ],
    ids=["nulls", "text-not-utf8", "property-not-utf8", "bytes-not-utf8", "large-row", "large-string", "dictionary", "instants",
         "milliseconds", "odd-zone", "dates", "dates-ms", "decimal", "decimal256", "floats", "uint64", "durations", "nested",
         "map", "no-name"],
)  # fmt: skip
def test_every_parquet_type_gives_rows_with_an_outcome(tmp_path, columns, expected):
    place, summary = landed(tmp_path, "parquet", bad__parquet=parquet(2, **columns))

    assert (outcomes(place), summary.problems) == (expected, [])


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ({"value": pa.array([1.5], pa.float16())}, (NINE, 150, None)),
        ({"x": pa.array([bytes(range(16))], pa.uuid())}, (NINE, None, '{"x":"00010203-0405-0607-0809-0a0b0c0d0e0f"}')),
        ({"x": pa.array([b"\xff\x00"], pa.binary(2))}, (NINE, None, '{"x":"ff00"}')),
        ({"at": pa.array([1769850000], pa.timestamp("s", "+05:30"))}, (NINE, None, None)),
        ({"x": pa.array([[datetime(2026, 1, 31)]], MARS)}, (NINE, None, '{"x":["2026-01-31T00:00:00+00:00"]}')),
    ],
    ids=["float16", "uuid", "fixed-bytes", "seconds-with-zone", "nested-zone"],
)  # fmt: skip
def test_rare_parquet_types_keep_their_value(tmp_path, columns, shown):
    place, _ = landed(tmp_path, "parquet", bad__parquet=parquet(1, **columns))

    assert place.rows(
        "SELECT occurred_at::VARCHAR, value_minor, properties FROM raw.web_events WHERE event_id = 'r1'"
    ) == [shown]


def test_an_instant_beyond_nanoseconds_does_not_become_another_year(tmp_path):
    table = pq.read_table(io.BytesIO(parquet(at=[datetime(2500, 1, 1)])))

    place, _ = landed(tmp_path, "parquet", bad__parquet=parquet_of(table, use_deprecated_int96_timestamps=True))

    assert outcomes(place) == ["bad_time"]


def test_a_large_value_that_is_repeated_is_held_once(tmp_path):
    rows = 20_000
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * (2 << 20)]))
    Workspace(tmp_path, source=FORMATS["parquet"]).put("bad.parquet", parquet(rows, id=range(rows), x=repeated))

    found, grown = peak(tmp_path, "parquet")

    assert found == str(["too_large"] * rows)
    assert grown < 800


# ---------------------------------------------------------------- what is no file


def refusals(place):
    found = discover(place.landing, place.sources)
    assert [file.relative for file in found.files if "good" in file.relative] != []
    return {path: why.split(";")[0] for _, path, why in found.refused}


@pytest.fixture
def web(tmp_path):
    place = Workspace(tmp_path, source={**FORMATS["ndjson"], "files": ["web/**/*.ndjson", "flat/*.ndjson"]})
    for folder in ("web", "flat"):
        (place.landing / folder).mkdir()
        (place.landing / folder / "good.ndjson").write_text(call(folder))
    return place


def test_a_folder_named_like_a_file_is_told_unless_its_files_are_read(web):
    for folder in ("flat/bad.ndjson", "web/fine.ndjson"):
        (web.landing / folder).mkdir()
        (web.landing / folder / "part-0.ndjson").write_text(call(folder))

    assert refusals(web) == {"flat/bad.ndjson": "a folder, not a file"}


def test_links_that_leave_the_landing_folder_are_told_and_those_inside_are_read(web, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.ndjson").write_text(call("secret"))
    inside = web.landing / "web" / "inside"
    inside.mkdir()
    (inside / "kept.txt").write_text(call("inside"))
    links = {
        "web/out.ndjson": outside / "secret.ndjson", "web/chain.ndjson": "out.ndjson", "web/folder": outside,
        "web/loop.ndjson": "loop.ndjson", "web/round": "../web", "web/nowhere.ndjson": "nothing", "web/ok.ndjson": "inside/kept.txt",
        "flat/dir.ndjson": outside,
    }  # fmt: skip
    for name, target in links.items():
        (web.landing / name).symlink_to(target)

    web.load()

    out = "a link to a file outside the landing folder"
    assert refusals(web) == {
        "web/out.ndjson": out,
        "web/chain.ndjson": out,
        "web/folder": "a link to a folder outside the landing folder",
        "web/loop.ndjson": "a link that leads in a circle",
        "web/nowhere.ndjson": "a link that leads nowhere",
        "flat/dir.ndjson": out,
    }
    assert web.rows("SELECT event_id FROM raw.web_events ORDER BY ALL") == [("flat",), ("inside",), ("web",)]


def test_pipes_sockets_and_devices_are_told_and_never_opened(web, monkeypatch):
    os.mkfifo(web.landing / "web" / "pipe.ndjson")
    (web.landing / "web" / "null.ndjson").symlink_to("/dev/null")
    monkeypatch.chdir(web.landing / "web")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.ndjson")

        found = refusals(web)

    device = "a link to a file outside the landing folder"
    assert found == {
        "web/pipe.ndjson": "a pipe, socket or device",
        "web/socket.ndjson": "a pipe, socket or device",
        "web/null.ndjson": device,
    }


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from tests.pipelines.test_hostile_input import FORMATS
from pipelines.landing import look
from transforms.mapping import Source
if os.geteuid() == 0:
    os.seteuid(65534)
source = Source.model_validate({**FORMATS["ndjson"], "files": "**/*.ndjson"})
found = look(Path(sys.argv[1]), {"web": source})
print([file.relative for file in found.files], sorted(told[1:] for told in found.refused))
"""


def test_what_may_not_be_read_is_told(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder) / "landing"
        for name in ("open", "closed"):
            (landing / name).mkdir(parents=True)
        (landing / "open" / "good.ndjson").write_text(call(1))
        (landing / "open" / "bad.ndjson").write_text(call(2))
        for path, mode in (("open/bad.ndjson", 0), ("closed", 0), (".", 0o755), ("..", 0o755)):
            (landing / path).chmod(mode)

        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(landing)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        (landing / "closed").chmod(0o755)

    assert done.stdout.strip() == str(["open/good.ndjson"]) + " " + str([
        ("closed", "the folder cannot be listed (Permission denied); check its permissions"),
        ("open/bad.ndjson", "cannot be read (Permission denied); check its permissions"),
    ]), done.stderr  # fmt: skip


@pytest.mark.parametrize("name", ["a\nb.ndjson", "\x1b[31mred.ndjson", "\U0001f468\u200d\U0001f469.ndjson", b"M\xfcller.ndjson",
                                  "a" * 240 + ".ndjson", "-rf.ndjson", "a'b\"c;.ndjson", "[x].ndjson", "\u202egpj.ndjson"])  # fmt: skip
def test_any_name_of_a_file_can_be_read_and_told(tmp_path, name):
    place = Workspace(tmp_path, source=FORMATS["ndjson"])
    (place.landing / os.fsdecode(name)).write_text(call(1))

    loaded(place, "ndjson")
    again = place.load()

    assert again.files_loaded == 0
    (path,) = [path for (path,) in place.rows("SELECT path FROM raw.files WHERE path NOT LIKE 'good%'")]
    assert path.isprintable()
    assert path.endswith(".ndjson")


def test_names_that_differ_in_case_only_are_two_files(tmp_path):
    place, summary = landed(tmp_path, "ndjson", a__ndjson=call(1), A__ndjson=call(2))

    assert (summary.files_loaded, len(place.rows("FROM raw.web_events"))) == (3, 3)


def test_a_folder_too_deep_to_be_named_is_told(web):
    here = os.open(web.landing / "web", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        here, above = os.open("d" * 200, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)

    with pytest.raises(DataError, match=r"cannot be searched \(File name too long\); move it out of"):
        web.load()


def test_a_file_that_vanishes_before_it_is_read_is_told(web, monkeypatch):
    found = discover(web.landing, web.sources)
    (web.landing / "web" / "good.ndjson").unlink()
    monkeypatch.setattr("pipelines.ingest.discover", lambda *_, **__: found)

    summary = web.load()

    assert problem(summary).startswith("web/good.ndjson: it cannot be read ([Errno 2] No such file")
    assert_balanced(web, summary)
    assert web.rows("SELECT event_id FROM raw.web_events") == [("flat",)]


# ---------------------------------------------------------------- still being written


def load(place, **said):
    return load_new_files(
        place.warehouse, place.landing, place.sources, journey=Journey(), hmac_key=b"key", settling=Settling(**said)
    )


def aged(path, seconds):
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_a_young_file_that_stays_the_same_is_taken_after_one_short_sleep(web):
    begun = time.monotonic()

    summary = load(web, quiet="400ms")

    assert (summary.files_loaded, summary.waiting) == (2, [])
    assert time.monotonic() - begun > 0.3


def test_a_file_that_grows_is_left_for_the_next_run(web, monkeypatch):
    growing = web.landing / "web" / "growing.ndjson"
    growing.write_text(call("one"))
    sleep = time.sleep

    def write_meanwhile(seconds):
        with growing.open("a") as stream:
            stream.write(call("two"))
        sleep(seconds)

    monkeypatch.setattr("pipelines.settling.time.sleep", write_meanwhile)
    first = load(web, quiet="200ms")
    monkeypatch.undo()
    second = load(web, quiet="200ms")

    assert (first.files_loaded, first.problems, first.waiting) == (2, [], ["web/growing.ndjson"])
    assert (second.files_loaded, second.waiting) == (1, [])
    assert web.rows("SELECT event_id FROM raw.web_events ORDER BY ALL") == [("flat",), ("one",), ("two",), ("web",)]


def test_a_file_that_would_take_too_long_to_settle_is_not_waited_for(web):
    begun = time.monotonic()

    summary = load(web, quiet="5m")

    assert (summary.files_loaded, len(summary.waiting)) == (0, 2)
    assert time.monotonic() - begun < 5


def test_a_file_with_its_marker_is_taken_at_once_and_the_marker_is_no_data(web):
    (web.landing / "web" / "good.ndjson.done").write_text("not data")
    aged(web.landing / "flat" / "good.ndjson", 600)
    (web.landing / "flat" / "new.ndjson").write_text(call("new"))
    place = {**web.sources, "all": web.sources["source"].model_copy(update={"files": ("web/*",)})}

    found = discover(web.landing, {"source": place["source"]}, settling=Settling(quiet="5m"))

    assert [file.relative for file in found.files] == ["flat/good.ndjson", "web/good.ndjson"]
    assert [path for _, path, _ in found.unsettled] == ["flat/new.ndjson"]
    assert [file.relative for file in discover(web.landing, {"all": place["all"]}).files] == ["web/good.ndjson"]


def test_where_markers_are_required_a_file_without_a_fresh_one_waits(web):
    for name, age in (
        ("web/good.ndjson", 600),
        ("web/good.ndjson.done", 900),
        ("flat/good.ndjson", 600),
        ("flat/good.ndjson.done", 600),
    ):
        (web.landing / name).touch()
        aged(web.landing / name, age)

    found = discover(web.landing, web.sources, settling=Settling(done_marker="required"))

    assert [file.relative for file in found.files] == ["flat/good.ndjson"]
    assert found.unsettled == [
        ("source", "web/good.ndjson", "its marker good.ndjson.done is missing, or older than the file")
    ]


def test_a_file_that_is_dated_in_the_future_is_taken_when_it_stays_the_same(web):
    aged(web.landing / "web" / "good.ndjson", -86_400)

    assert load(web, quiet="200ms").waiting == []


def test_names_that_copy_tools_give_to_unfinished_files_are_left_out(tmp_path):
    place = Workspace(tmp_path, source={**FORMATS["ndjson"], "files": "*"})
    for ending in (".part", ".tmp", ".filepart", ".crdownload", "~", ".PART"):
        place.put(f"bad.ndjson{ending}", call(ending))

    _, summary = loaded(place, "ndjson")

    assert (summary.files_loaded, summary.problems) == (1, [])


@pytest.mark.parametrize("change", ["append", "replace", "remove"])
def test_of_a_file_that_changes_while_it_is_read_nothing_is_loaded_and_the_next_run_reads_it(
    tmp_path, monkeypatch, change
):
    place = Workspace(tmp_path, source=FORMATS["ndjson"], part_rows=100).put(
        "bad.ndjson", "".join(call(n) for n in range(1_000))
    )
    monkeypatch.setitem(text_reader.blocks.__kwdefaults__, "size", 20_000)
    lines_of, path, read = text_reader.lines_of, place.landing / "bad.ndjson", []

    def change_meanwhile(block):
        read.append(block)
        if len(read) == 3:
            content = path.read_bytes()
            path.unlink()
            if change != "remove":
                path.write_bytes(content + call("new").encode() if change == "append" else content)
        return lines_of(block)

    monkeypatch.setattr("pipelines.readers.lines.lines_of", change_meanwhile)
    place, first = loaded(place, "ndjson")
    monkeypatch.undo()

    assert problem(first).startswith("bad.ndjson: it changed while it was read, so nothing of it was loaded")
    assert outcomes(place) == []
    if change != "remove":
        assert place.load().outcomes == {"loaded": 1_001 if change == "append" else 1_000}


# ---------------------------------------------------------------- the sensor


@pytest.fixture
def home(web, tmp_path):
    said = {"sources": {"source": json.loads(web.sources["source"].model_dump_json(by_alias=True, exclude_unset=True))}}
    (tmp_path / "journey.yaml").write_text(json.dumps(said))
    return Home(tmp_path)


def test_the_sensor_sees_settled_files_only(web, home):
    for path in web.landing.rglob("*.ndjson"):
        aged(path, 600)
    before = landing_state(home)
    (web.landing / "web" / "new.ndjson.part").write_text("")
    (web.landing / "other.txt").write_text("")
    unchanged = landing_state(home)
    (web.landing / "web" / "new.ndjson").write_text(call("new"))
    arriving = landing_state(home)
    (web.landing / "web" / "new.ndjson.done").write_text("")
    marked = landing_state(home)

    assert before[0] is not None
    assert unchanged == before
    assert arriving == (before[0], True)
    assert marked[0] != before[0]
    assert not marked[1]


def test_a_file_that_never_settles_does_not_hold_the_sensor_back_for_ever(web, home):
    for path in web.landing.rglob("*.ndjson"):
        aged(path, 3_600)
    (web.landing / "web" / "log.ndjson").write_text(call("new"))

    assert landing_state(home)[1] is False
    assert settled_files(web.landing, web.sources, settling=Settling(quiet=timedelta(minutes=2)))[1] is True


# ---------------------------------------------------------------- whatever the bytes

PIECES = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", b"}", b"[", b":", b"\\", b"\xef\xbb\xbf", b"null", b"1e999", b"\\ud800",
          HEADER.encode(), record(1).encode(), record(2, '"a\nb"').encode(), call(1).encode(), call(2, user=None).encode(),
          call(3, at="9999-12-31").encode(), call(4, email="a@b", x={"email": "c@d"}).encode()]  # fmt: skip
noise = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=12).map(b"".join)
mutations = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)
NESTED = pa.table({"id": ["1", "2"], "event": ["b", "c"], "at": [datetime(2026, 1, 31)] * 2, "user": ["u", "v"], "seq": [1, 2],
                   "value": [1.5, None], "x": [{"a": [1, None]}, None]})  # fmt: skip


def mutated(changes):
    content = bytearray(parquet_of(NESTED, compression="NONE"))
    for place, byte in changes:
        content[place % len(content)] = byte
    return bytes(content)


def assert_any_bytes_load(format, content):
    """Nothing but a told problem may come of any bytes, and the books balance."""
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder), source=FORMATS[format])
        place.put(f"bad.{format}", content)

        summary = place.load()

        assert_balanced(place, summary)
        assert summary.files_loaded + len(summary.problems) == 1


@pytest.mark.parametrize("format", ["ndjson", "csv"])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_whatever_the_bytes_of_a_text_are_the_books_balance(format, data):
    assert_any_bytes_load(format, data.draw(noise))


@settings(max_examples=12, deadline=None)
@given(changes=mutations)
@example(changes=[(0, 0)])
def test_whatever_is_changed_in_a_parquet_file_the_books_balance(changes):
    assert_any_bytes_load("parquet", mutated(changes))
