"""The warehouse: tables of the contracts, whole transactions, and a published copy that nobody can write."""

import os
import re
import stat
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.errors import ConfigurationError, DamagedWarehouse, DataError
from pipelines.publish import publish_site, publish_warehouse, stage_site
from pipelines.warehouse import Warehouse, in_order_of_reading, insert, open_published, query_rows
from transforms.contracts import CORE_CUSTOMER_SEGMENTS, RAW_QUARANTINE, TABLES, ContractError


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "build" / "build.duckdb", memory="1GB")


def members(*customers: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"segment": ["buyers"] * len(customers), "customer_id": list(customers)}, schema=CORE_CUSTOMER_SEGMENTS.schema
    )


def test_every_contract_is_a_table_with_its_types(warehouse: Warehouse) -> None:
    for table in TABLES.values():
        assert dict(warehouse.read(table.name).schema) == table.schema, table.name


def test_an_insert_of_no_rows_hides_none_of_those_that_follow(warehouse: Warehouse) -> None:
    many = members(*(str(number) for number in range(130_000)))

    with warehouse.opened():
        with warehouse.writing() as connection:
            for rows in (members(), many, members("ann")):
                insert(connection, CORE_CUSTOMER_SEGMENTS, rows)

        assert warehouse.read(CORE_CUSTOMER_SEGMENTS.name).height == 130_001


def test_a_frame_that_breaks_its_contract_is_refused_and_nothing_changes(warehouse: Warehouse) -> None:
    warehouse.replace(CORE_CUSTOMER_SEGMENTS.name, members("ann"))

    with pytest.raises(ContractError, match="customer_id: expected String"):
        warehouse.replace(CORE_CUSTOMER_SEGMENTS.name, pl.DataFrame({"segment": ["buyers"]}))

    assert warehouse.read(CORE_CUSTOMER_SEGMENTS.name)["customer_id"].to_list() == ["ann"]


def test_a_transaction_that_fails_leaves_no_trace(warehouse: Warehouse) -> None:
    with pytest.raises(RuntimeError), warehouse.writing() as connection:
        connection.execute("INSERT INTO core.customer_segments VALUES ('buyers', 'ann')")
        raise RuntimeError("killed")

    assert warehouse.read("core.customer_segments").is_empty()


def test_the_published_copy_leaves_out_quarantined_text(warehouse: Warehouse, tmp_path: Path) -> None:
    row = {**dict.fromkeys(RAW_QUARANTINE.schema), "file_id": "f", "row": 1, "raw_text": "secret"}
    warehouse.replace("raw.quarantine", pl.DataFrame([row], schema=RAW_QUARANTINE.schema))

    publish_warehouse(warehouse, tmp_path / "live.duckdb")

    with open_published(tmp_path / "live.duckdb") as live:
        assert query_rows(live, "SELECT file_id, raw_text FROM raw.quarantine")[1] == [("f", None)]
    assert b"secret" not in (tmp_path / "live.duckdb").read_bytes()


def test_a_reader_keeps_the_old_copy_and_the_next_one_sees_the_new(warehouse: Warehouse, tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    warehouse.replace("core.customer_segments", members("ann"))
    publish_warehouse(warehouse, live)
    reader = open_published(live)
    warehouse.replace("core.customer_segments", members("ann", "bob"))

    publish_warehouse(warehouse, live)

    assert query_rows(reader, "SELECT count(*) FROM core.customer_segments")[1] == [(1,)]
    reader.close()
    with open_published(live) as later:
        assert query_rows(later, "SELECT count(*) FROM core.customer_segments")[1] == [(2,)]


def test_the_published_copy_carries_views_macros_and_comments(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.opened():
        pass
    publish_warehouse(warehouse, tmp_path / "live.duckdb")

    with open_published(tmp_path / "live.duckdb") as live:
        assert query_rows(live, "SELECT count(*) FROM mart.funnel_steps")[1] == [(0,)]
        assert query_rows(live, "SELECT rate(1, 4)")[1] == [(0.25,)]
        uncommented = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL"
        assert query_rows(live, uncommented)[1] == []


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE core.x AS SELECT 1",
        "DELETE FROM core.events",
        "FROM read_text('/etc/hostname')",
        "FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
    ],
)
def test_a_query_on_the_published_copy_can_touch_nothing_else(query: str, warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.opened():
        pass
    publish_warehouse(warehouse, tmp_path / "live.duckdb")

    with open_published(tmp_path / "live.duckdb") as live, pytest.raises(ConfigurationError, match="refused"):
        query_rows(live, query)


def test_the_published_file_is_read_only(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.opened():
        pass
    publish_warehouse(warehouse, tmp_path / "live.duckdb")

    assert stat.S_IMODE(os.stat(tmp_path / "live.duckdb").st_mode) == 0o444


def test_a_build_file_that_is_no_database_is_damaged_and_says_what_becomes_of_it(tmp_path: Path) -> None:
    broken = tmp_path / "build.duckdb"
    broken.write_bytes(b"x" * 5000)

    with pytest.raises(DamagedWarehouse, match="the next run builds it again from what landed"):
        Warehouse(broken).query("SELECT 1")


def test_no_published_warehouse_yet_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="journeys run"):
        open_published(tmp_path / "journeys.duckdb")


def test_a_site_is_swapped_in_whole(tmp_path: Path) -> None:
    stage_site({"index.html": b"old", "gone.html": b"x"}, tmp_path / "staged")
    publish_site(tmp_path / "staged", tmp_path / "reports", "2026-01-01", site_name="Shop")
    stage_site({"index.html": b"new", "assets/site.css": b"c"}, tmp_path / "staged")

    index = publish_site(tmp_path / "staged", tmp_path / "reports", "2026-01-02", site_name="Shop")

    assert index.read_bytes() == b"new"
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == [
        "2026-01-01",
        "2026-01-02",
        "index.html",
        "latest",
    ]
    assert sorted(path.name for path in index.parent.iterdir()) == ["assets", "index.html"]
    assert (tmp_path / "reports" / "2026-01-01" / "gone.html").exists()


def test_the_archive_leads_to_every_kept_report_newest_first(tmp_path: Path) -> None:
    told = "<h1>Orders &amp; <b>more</b></h1><p>Data version: <code>d7</code></p>"
    for day in ("2026-01-02", "2025-12-31", "2026-01-01"):
        stage_site({"index.html": told.encode()}, tmp_path / "staged")
        publish_site(tmp_path / "staged", tmp_path / "reports", day, site_name="Shop")
    (tmp_path / "reports" / "notes").mkdir()
    (tmp_path / "reports" / "notes" / "index.html").write_text("x")

    archive = (tmp_path / "reports" / "index.html").read_text()

    links = re.findall('<th scope="row"><a href="([^"]+)">([^<]+)</a>', archive)
    assert links == [
        ("2026-01-02/index.html", "2 January 2026"),
        ("2026-01-01/index.html", "1 January 2026"),
        ("2025-12-31/index.html", "31 December 2025"),
    ]
    assert archive.count("Orders &amp; &lt;b&gt;more&lt;/b&gt;") == 3 and archive.count("<td>d7</td>") == 3


def test_tables_that_another_version_made_otherwise_are_made_anew_and_the_others_stay(tmp_path):
    build = Warehouse(tmp_path / "build.duckdb")
    with build.writing() as connection:
        connection.execute("ALTER TABLE raw.row_outcomes DROP COLUMN tie")
        connection.execute("INSERT INTO raw.sources VALUES ('web', 'v1')")
        connection.execute("INSERT INTO ops.runs BY NAME SELECT 'r1' AS run_id")

    with build.opened():
        assert build.read("raw.row_outcomes").columns == list(TABLES["raw.row_outcomes"].schema)
        assert build.read("raw.sources").is_empty()
        assert build.read("ops.runs")["run_id"].to_list() == ["r1"]


def test_tables_of_this_version_are_kept(tmp_path):
    build = Warehouse(tmp_path / "build.duckdb")
    with build.writing() as connection:
        connection.execute("INSERT INTO raw.sources VALUES ('web', 'v1')")

    assert build.read("raw.sources").height == 1


def test_a_view_comes_after_the_views_that_it_reads(tmp_path: Path) -> None:
    for name, reads in (("a", "core.events, mart.b"), ("b", "mart.c"), ("c", "raw.files, mart.stored")):
        (tmp_path / f"{name}.sql").write_text(f"-- mart.{name}: A view.\n--\n-- Reads   {reads}\nSELECT 1\n")

    found = in_order_of_reading(sorted(tmp_path.glob("*.sql")))

    assert [path.stem for path in found] == ["c", "b", "a"]


def test_a_build_file_whose_head_was_changed_by_one_bit_is_damaged(warehouse: Warehouse) -> None:
    with warehouse.opened():
        pass
    content = bytearray(warehouse.path.read_bytes())
    content[12] ^= 1
    warehouse.path.write_bytes(content)

    with pytest.raises(DamagedWarehouse, match="the next run builds it again"), warehouse.opened():
        pass


def test_a_file_of_a_newer_duckdb_is_built_again_by_a_run_and_told_to_whoever_reads(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.opened():
        pass

    def refuse(*_asked: object, **_options: object) -> None:
        raise duckdb.IOException(
            "greater than the latest version supported. Try opening it with a newer version of DuckDB."
        )

    monkeypatch.setattr(duckdb, "connect", refuse)

    with (
        pytest.raises(DamagedWarehouse, match=r"by a newer DuckDB .* builds it again from what landed"),
        warehouse.opened(),
    ):
        pass
    with pytest.raises(DataError, match=r"by a newer DuckDB .* write it again with: journeys run"):
        open_published(warehouse.path)
