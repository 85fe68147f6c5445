"""Downloads: the numbers of a figure as files beside its page, for a spreadsheet (CSV) and for code (Parquet)."""

from collections.abc import Callable
from io import BytesIO

import polars as pl

from reports.page import Figure, Page, Query

Answer = Callable[[Query], pl.DataFrame]
"""Gives the rows of a figure's SQL."""

FORMULA_STARTS = "^[=+\\-@\\t\\r]"
DIGITS = 6


def download_files(pages: list[Page], answer: Answer) -> dict[str, bytes]:
    """Both files of every figure, by their names below the site's folder."""
    files = {}
    for page in pages:
        for figure in figures_of(page):
            rows = tidy(answer(figure.query) if figure.rows is None else figure.rows)
            stem = download_stem(page, figure)
            files[f"{stem}.csv"] = as_csv(rows)
            files[f"{stem}.parquet"] = as_parquet(rows)
    return files


def figures_of(page: Page) -> list[Figure]:
    """The figures of a page, from top to bottom."""
    return [block for section in page.sections for block in section.blocks if isinstance(block, Figure)]


def download_stem(page: Page, figure: Figure) -> str:
    """Where the files of a figure lie, without their endings."""
    return f"tables/{page.file.removesuffix('.html')}-{figure.slug}"


def tidy(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with whole numbers as such (sums come as decimals), and shares as exact as they are told anywhere."""
    whole = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Decimal) or dtype == pl.Int128]
    return rows.with_columns(pl.col(whole).cast(pl.Int64), pl.col(pl.Float64).round(DIGITS, mode="half_to_even"))


def as_csv(rows: pl.DataFrame) -> bytes:
    """CSV in UTF-8 that a spreadsheet takes for text and numbers only.

    A text that begins as a formula would gets an apostrophe in front; spreadsheets show it as it was.
    """
    calmed = [
        pl.when(pl.col(name).str.contains(FORMULA_STARTS))
        .then(pl.concat_str(pl.lit("'"), pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name, dtype in rows.schema.items()
        if dtype == pl.String
    ]
    return rows.with_columns(calmed).write_csv(line_terminator="\r\n").encode()


def as_parquet(rows: pl.DataFrame) -> bytes:
    """Parquet with the values as they are; the same rows give the same bytes."""
    kept = BytesIO()
    rows.write_parquet(kept, compression="zstd", statistics=False)
    return kept.getvalue()
