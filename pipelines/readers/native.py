"""Native formats: what a known product exports, as mappings that journey.yaml need not write."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import polars as pl
from pydantic import ValidationError

from pipelines.errors import ConfigurationError
from transforms.mapping import PERSONAL, REST, Bare, Source, Wanted
from transforms.nearest import did_you_mean

ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".log": "lines",
}
COMPRESSED = (".gz", ".zst")
MERGED = ("fields", "aliases", "lookups")
OWN = {"format", "files", "tables"}
AS_JSON = "json:"

Mapped = Mapping[str, Any]
Derive = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Computed:
    """A computed column: the columns that it is made of, and how (where it pays, by what the rows at hand have)."""

    columns: tuple[str, ...]
    value: pl.Expr | Callable[[pl.DataFrame], pl.Expr]


def unchanged(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as they are."""
    return rows


@dataclass(frozen=True)
class Native:
    """The format of a known product.

    `mappings` holds what journey.yaml would say of each table (key "" for a format of one table); `other_tables` what it
    would say of tables that are not listed. `reads` lists the kinds of file, the first for endings that say nothing.
    A mapping may name computed columns, which begin with "@": `derived` says which columns each is made of, and `derive`
    adds them to the rows (`raw:@name`, text) once these are there. "*" in `derived` stands for the properties: `derive` then
    gives `json:*`; "*" among the columns of a computed one says that it is made of all columns, which `json:*` then holds. A
    column written "json:name" is wanted as JSON, without personal keys. What a mapping looks up in a file that journey.yaml
    does not give is left out. `derive` may also set `problem` where it is null. `objects` are columns that hold a JSON
    object, in some files as text; `left_out` of a mapping may name what lies below them (properties.token). `marks` says by
    which columns a file of a table is recognised: any of several sets, each of which has to be there whole. `version` is
    raised when a release reads the same rows otherwise, so that they are read again.
    """

    name: str
    version: int
    reads: tuple[Bare, ...]
    mappings: Mapping[str, Mapped]
    other_tables: Mapped | None = None
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    derive: Derive = unchanged
    marks: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    objects: tuple[str, ...] = ()

    def mapping(self, table: str) -> Mapped | None:
        """What journey.yaml would say of a table; None for one that the format does not have."""
        return self.mappings.get(table, self.other_tables)

    @property
    def tables(self) -> list[str]:
        """The tables of the format by name; none for a format of one table."""
        return [table for table in self.mappings if table]


@dataclass(frozen=True)
class Feed:
    """Files of one source that are read alike: one table, one kind of file. `source` is its whole mapping."""

    table: str
    kind_of_file: str
    source: Source
    native: Native | None = None

    @property
    def version(self) -> int:
        """Version of the format's own mapping; 0 for a source that brings its own."""
        return self.native.version if self.native else 0

    def wanted(self, wanted: Wanted) -> Wanted:
        """What a reader has to give so that everything wanted can be worked out."""
        if self.native is None:
            return wanted
        derived = self.native.derived
        made = [name for name in (*wanted.texts, *wanted.fragments) if name.startswith("@")]
        needs = {column for name in [*made, *(["*"] if wanted.rest else [])] for column in derived.get(name, ())}
        rest = (wanted.rest and "*" not in derived) or "*" in needs
        texts = {name for name in (*wanted.texts, *needs) if not name.startswith(("@", AS_JSON)) and name != "*"}
        given = [name for name in wanted.fragments if not name.startswith("@")]
        given += sorted(name.removeprefix(AS_JSON) for name in needs if name.startswith(AS_JSON))
        personal = sorted({*self.source.personal_columns(), *PERSONAL})
        makes_rest = "*" in derived and not rest
        is_nested = self.kind_of_file == "ndjson"
        objects = [
            name
            for name in self.native.objects
            if name in given or (not is_nested and _names_member([*texts, *given], name))
        ]
        return Wanted(
            texts=tuple(sorted(texts)),
            fragments=tuple(dict.fromkeys([*given, *objects])),
            rest=rest,
            left_out=(*personal, *self.source.left_out) if makes_rest else wanted.left_out,
            objects=tuple(objects),
        )

    def completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with their computed columns."""
        return rows if self.native is None else self.native.derive(rows)


def _names_member(paths: Iterable[str], column: str) -> bool:
    return any(path.startswith(f"{column}.") for path in paths)


def computing(columns: Mapping[str, Computed]) -> Derive:
    """A `derive` that adds those of the computed columns (and `json:*` for "*") whose own columns are all there."""

    def derive(rows: pl.DataFrame) -> pl.DataFrame:
        there = set(rows.columns)
        made = {
            "json:*" if name == "*" else f"raw:{name}": computed.value(rows)
            if callable(computed.value)
            else computed.value
            for name, computed in columns.items()
            if {name if name.startswith(AS_JSON) else f"raw:{name}" for name in computed.columns} <= there
        }
        return rows.with_columns(**made)

    return derive


def feeds_of(name: str, source: Source, natives: Mapping[str, Native]) -> list[Feed]:
    """The feeds of a source, one a table and kind of file.

    Raises ConfigurationError for a table that the format does not have (with the nearest), and for what journey.yaml says
    differently when it does not fit.
    """
    if not source.is_native:
        return [Feed("", source.format, source)]
    native = natives[source.format]
    return [
        Feed(table, kind, _resolved(name, source, native, table, kind), native)
        for table in _tables_of(name, source, native)
        for kind in native.reads
    ]


def kind_of_file(path: PurePath, feed_kinds: tuple[str, ...]) -> str:
    """How a file is read among the kinds that a format reads, by its ending; the first where that says nothing."""
    endings = [ending.lower() for ending in reversed(path.suffixes)]
    told = next((ENDINGS[ending] for ending in endings if ending in ENDINGS), None)
    return told if told in feed_kinds else feed_kinds[0]


def _tables_of(name: str, source: Source, native: Native) -> list[str]:
    asked = list(dict.fromkeys(table for table, _ in source.patterns))
    for table in [*asked, *source.tables]:
        if table not in native.mappings and (not table or native.other_tables is None):
            raise ConfigurationError(f"sources.{name}: {_unknown_table(table, native)}")
    for table in source.tables:
        if table not in asked:
            raise ConfigurationError(f"sources.{name}.tables: no `files` are given for the table '{table}'")
    if native.tables and source.whole:
        raise ConfigurationError(f"sources.{name}: `whole` is for formats of one table; {native.name} has several")
    if native.tables and source.fields:
        raise ConfigurationError(
            f"sources.{name}: {native.name} has several tables; say `fields` by table: tables: {{{asked[0]}: {{fields: …}}}}"
        )
    return asked


def _unknown_table(table: str, native: Native) -> str:
    if not native.tables:
        return f"the format {native.name} has no tables; give `files` as a glob or a list of globs"
    if not table:
        shown = native.tables[0]
        return (
            f'give `files` by table, such as {{{shown}: "…/{shown}*"}}; {native.name} has: {", ".join(native.tables)}'
        )
    hint = did_you_mean(table, native.tables)
    return f"{native.name} has no table '{table}'{hint}; it has: {', '.join(native.tables)}"


def _resolved(name: str, source: Source, native: Native, table: str, kind: str) -> Source:
    """The format's mapping of a table with what journey.yaml says differently, as a source of its kind of file."""
    own = native.mapping(table) or {}
    said = source.model_dump(by_alias=True, exclude_unset=True, exclude=OWN)
    table_said = source.tables[table].model_dump(by_alias=True, exclude_unset=True) if table in source.tables else {}
    own = _without_absent(own, {*own.get("lookups", {}), *said.get("lookups", {})})
    merged = {**own, **said, **table_said}
    for key in MERGED:
        merged[key] = {**own.get(key, {}), **said.get(key, {}), **table_said.get(key, {})}
    parts = (own, said, table_said)
    merged["left_out"] = tuple(dict.fromkeys(name for part in parts for name in part.get("left_out", ())))
    merged["properties"] = _together(own.get("properties", ()), said, table_said)
    merged["pii"] = {**said.get("pii", {}), **own.get("pii", {})}
    if kind not in ("csv", "tsv", "parquet"):
        merged.pop("aliases", None)
    if kind not in ("csv", "tsv"):
        merged.pop("columns", None)
    files = [pattern for other, pattern in source.patterns if other == table]
    try:
        return Source.model_validate({**merged, "format": kind, "files": files})
    except ValidationError as error:
        problems = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())
        place = f"sources.{name}" + (f".tables.{table}" if table else "")
        raise ConfigurationError(f"{place}: {problems}") from error


def _without_absent(said: Any, lookups: set[str]) -> Any:
    """What a mapping says, without what it looks up in other files than these."""

    def is_there(part: Any) -> bool:
        return not isinstance(part, Mapping) or part.get("lookup", None) in (None, *lookups)

    if isinstance(said, Mapping):
        return {key: _without_absent(part, lookups) for key, part in said.items() if is_there(part)}
    if isinstance(said, list | tuple):
        return [_without_absent(part, lookups) for part in said if is_there(part)]
    return said


def _together(own: Any, *said: Mapped) -> Any:
    """The properties of the format with those that journey.yaml adds."""
    given = [part["properties"] for part in said if part.get("properties")]
    together: dict[str, Any] = {}
    for part in (own, *given):
        together |= dict(part) if isinstance(part, Mapping) else {column: column for column in part}
    if REST not in together:
        return together
    if len(together) == 1:
        return REST
    return together if any(isinstance(part, Mapping) for part in given) else tuple(together)
