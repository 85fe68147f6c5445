"""The warehouse: the only room that speaks to DuckDB."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from graphlib import TopologicalSorter
from itertools import chain, count
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from polars._typing import PolarsDataType
from polars.io.plugins import register_io_source

from pipelines.errors import ConfigurationError, DamagedWarehouse, DataError
from transforms.contracts import STATE, TABLES, Table

SQL = Path(__file__).resolve().parents[1] / "sql"
SCHEMAS = ("raw", "core", "mart", "ops")
BUILT = TABLES | STATE
VARIED = frozenset({"event_id", "anonymous_id", "properties"})
DAMAGE = ("not a valid DuckDB database file", "Could not read enough bytes", "Corrupt database file")
NEWER = "newer version of DuckDB"
LACKING = (duckdb.CatalogException, duckdb.BinderException)
"""What a query ends in where a table or column that it reads is not there."""
DUCKDB_TYPES = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.UInt8: "UTINYINT",
    pl.UInt32: "UINTEGER",
    pl.UInt64: "UBIGINT",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMPTZ",
}

Connection = duckdb.DuckDBPyConnection
Parameters = Mapping[str, Any]


def sql_text(name: str) -> str:
    """The text of one file below sql/, such as `ingest/books.sql`."""
    return (SQL / name).read_text(encoding="utf-8")


def sql_files(folder: str) -> list[Path]:
    """The SQL files of one folder below sql/, in order of name."""
    return sorted((SQL / folder).rglob("*.sql"))


def duckdb_type(dtype: PolarsDataType) -> str:
    """The DuckDB type in which a Polars type is stored."""
    if isinstance(dtype, pl.List):
        return f"{duckdb_type(dtype.inner)}[]"
    return next(name for polars, name in DUCKDB_TYPES.items() if dtype == polars)


class Warehouse:
    """The private build file of one workspace: one writer, rebuilt from what landed when it is lost."""

    def __init__(self, path: Path, *, memory: str = "2GB") -> None:
        self.path = path
        self.memory = memory
        self._connection: Connection | None = None

    @staticmethod
    def text(name: str) -> str:
        """The text of one file below sql/."""
        return sql_text(name)

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """A connection to the build file, shared by everything inside the block; the tables of the contracts exist."""
        if self._connection is not None:
            yield self._connection
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = self._open()
        try:
            yield self._connection
        finally:
            self._connection.close()
            self._connection = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction on the build file: committed when the block ends well, rolled back otherwise."""
        with self.opened() as connection:
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def query(self, sql: str, parameters: Parameters | None = None) -> pl.DataFrame:
        """The rows of a query, in the order the query says."""
        with self.opened() as connection:
            frame: pl.DataFrame = connection.sql(sql, params=dict(parameters or {})).pl()
            return frame

    def read(self, table: str) -> pl.DataFrame:
        """All rows of a table or view of the warehouse."""
        return self.query(f"FROM {quoted(table)}")

    def replace(self, table: str, frame: pl.DataFrame) -> int:
        """Put these rows in place of the table's; returns how many they are.

        Raises ContractError when the frame is not what the table promises.
        """
        with self.writing() as connection:
            connection.execute(f"DELETE FROM {quoted(table)}")
            return insert(connection, TABLES[table], frame)

    def compact(self) -> None:
        """Write the file anew, so that nothing of deleted rows is left in it; swapped in by rename."""
        with self.opened() as connection:
            connection.execute("CHECKPOINT")
        draft = self.path.with_suffix(".compact")
        draft.unlink(missing_ok=True)
        with scratch() as connection:
            connection.execute("SET memory_limit = $memory", {"memory": self.memory})
            connection.execute(f"ATTACH {literal(self.path)} AS old (READ_ONLY)")
            connection.execute(f"ATTACH {literal(draft)} AS new")
            connection.execute("COPY FROM DATABASE old TO new")
            connection.execute("CHECKPOINT new")
            for name in ("new", "old"):
                connection.execute(f"DETACH {name}")
        os.replace(draft, self.path)

    def remove(self) -> None:
        """Delete the file, and what DuckDB keeps beside it."""
        for path in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            path.unlink(missing_ok=True)

    def _open(self) -> Connection:
        try:
            connection = duckdb.connect(str(self.path))
        except duckdb.Error as error:
            if "set lock" in str(error):
                raise DataError(
                    f"{self.path} is being written by another run; wait for it to end, or stop it"
                ) from error
            if is_damage(str(error)):
                raise DamagedWarehouse(
                    f"{self.path} is damaged ({error}); the next run builds it again from what landed"
                ) from error
            if NEWER in str(error):
                raise DamagedWarehouse(
                    f"{self.path} was written by a newer DuckDB than the one installed; the next run builds it again from what landed"
                ) from error
            raise DataError(
                f"{self.path} cannot be opened ({error}); see that this user may read and write it"
            ) from error
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("SET disabled_compression_methods = 'fsst,chimp,patas,alp,alprd'")
        connection.execute("SET memory_limit = $memory", {"memory": self.memory})
        connection.execute("SET temp_directory = $folder", {"folder": str(self.path.parent / "spill")})
        connection.execute("BEGIN TRANSACTION")
        for schema in (*SCHEMAS, "state"):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        held = dict(connection.sql(sql_text("ops/table_columns.sql")).fetchall())
        old = outdated(held)
        for table in BUILT.values():
            if table.name in old:
                connection.execute(f"DROP TABLE {quoted(table.name)}")
            if table.name in old or table.name not in held:
                create(connection, table)
        connection.execute("COMMIT")
        return connection


def is_damage(text: str) -> bool:
    """True when DuckDB says that a file is not as it wrote it."""
    return any(sign in text for sign in DAMAGE)


def outdated(held: Mapping[str, list[str]]) -> set[str]:
    """Tables that another version of the product made otherwise, given the columns of those that are held.

    What landed is read as one: when one table of raw is outdated, all are, and the next run reads it again.
    """
    differ = {
        name
        for name, columns in held.items()
        if name in BUILT and columns != [f"{column.name} {stored_type(column.dtype)}" for column in BUILT[name].columns]
    }
    is_raw_outdated = any(name.startswith("raw.") for name in differ)
    return differ | {name for name in held if is_raw_outdated and name in TABLES and name.startswith("raw.")}


def stored_type(dtype: PolarsDataType) -> str:
    """The type as DuckDB tells it back."""
    return duckdb_type(dtype).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")


class PublishedWarehouse(Warehouse):
    """The published warehouse, read as the build file is, and never written."""

    def _open(self) -> Connection:
        return open_published(self.path)


def create(connection: Connection, table: Table) -> None:
    """Create a contract's table in the current database.

    Texts of which hardly two are equal are compressed by zstd: written in half the time of a dictionary, and no larger.
    """
    columns = ", ".join(
        f'"{column.name}" {duckdb_type(column.dtype)}{" USING COMPRESSION zstd" if column.name in VARIED else ""}'
        for column in table.columns
    )
    connection.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")


def describe(connection: Connection, table: Table) -> None:
    """Attach to a table, and to its columns, the sentences of its contract."""
    sentence = f"{table.sentence} One row per {', '.join(table.grain)}."
    comment(connection, "TABLE", table.name, sentence, {column.name: column.sentence for column in table.columns})


def comment(connection: Connection, kind: str, name: str, sentence: str, columns: Mapping[str, str]) -> None:
    """Attach sentences to a table or view, and to its columns."""
    told = [f"COMMENT ON {kind} {quoted(name)} IS {literal(sentence)}"]
    told += [f"COMMENT ON COLUMN {quoted(f'{name}.{column}')} IS {literal(each)}" for column, each in columns.items()]
    connection.execute(";\n".join(told))


def insert(connection: Connection, table: Table, frame: pl.DataFrame) -> int:
    """Add rows to a table; raises ContractError when they are not what it promises.

    No rows are not inserted: after an insert of none and a large one in the same transaction, DuckDB 2.0 reads none back.
    Columns without any value are left out: the table fills them with null at once.
    """
    ready = table.check(frame)
    if ready.is_empty():
        return 0
    told = [name for name in ready.columns if ready[name].null_count() < ready.height]
    with registered(connection, {"incoming": ready.select(told or ready.columns)}):
        connection.execute(f"INSERT INTO {quoted(table.name)} BY NAME FROM incoming")
    return ready.height


class Lent:
    """Rows that the database reads as a view until they are taken back.

    It remembers a view to the end of the transaction in which it was made, and would keep the rows as long.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.rows: pa.Table = as_arrow(frame)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows, in the form that Arrow's readers ask for."""
        return self.rows.__arrow_c_stream__(requested_schema)

    def take_back(self) -> None:
        """Keep none of the rows."""
        self.rows = None


@contextmanager
def registered(connection: Connection, frames: Mapping[str, pl.DataFrame]) -> Iterator[None]:
    """Frames as views by name, for as long as the block runs."""
    lent = {name: Lent(frame) for name, frame in frames.items()}
    for name, rows in lent.items():
        connection.register(name, rows)
    try:
        yield
    finally:
        for name, rows in lent.items():
            connection.unregister(name)
            rows.take_back()


def ask(
    connection: Connection, statement: str, parameters: Parameters | None = None, **frames: pl.DataFrame
) -> pl.DataFrame:
    """The rows of a query of sql/, which may read these frames."""
    with registered(connection, frames):
        found: pl.DataFrame = connection.sql(sql_text(statement), params=dict(parameters or {})).pl()
    return found


def run(connection: Connection, statement: str, parameters: Parameters | None = None, **frames: pl.DataFrame) -> None:
    """Execute a statement of sql/, which may read these frames."""
    with registered(connection, frames):
        connection.execute(sql_text(statement), dict(parameters or {}))


def as_arrow(frame: pl.DataFrame) -> pa.Table:
    """A frame for DuckDB to read, its text not copied."""
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())


def lazily(connection: Connection, sql: str, parameters: Parameters | None = None) -> pl.LazyFrame:
    """A query as a LazyFrame that reads only the columns asked for, as of the last commit.

    Every scan has a cursor of its own, since a connection serves one reader at a time and a plan may hold several. What a
    plan reads twice is read once, and so is what it makes of it: without the cache Polars takes each scan for another table.
    """
    given = dict(parameters or {})

    def relation(columns: list[str] | None) -> duckdb.DuckDBPyRelation:
        cursor = connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        found = cursor.sql(sql, params=given)
        return found if columns is None else found.select(*(duckdb.ColumnExpression(column) for column in columns))

    def scan(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        frame = relation(columns or None).pl()
        kept = frame if predicate is None else frame.filter(predicate)
        yield kept if rows is None else kept.head(rows)

    return register_io_source(scan, schema=relation(None).limit(0).pl().schema).cache()


@contextmanager
def attached(connection: Connection, path: Path, name: str) -> Iterator[None]:
    """Another file to read under a name, for as long as the block runs."""
    connection.execute(f"ATTACH {literal(path)} AS {quoted(name)} (READ_ONLY)")
    try:
        yield
    finally:
        connection.execute(f"DETACH {quoted(name)}")


def literal(text: str | Path) -> str:
    """A SQL text literal, where a statement such as ATTACH or COMMENT takes no parameter."""
    return "'" + str(text).replace("'", "''") + "'"


def scratch() -> Connection:
    """A connection to nothing on disk, for attaching files to."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    return connection


def open_published(path: Path) -> Connection:
    """The published warehouse, read-only and locked: no other file, no extension, no setting can be reached from it.

    Raises DataError when nothing was published yet, or the file cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist yet; make it with: journeys run")
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        if NEWER in str(error):
            raise DataError(
                f"{path} was written by a newer DuckDB than the one installed; install the product that wrote it, or write it again "
                "with: journeys run"
            ) from error
        raise DataError(f"{path} cannot be opened: {error}") from error
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET lock_configuration = true")
    return connection


def scalar(connection: Connection, sql: str, parameters: Parameters | None = None) -> Any:
    """The single value of a query."""
    rows = connection.sql(sql, params=dict(parameters or {})).fetchall()
    return rows[0][0] if rows else None


def quoted(name: str) -> str:
    """A dotted name with each part quoted, for the places where DuckDB takes no parameter."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def create_macros_and_views(connection: Connection) -> list[str]:
    """Create the macros of sql/macros and the views of sql/mart, with their comments; returns the views' names."""
    for path in sql_files("macros"):
        connection.execute(path.read_text(encoding="utf-8"))
    return [create_view(connection, path) for path in in_order_of_reading(sql_files("mart"))]


def in_order_of_reading(paths: Iterable[Path]) -> list[Path]:
    """The files of views, each after those that the `Reads` line of its header names."""
    by_name = {f"mart.{path.stem}": path for path in paths}
    reads = {name: [other for other in tables_read(path) if other in by_name] for name, path in by_name.items()}
    return [by_name[name] for name in TopologicalSorter(reads).static_order()]


def tables_read(path: Path) -> list[str]:
    """The tables and views on the `Reads` line of a view's header."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = next((line for line in lines if line.startswith("-- Reads")), "")
    return re.findall(r"\b(?:raw|core|mart|ops)\.\w+", found)


def create_view(connection: Connection, path: Path) -> str:
    """Create the view of one file of sql/mart, with the comments that its header gives."""
    text, name = path.read_text(encoding="utf-8"), f"mart.{path.stem}"
    connection.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS\n{text}")
    sentence, columns = view_comments(text)
    comment(connection, "VIEW", name, sentence, columns)
    return name


def view_comments(text: str) -> tuple[str, dict[str, str]]:
    """The sentence of a view's header, and the sentence of each `-- column name: …` line."""
    lines = [line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--")]
    headline = lines[0].split(":", 1)[-1].strip() if lines else ""
    columns = (re.fullmatch(r"column (\w+): (.+)", line) for line in lines)
    return headline, {found[1]: found[2] for found in columns if found}


def query_rows(connection: Connection, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a user's query; raises ConfigurationError with what DuckDB says of a wrong one."""
    try:
        relation = connection.sql(query)
        return (distinct_names(relation.columns), relation.fetchall()) if relation is not None else ([], [])
    except duckdb.Error as error:
        raise ConfigurationError(f"the query was refused: {error}") from error


def distinct_names(columns: Iterable[str]) -> list[str]:
    """Column names, each once: a name that comes again is given the next free number (a, a_1, a_2)."""
    names: list[str] = []
    for column in columns:
        free = (name for name in chain([column], (f"{column}_{number}" for number in count(1))) if name not in names)
        names.append(next(free))
    return names
