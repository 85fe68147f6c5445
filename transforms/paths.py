"""Paths: the commonest ways of customers through channels and stages."""

from collections.abc import Sequence

import polars as pl

from transforms.contracts import MART_JOURNEY_PATHS

KEPT = 1000
OTHER = "(other paths)"
SEPARATOR = " > "


def common_paths(channels: pl.LazyFrame, stages: pl.LazyFrame, *, kept: int = KEPT) -> pl.LazyFrame:
    """The commonest paths of both kinds, the rest as one row, so that the journeys add up.

    In:  `channels` as of `journey_paths`; `stages` as of `stage_paths`.
    Out: MART_JOURNEY_PATHS in order of its key.
    """
    ways = pl.concat(
        [
            channels.with_columns(kind=pl.lit("channel"), is_assumed=pl.lit(None, dtype=pl.Boolean)),
            stages.with_columns(kind=pl.lit("stage")),
        ],
        how="diagonal",
    )
    named = ways.select(
        "kind",
        "is_assumed",
        text=pl.col("path").list.join(SEPARATOR),
        steps="path",
        journeys=pl.col("conversions") + pl.col("nulls"),
        converted_journeys="conversions",
    )
    order = pl.struct(-pl.col("journeys"), "text", pl.col("steps").list.len())
    placed = named.with_columns(place=order.rank("ordinal").over("kind").clip(upper_bound=kept + 1))
    is_rest = pl.col("place") > kept
    paths = placed.group_by("kind", "place").agg(
        pl.when(is_rest).then(pl.lit(OTHER)).otherwise("text").first().alias("path"),
        pl.when(~is_rest).then("steps").first().alias("steps"),
        pl.when(~is_rest).then(pl.col("steps").list.len()).first().alias("step_count"),
        pl.when(~is_rest).then("is_assumed").first().alias("is_assumed"),
        pl.col("journeys", "converted_journeys").sum(),
    )
    return MART_JOURNEY_PATHS.conform(
        paths.with_columns(all_journeys=pl.col("journeys").sum().over("kind")).sort("kind", "place")
    )


def stage_paths(entries: pl.LazyFrame, customers: pl.LazyFrame, *, stages: Sequence[str]) -> pl.LazyFrame:
    """The ways of customers through the stages.

    In:  CORE_STAGE_ENTRIES of whole customers; CORE_CUSTOMERS; `stages` in the order of the journey, the way assumed.
    Out: path (list of stages), conversions, nulls (customers who went so, with a conversion and without), is_assumed;
         ordered by path.
    """
    ways = entries.group_by("customer_id").agg(path=pl.col("stage").sort_by("entry_number"))
    bought = customers.select("customer_id", has_bought=pl.col("purchase_count") > 0)
    counted = (
        ways.join(bought, on="customer_id", how="left")
        .group_by("path")
        .agg(conversions=pl.col("has_bought").fill_null(False).sum().cast(pl.Int64), journeys=pl.len().cast(pl.Int64))
    )
    assumed = pl.Series([list(stages[: n + 1]) for n in range(len(stages))], dtype=pl.List(pl.String))
    return counted.select(
        "path",
        "conversions",
        nulls=pl.col("journeys") - pl.col("conversions"),
        is_assumed=pl.col("path").list.join("\x1f").is_in(assumed.list.join("\x1f").to_list()),
    ).sort(pl.col("path").list.join("\x1f"))
