"""Arrow: batches of any column types as frames of bounded size that hold no surprise."""

from collections.abc import Iterable, Iterator

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.readers.text import BLOCK_BYTES, KEPT_CHARACTERS, LONGEST_ROW

PROBLEM = "\0problem"
SHOWN_CHARACTERS = 1_000
DAY_MS = 86_400_000
FARTHEST_DAY = 20_000_000
FARTHEST_INSTANT = 2**62
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def frames(batch: pa.RecordBatch) -> Iterator[pl.DataFrame]:
    """A batch in parts of bounded size: its columns in types that Polars can write as text, and `problem` of each row.

    Text that is not UTF-8 shows its wrong bytes as �, a row of more than LONGEST_ROW bytes the beginning of its values.
    """
    columns: dict[str, pa.Array] = {}
    wrong = pl.repeat(value=False, n=batch.num_rows, eager=True)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns[name], is_wrong = _valid(column)
        wrong = wrong | is_wrong if is_wrong is not None else wrong
    sizes = _row_sizes(columns.values(), batch.num_rows)
    too_large = sizes > LONGEST_ROW
    problem = pl.DataFrame({"wrong": wrong, "too_large": too_large}).select(
        pl.when("wrong").then(pl.lit("encoding")).when("too_large").then(pl.lit("too_large")).alias(PROBLEM)
    )
    kept = pl.select(pl.when(too_large).then(KEPT_CHARACTERS).otherwise(sizes)).to_series()
    part = (kept.cum_sum() // BLOCK_BYTES).rle().struct.field("len")
    for start, length in zip((part.cum_sum() - part).to_list(), part.to_list(), strict=True):
        is_cut = too_large.slice(start, length)
        table = pa.table({name: _plain(column.slice(start, length), is_cut) for name, column in columns.items()})
        yield pl.DataFrame(pl.from_arrow(table)).hstack(problem.slice(start, length))


def _valid(column: pa.Array) -> tuple[pa.Array, pl.Series | None]:
    """A column whose text is UTF-8, and of each row whether its text was not; None where all of it was."""
    if not _is_text(column.type):
        column.validate(full=True)
        return column, None
    if not pa.types.is_dictionary(column.type):
        return _valid(column.dictionary_encode())
    words = column.dictionary
    try:
        column.validate(full=True)
        return pa.DictionaryArray.from_arrays(column.indices, words.cast(pa.large_string())), None
    except pa.ArrowInvalid:
        column.indices.validate(full=True)
    raw = [word or b"" for word in words.cast(pa.large_binary()).to_pylist()]
    shown = [word.decode("utf-8", "replace") for word in raw]
    is_wrong = pa.array([text.encode() != word for text, word in zip(shown, raw, strict=True)])
    mended = pa.DictionaryArray.from_arrays(column.indices, pa.array(shown, pa.large_string()))
    return mended, pl.Series(pl.from_arrow(is_wrong.take(column.indices))).fill_null(value=False)


def _row_sizes(columns: Iterable[pa.Array], height: int) -> pl.Series:
    """The bytes of text of each row; all 0 where even rows of the longest values would be small, and few."""
    sizes = pl.repeat(0, height, dtype=pl.Int64, eager=True)
    texts = [column for column in columns if _is_text(column.type)]
    lengths = [pc.binary_length(column.dictionary) for column in texts]
    greatest = sum(pc.max(length).as_py() or 0 for length in lengths)
    if greatest <= LONGEST_ROW and greatest * height <= BLOCK_BYTES:
        return sizes
    for column, length in zip(texts, lengths, strict=True):
        sizes = sizes + pl.Series(pl.from_arrow(length.cast(pa.int64()).take(column.indices))).fill_null(0)
    return sizes


def _is_text(kind: pa.DataType) -> bool:
    """True for text and bytes, also as a dictionary."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _plain(column: pa.Array, is_cut: pl.Series) -> pa.Array:
    """A column in a type that Polars writes as text; a time that no calendar has stays far out of every calendar."""
    kind = column.type
    if _is_text(kind):
        if not is_cut.any():
            return column.dictionary_decode()
        short = pc.utf8_slice_codeunits(column.dictionary, 0, SHOWN_CHARACTERS)
        mask = is_cut.to_arrow()
        whole = pa.DictionaryArray.from_arrays(pc.if_else(mask, None, column.indices), column.dictionary)
        return pc.if_else(
            mask, pa.DictionaryArray.from_arrays(column.indices, short).dictionary_decode(), whole.dictionary_decode()
        )
    if isinstance(kind, pa.BaseExtensionType):
        is_uuid = kind.extension_name == "arrow.uuid"
        return _hexadecimal(column.storage, is_uuid=is_uuid) if is_uuid else _plain(column.storage, is_cut)
    if pa.types.is_fixed_size_binary(kind):
        return _hexadecimal(column)
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_date(kind):
        days = column.cast(pa.timestamp("ms")).cast(pa.int64()) if pa.types.is_date64(kind) else column.cast(pa.int32())
        days = pc.divide(days, DAY_MS) if pa.types.is_date64(kind) else days
        return _between(days, FARTHEST_DAY).cast(pa.int32()).cast(pa.date32())
    if pa.types.is_time(kind) or pa.types.is_decimal256(kind):
        return column.cast(pa.string())
    plain = _plain_type(kind)
    return column if plain == kind else column.cast(plain)


def _instants(column: pa.Array) -> pa.Array:
    """Timestamps in microseconds or nanoseconds, of a zone in UTC."""
    unit = column.type.unit
    finer = "ns" if unit == "ns" else "us"
    factor = PER_SECOND[finer] // PER_SECOND[unit]
    ticks = _between(column.cast(pa.int64()), FARTHEST_INSTANT // factor)
    zone = "UTC" if column.type.tz else None
    return pc.multiply(ticks, pa.scalar(factor, pa.int64())).cast(pa.timestamp(finer, zone))


def _between(numbers: pa.Array, most: int) -> pa.Array:
    """Whole numbers, none farther from zero than `most`."""
    bound = pa.scalar(most, numbers.type)
    lower = pa.scalar(-most, numbers.type)
    return pc.max_element_wise(pc.min_element_wise(numbers, bound, skip_nulls=False), lower, skip_nulls=False)


def _hexadecimal(column: pa.Array, *, is_uuid: bool = False) -> pa.Array:
    """Bytes of a fixed number as hexadecimal digits, those of a UUID with its dashes."""
    digits = pl.Series(pl.from_arrow(column.cast(pa.large_binary()))).bin.encode("hex")
    dashed = digits.str.replace(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", "$1-$2-$3-$4-$5") if is_uuid else digits
    return dashed.to_arrow(compat_level=pl.CompatLevel.oldest())


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The nearest type that Polars knows; inside nested types too."""
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(member.name, _plain_type(member.type)) for member in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_type(kind.value_type), kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.large_list(_plain_type(kind.value_type))
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "s" else kind.unit, "UTC" if kind.tz else None)
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal256(kind):
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return kind
