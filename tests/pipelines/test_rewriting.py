"""Rewriting: a landed file without some rows is otherwise the file that it was."""

import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import DataError
from pipelines.readers.native import Feed
from pipelines.rewriting import put_in_place, write_without
from transforms.mapping import Source, Wanted

FIELDS = {"event": {"value": "x"}, "occurred_at": "at", "user_id": "user"}
WANTED = Wanted(("at", "user"))


def rewritten(path, rows, format="csv", **said):
    source = Source.model_validate({"format": format, "files": "*", "fields": FIELDS, **said})
    put_in_place(write_without(path, Feed("", format, source), WANTED, set(rows)), path)
    return path


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def packed(content, ending):
    if ending == ".gz":
        return gzip.compress(content)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def unpacked(path):
    with pa.input_stream(str(path), compression={".gz": "gzip", ".zst": "zstd"}[path.suffix]) as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("content", "rows", "left"),
    [
        (b"at,user\r\n1,ann\r\n2,ben\r\n", [1], b"at,user\r\n2,ben\r\n"),
        (b"at,user\n1,ann\n2,ben", [2], b"at,user\n1,ann\n"),
        (b"\xef\xbb\xbfat,user\n1,ann\n2,ben\n", [1, 2], b"\xef\xbb\xbfat,user\n"),
        (b'at,user\n"1\nx",ann\n2,ben\n\n3,"c\n""d"""\n', [1, 4], b"at,user\n2,ben\n\n"),
        (b"Report of May\n\nat,user\n1,ann\n2,ben\n", [3], b"Report of May\n\nat,user\n2,ben\n"),
        (b'at,user\n1,"ann\n2,ben\n3,cid\n', [1], b"at,user\n2,ben\n3,cid\n"),
        (b"at,user\n1,\xff\n2,ben\n", [2], b"at,user\n1,\xff\n"),
    ],
)  # fmt: skip
def test_other_records_of_a_table_stay_byte_by_byte_and_so_does_its_header(tmp_path, content, rows, left):
    path = put(tmp_path, "a.csv", content)

    assert rewritten(path, rows).read_bytes() == left


def test_a_table_without_a_header_has_rows_from_its_first_line(tmp_path):
    path = put(tmp_path, "a.tsv", b"1\tann\n2\tben\n")

    assert rewritten(path, [1], "tsv", columns=["at", "user"]).read_bytes() == b"2\tben\n"


def test_other_lines_of_json_stay_byte_by_byte(tmp_path):
    path = put(tmp_path, "a.ndjson", b'{"user": "ann"}\n\n{ "user":"ben" }\nno json\n')

    assert rewritten(path, [1, 4], "ndjson").read_bytes() == b'\n{ "user":"ben" }\n'


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_file_stays_compressed(tmp_path, ending):
    path = put(tmp_path, f"a.csv{ending}", packed(b"at,user\n1,ann\n2,ben\n", ending))

    rewritten(path, [2])

    assert unpacked(path) == b"at,user\n1,ann\n"


def test_a_file_of_parquet_keeps_its_schema_its_compression_and_its_other_rows(tmp_path):
    table = pa.table(
        {
            "at": [1, 2, 3, 4],
            "user": pa.array(["ann", "ben", "ann", None]).dictionary_encode(),
            "n": [[1], [], None, [2]],
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=2, compression="zstd")
    before = pq.read_table(path)

    rewritten(path, [1, 3], "parquet")

    assert pq.read_schema(path) == before.schema
    assert pq.read_table(path).to_pylist() == before.take([1, 3]).to_pylist()
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert b"ann" not in path.read_bytes()


def test_words_of_a_row_that_goes_stay_in_no_dictionary_of_a_nested_column_either(tmp_path):
    words = pa.array(["ann", "ben"]).dictionary_encode()
    nested = pa.ListArray.from_arrays([0, 1, 2], words)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"at": [1, 2], "user": ["x", "y"], "names": nested}), path, compression="none")

    rewritten(path, [1], "parquet")

    assert pq.read_table(path).to_pylist() == [{"at": 2, "user": "y", "names": ["ben"]}]
    assert b"ann" not in path.read_bytes()


def test_a_packed_file_of_parquet_stays_packed(tmp_path):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"at": [1, 2], "user": ["ann", "ben"]}), sink)
    path = put(tmp_path, "a.parquet.gz", packed(sink.getvalue().to_pybytes(), ".gz"))

    rewritten(path, [1], "parquet")

    assert pq.read_table(pa.BufferReader(unpacked(path)))["user"].to_pylist() == ["ben"]


def test_the_time_and_the_permissions_of_a_file_stay(tmp_path):
    path = put(tmp_path, "a.csv", b"at,user\n1,ann\n2,ben\n")
    path.chmod(0o640)
    os.utime(path, ns=(1_700_000_000_000_000_000, 1_700_000_000_000_000_000))

    rewritten(path, [1])

    assert (path.stat().st_mtime_ns, path.stat().st_mode & 0o777) == (1_700_000_000_000_000_000, 0o640)


def test_a_file_that_has_not_all_of_the_rows_is_left_alone(tmp_path):
    path = put(tmp_path, "a.csv", b"at,user\n1,ann\n")

    with pytest.raises(DataError, match=r"1 of 2 rows were found in it, so it is not the file that was read"):
        rewritten(path, [1, 2])

    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_bytes() == b"at,user\n1,ann\n"
