import gzip

import polars as pl
import pyarrow as pa
import pytest

from pipelines import readers
from pipelines.errors import UnreadableFile
from pipelines.readers import text as text_reader
from pipelines.warehouse import scratch
from transforms.mapping import Source, Wanted


def source(format, **said):
    return Source.model_validate({"format": format, "files": "x", "fields": {"event": {"value": "seen"}}, **said})


def read(path, reader, *columns, fragments=(), rest=False, left_out=()):
    asked = Wanted(columns, fragments, rest, left_out)
    with scratch() as connection:
        parts = [readers.extract(part, reader, asked, connection) for part in readers.read(path, reader, asked)]
    return pl.concat(parts)


def written(folder, name, content):
    path = folder / name
    data = content if isinstance(content, bytes) else content.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    if name.endswith(".zst"):
        data = pa.Codec("zstd").compress(data, asbytes=True)
    path.write_bytes(data)
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


# ---------------------------------------------------------------- NDJSON


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"])
def test_every_line_is_a_row_whatever_it_holds(tmp_path, name):
    path = written(tmp_path, name, b'\xef\xbb\xbf{"a":{"b":1}}\r\n\n{"a":\n[1]\n"x"\n\xff{"a":1}\n{"a":{"b":"last"}}')

    rows = read(path, source("ndjson"), "a.b")

    assert rows["row"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert rows["problem"].to_list() == [None, "blank", "parse_error", "parse_error", "parse_error", "encoding", None]
    assert rows["raw:a.b"].to_list() == ["1", None, None, None, None, None, "last"]


def test_a_value_and_what_is_inside_it_can_both_be_read(tmp_path):
    path = written(tmp_path, "a.ndjson", '{"a":{"b":{"c":1},"d":null}}\n{"a":7}\n')

    rows = read(path, source("ndjson"), "a", "a.b", "a.b.c")

    assert rows.select("raw:a", "raw:a.b", "raw:a.b.c").rows() == [
        ('{"b":{"c":1},"d":null}', '{"c":1}', "1"),
        ("7", None, None),
    ]


def test_personal_keys_are_taken_out_of_property_objects(tmp_path):
    path = written(tmp_path, "a.ndjson", '{"traits":{"email":"a@b","plan":"pro","contact":{"mail":"a@b","x":1}}}\n')

    rows = read(path, source("ndjson"), "traits.email", fragments=("traits",), left_out=("traits.contact.mail",))

    assert rows["raw:traits.email"].to_list() == ["a@b"]
    assert rows["json:traits"].to_list() == ['{"plan":"pro","contact":{"x":1}}']


def test_all_that_is_not_mapped_can_be_kept(tmp_path):
    path = written(tmp_path, "a.ndjson", '{"a":1,"b":{"c":2,"d":3},"e":"x"}\n')

    rows = read(path, source("ndjson"), "a", "b.c", rest=True, left_out=("a", "b.c"))

    assert pl.Series(rows["json:*"]).str.json_decode(
        pl.Struct({"b": pl.Struct({"d": pl.Int64}), "e": pl.String})
    ).to_list() == [{"b": {"d": 3}, "e": "x"}]


def test_a_line_over_a_mebibyte_is_too_large_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_reader, "BLOCK_BYTES", 1 << 16)
    path = written(tmp_path, "a.ndjson", '{"a":"' + "x" * (3 << 20) + '"}\n{"a":2}\n')

    rows = pl.concat(text_reader.lines_of(block) for block in text_reader.blocks(path, size=1 << 16))

    assert rows["problem"].to_list() == ["too_large", None]
    assert rows["text"].str.len_chars().to_list() == [10_000, 7]


@pytest.mark.parametrize("start", text_reader.COMPRESSED)
def test_a_line_is_text_although_it_begins_like_something_compressed(start):
    rows = text_reader.lines_of(start + b"abc\n{}\n")

    assert rows["text"].to_list() == [(start + b"abc").decode("utf-8", "replace"), "{}"]


# ---------------------------------------------------------------- CSV


def test_records_of_another_width_and_blank_lines_are_rows_too(tmp_path):
    path = written(tmp_path, "a.csv", "id,name\r\n1,ann\r\n\r\n2\r\n3,bob,x\r\n4,cat")

    rows = read(path, source("csv"), "id", "name")

    assert rows["problem"].to_list() == [None, "blank", "wrong_columns", "wrong_columns", None]
    assert rows["raw:name"].to_list() == ["ann", None, None, None, "cat"]
    assert rows["text"].to_list() == ["1,ann", "", "2", "3,bob,x", "4,cat"]


def test_quoted_fields_hold_delimiters_quotes_and_line_breaks(tmp_path):
    path = written(tmp_path, "a.csv", 'id,name\n1,"a, ""b""\nc"\n2,plain\n3,5" pipe\n')

    rows = read(path, source("csv"), "id", "name")

    assert rows.select("row", "raw:id", "raw:name").rows() == [
        (1, "1", 'a, "b"\nc'),
        (2, "2", "plain"),
        (3, "3", '5" pipe'),
    ]


def test_a_quote_that_is_never_closed_spoils_its_own_line_only(tmp_path):
    path = written(tmp_path, "a.csv", 'id,name\n1,"ann\n2,bob\n3,cat\n')

    rows = read(path, source("csv"), "id", "name")

    assert rows["problem"].to_list() == ["parse_error", None, None]
    assert rows["raw:id"].to_list() == [None, "2", "3"]


@pytest.mark.parametrize("size", [8, 13, 30])
def test_a_record_may_run_over_the_end_of_a_block(tmp_path, monkeypatch, size):
    content = 'id,name\n1,"a\nb"\n2,"c\n\nd"\n3,e\n'
    monkeypatch.setattr(text_reader.blocks, "__kwdefaults__", {"size": size})

    rows = read(written(tmp_path, "a.csv", content), source("csv"), "id", "name")

    assert rows.select("row", "raw:id", "raw:name").rows() == [(1, "1", "a\nb"), (2, "2", "c\n\nd"), (3, "3", "e")]


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ({"format": "csv", "delimiter": ";"}, "a;b\n1;2\n"),
        ({"format": "csv", "delimiter": "|"}, "a|b\n1|2\n"),
        ({"format": "tsv"}, "a\tb\n1\t2\n"),
        ({"format": "csv", "delimiter": "whitespace"}, "  a   b\n 1  2\n"),
        ({"format": "csv", "columns": ["a", "b"]}, "1,2\n"),
    ],
)
def test_any_delimiter_and_files_without_a_header(tmp_path, said, content):
    rows = read(written(tmp_path, "a.txt", content), source(**said), "a", "b")

    assert rows.select("row", "raw:a", "raw:b").rows() == [(1, "1", "2")]


def test_all_columns_that_are_not_mapped_can_be_kept_but_personal_ones(tmp_path):
    path = written(tmp_path, "a.csv", "id,size,Email,colour\n1,2,a@b,\n")

    rows = read(path, source("csv"), "id", fragments=("size",), rest=True, left_out=("id",))

    assert rows.select("json:size", "json:*").rows() == [('"2"', '{"size":"2"}')]


# ---------------------------------------------------------------- Parquet


def test_parquet_columns_and_members_become_text(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "id": [12345678901, None],
            "value": [1.5, 2.0],
            "at": pl.Series(["2026-01-31 09:00:00", None]).str.to_datetime(time_unit="ns"),
            "page": [{"path": "/x", "n": 1}, None],
            "tags": [["a", "b"], None],
        }
    ).write_parquet(path)

    rows = read(path, source("parquet"), "id", "value", "at", "page.path", fragments=("page.n", "tags"))

    assert rows.select("row", "raw:id", "raw:value", "raw:at", "raw:page.path", "json:page.n", "json:tags").rows() == [
        (1, "12345678901", "1.5", "2026-01-31T09:00:00.000000", "/x", "1", '["a","b"]'),
        (2, None, "2", None, None, None, None),
    ]
    assert readers.columns_of(path, source("parquet")) == ["id", "value", "at", "page", "page.path", "page.n", "tags"]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_parquet_may_be_compressed_as_a_whole(tmp_path, ending):
    plain = tmp_path / "a.parquet"
    pl.DataFrame({"id": [1]}).write_parquet(plain)

    rows = read(written(tmp_path, f"b.parquet{ending}", plain.read_bytes()), source("parquet"), "id")

    assert rows["raw:id"].to_list() == ["1"]


# ---------------------------------------------------------------- files that are not what they claim


@pytest.mark.parametrize(
    ("format", "name", "content", "message"),
    [
        ("ndjson", "a.ndjson", '[{"a":1},\n{"a":2}]', "one JSON list; expected one JSON object a line"),
        ("ndjson", "a.ndjson", '{\n"a":1\n}', "spread over lines"),
        ("ndjson", "a.ndjson", "a,b\n1,2\n", "looks like a table"),
        ("ndjson", "a.ndjson", gzip.compress(b"{}", mtime=0), "gzip-compressed; name it with .gz"),
        ("ndjson", "a.ndjson", b"PAR1\x00", "Parquet; set `format: parquet`"),
        ("csv", "a.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("csv", "a.csv", b"PK\x03\x04xx", "ZIP or Excel"),
        ("csv", "a.csv", "x;y\n1;2\n", "none of the mapped columns .a, b. is in the header"),
        ("csv", "a.csv", "a,b,a\n1,2,3\n", "'a' is there twice"),
        ("parquet", "a.parquet", "a,b\n", "not a complete Parquet file"),
    ],
)
def test_a_file_that_is_something_else_is_refused_with_advice(tmp_path, format, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(UnreadableFile, match=message):
        read(path, source(format), "a", "b")


@pytest.mark.parametrize("first", ["[", "{", '[{"a":', "x,y"])
def test_a_broken_first_line_is_one_bad_row_when_the_others_are_objects(tmp_path, first):
    rows = read(written(tmp_path, "a.ndjson", f'{first}\n{{"a":1}}\n{{"a":2}}\n'), source("ndjson"), "a")

    assert rows["problem"].to_list() == ["parse_error", None, None]


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.ndjson.zst"])
def test_a_compressed_file_that_was_cut_is_refused(tmp_path, name):
    path = cut(written(tmp_path, name, "".join(f'{{"a":{number}}}\n' for number in range(10_000))))

    with pytest.raises(UnreadableFile, match="not a complete"):
        read(path, source("ndjson"), "a")


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.ndjson.zst"])
def test_an_empty_compressed_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()

    with pytest.raises(UnreadableFile, match="never empty"):
        read(tmp_path / name, source("ndjson"), "a")


def test_a_parquet_file_that_was_cut_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": range(10_000)}).write_parquet(path)

    with pytest.raises(UnreadableFile, match="deliver it again"):
        read(cut(path), source("parquet"), "a")


def test_a_name_that_is_there_twice_matters_only_where_it_is_asked_for(tmp_path):
    path = written(tmp_path, "a.csv", "id,note,note\n1,x,y\n")

    assert read(path, source("csv"), "id")["raw:id"].to_list() == ["1"]
    with pytest.raises(UnreadableFile, match="the column 'note' is there twice"):
        read(path, source("csv"), "note")
    with pytest.raises(UnreadableFile, match="the column 'note' is there twice"):
        read(path, source("csv", properties="*"), "id", rest=True)
