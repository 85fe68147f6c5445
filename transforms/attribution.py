"""Attribution: which contacts get the credit for a conversion, by several models."""

from collections.abc import Sequence
from datetime import timedelta
from math import isqrt

import polars as pl

from transforms.contracts import MART_ATTRIBUTION, MART_ATTRIBUTION_MARKOV
from transforms.statistics import exported

ONE = 1_000_000
DIRECT = "Direct"
NONE = "(none)"
ALL = "(all)"
LOOKBACK = timedelta(days=30)
HALF_LIFE = timedelta(days=7)
MICROSECOND = timedelta(microseconds=1)

FRACTION_BITS = 40
SCALE = 1 << 62
LARGEST_SHIFT = 120
START, CONVERTED, LOST = "\x00start", "\x00converted", "\x00lost"


def attribution(
    touches: pl.LazyFrame,
    events: pl.LazyFrame,
    *,
    lookback: timedelta = LOOKBACK,
    half_life: timedelta = HALF_LIFE,
) -> pl.LazyFrame:
    """Share each conversion among the touches before it.

    In:  CORE_TOUCHES, CORE_EVENTS of the same whole customers.
    Out: MART_ATTRIBUTION in order of its key: a row per conversion, model and touch with credit; the credits of a
         conversion and model sum to one million. A conversion without touches gives all to touch 0, "(none)".

    A touch counts when it lies before the conversion and at most `lookback` before it; an earlier conversion does not
    cut the path. Shares are floored and what is left goes to the first touch, so that no float decides.
    Source: semantics.md §12.
    """
    paths = touch_paths(touches, events, lookback=lookback).cache()
    credited = pl.concat(
        paths.with_columns(model=pl.lit(model), weight=weight.cast(pl.Int128))
        .with_columns(credit_ppm=_credit())
        .filter(pl.col("credit_ppm") > 0)
        for model, weight in model_weights(half_life=half_life).items()
    )
    return MART_ATTRIBUTION.conform(
        credited.sort("customer_id", "conversion_event_id", "conversion_source", "model", "touch_number")
    )


def touch_paths(touches: pl.LazyFrame, events: pl.LazyFrame, *, lookback: timedelta = LOOKBACK) -> pl.LazyFrame:
    """The touches that lead to each conversion.

    In:  CORE_TOUCHES, CORE_EVENTS.
    Out: a row per conversion and touch: customer_id, conversion_source, conversion_event_id, converted_at, value_minor,
         currency, path (its number), touch_number, channel, utm_campaign, age_us (microseconds before the path's last
         touch), place (1 is the first touch), length (touches of the path). Without touches there is one row, "(none)".
    """
    conversions = (
        conversions_of(events).sort("customer_id", "conversion_event_id", "conversion_source").with_row_index("path")
    )
    before = pl.col("touched_at") < pl.col("converted_at")
    recent = pl.col("touched_at") >= pl.col("converted_at") - lookback
    found = (
        conversions.select("path", "customer_id", "converted_at")
        .join(touches.select("customer_id", "touch_number", "touched_at", "channel", "utm_campaign"), on="customer_id")
        .filter(before & recent)
        .drop("customer_id", "converted_at")
    )
    number = pl.col("touch_number")
    before_last = pl.col("touched_at").max().over("path") - pl.col("touched_at")
    return (
        conversions.join(found, on="path", how="left")
        .with_columns(
            number.fill_null(0),
            pl.when(number.is_null()).then(pl.lit(NONE)).otherwise("channel").alias("channel"),
            age_us=before_last.dt.total_microseconds().fill_null(0),
            place=number.rank("ordinal").over("path").fill_null(1),
            length=pl.len().over("path"),
        )
        .drop("touched_at")
    )


def conversions_of(events: pl.LazyFrame) -> pl.LazyFrame:
    """The conversions among CORE_EVENTS (robots and internal traffic aside), named as MART_ATTRIBUTION names them."""
    return events.filter(pl.col("is_conversion") & pl.col("is_counted")).select(
        "customer_id",
        "value_minor",
        "currency",
        conversion_source="source",
        conversion_event_id="event_id",
        conversion_event="event",
        converted_at="occurred_at",
    )


def model_weights(*, half_life: timedelta = HALF_LIFE) -> dict[str, pl.Expr]:
    """The weight of a touch within its path by each model, as an expression of integers over `touch_paths`."""
    place, length = pl.col("place"), pl.col("length")
    is_end = (place == 1) | (place == length)
    is_direct = (pl.col("channel") == DIRECT).fill_null(False)
    last_other = place.filter(~is_direct).max().over("path")
    return {
        "first": place == 1,
        "last": place == length,
        "last_non_direct": place == pl.coalesce(last_other, length),
        "linear": pl.lit(1),
        "time_decay": decay_weight(pl.col("age_us"), half_life=half_life),
        "position": pl.when(is_end & (length > 2)).then(2 * (length.cast(pl.Int64) - 2)).otherwise(1),
    }


def decay_weight(age_us: pl.Expr, *, half_life: timedelta) -> pl.Expr:
    """A weight (Int128) that halves with every half-life of age, computed in integers alone.

    The age in half-lives is a binary number of 40 fractional digits: its whole part shifts the weight, and each digit
    set multiplies it with a root of one half (2^-1/2, 2^-1/4, …) in 62-bit fixed point. The result is within one part
    in 10^12 of the true power, and the same on every machine.
    """
    halvings = age_us.cast(pl.Int128) * (1 << FRACTION_BITS) // (half_life // MICROSECOND)
    fraction = halvings % (1 << FRACTION_BITS)
    weight = pl.lit(SCALE, dtype=pl.Int128)
    for digit, root in enumerate(_roots_of_half(), start=1):
        is_set = fraction // (1 << (FRACTION_BITS - digit)) % 2 == 1
        factor = pl.when(is_set).then(pl.lit(root, dtype=pl.Int128)).otherwise(pl.lit(SCALE, dtype=pl.Int128))
        weight = weight * factor // SCALE
    whole = (halvings // (1 << FRACTION_BITS)).clip(upper_bound=LARGEST_SHIFT).cast(pl.UInt32)
    return weight // pl.lit(2, dtype=pl.Int128).pow(whole)


def _roots_of_half() -> list[int]:
    """2^-1/2, 2^-1/4, 2^-1/8, … in units of 1/SCALE, rounded down."""
    precise = 200
    roots, value = [], 1 << (precise - 1)
    for _ in range(FRACTION_BITS):
        value = isqrt(value << precise)
        roots.append(value * SCALE >> precise)
    return roots


def _credit() -> pl.Expr:
    """A touch's share of its path by weight, floored; what is left goes to the first touch."""
    share = (pl.col("weight") * ONE // pl.col("weight").sum().over("path")).cast(pl.Int64)
    rest = ONE - share.sum().over("path")
    return share + pl.when(pl.col("place") == 1).then(rest).otherwise(0)


# ---------------------------------------------------------------- Markov


def journey_paths(touches: pl.LazyFrame, events: pl.LazyFrame, *, lookback: timedelta = LOOKBACK) -> pl.LazyFrame:
    """The ways of customers from channel to channel, each cut where it converted.

    In:  CORE_TOUCHES, CORE_EVENTS of the same whole customers.
    Out: path (list of channels, repeats kept), conversions, nulls (journeys that ended so, or not); ordered by path.

    A touch belongs to the first conversion after it, when that is at most `lookback` later, and to nothing when it is
    not; touches after the last conversion are a journey that has not converted. A conversion without touches has the
    path "(none)".
    """
    conversions = (
        conversions_of(events).sort("customer_id", "conversion_event_id", "conversion_source").with_row_index("path")
    )
    ends = conversions.select("customer_id", "path", "converted_at").sort("converted_at", "path")
    next_end = touches.sort("touched_at", "customer_id", "touch_number").join_asof(
        ends,
        left_on="touched_at",
        right_on="converted_at",
        by="customer_id",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    is_recent = pl.col("touched_at") >= pl.col("converted_at") - lookback
    steps = next_end.filter(is_recent.fill_null(True)).group_by("customer_id", "path")
    ways = steps.agg(channels=pl.col("channel").fill_null(NONE).sort_by("touch_number"))
    credited = conversions.join(ways, on="path", how="left").select(
        path=pl.col("channels").fill_null([NONE]), conversions=pl.lit(1), nulls=pl.lit(0)
    )
    unfinished = ways.filter(pl.col("path").is_null()).select(path="channels", conversions=pl.lit(0), nulls=pl.lit(1))
    counted = (
        pl.concat([credited, unfinished]).group_by("path").agg(pl.col("conversions", "nulls").sum().cast(pl.Int64))
    )
    return counted.sort(pl.col("path").list.join("\x1f"))


def attribution_markov(touches: pl.LazyFrame, events: pl.LazyFrame) -> pl.DataFrame:
    """What each channel is worth by removal, for each conversion event and for all of them.

    In:  CORE_TOUCHES, CORE_EVENTS (conversions are enough).
    Out: MART_ATTRIBUTION_MARKOV in order of its key. For one conversion event only that event ends a journey.
         Nothing where nobody converted: there is no effect to share.
    """
    names = conversions_of(events).select("conversion_event").unique().sort("conversion_event").collect().to_series()
    parts = [_markov_of(touches, events, name) for name in names]
    if len(parts) == 1:
        parts.append(parts[0].with_columns(conversion=pl.lit(ALL)))
    elif parts:
        parts.append(_markov_of(touches, events, ALL))
    return MART_ATTRIBUTION_MARKOV.conform(
        pl.concat([MART_ATTRIBUTION_MARKOV.empty(), *parts]).lazy().sort("conversion", "channel")
    ).collect()


def _markov_of(touches: pl.LazyFrame, events: pl.LazyFrame, conversion: str) -> pl.DataFrame:
    """The rows of one conversion event, or of all."""
    asked = events if conversion == ALL else events.filter(pl.col("event") == conversion)
    paths = journey_paths(touches, asked).collect()
    journeys = pl.col("conversions") + pl.col("nulls")
    touched = (
        paths.with_columns(channel=pl.col("path").list.unique())
        .explode("channel")
        .group_by("channel")
        .agg(journeys=journeys.sum(), converted_journeys=pl.col("conversions").sum())
    )
    totals = paths.select(all_journeys=journeys.sum(), all_conversions=pl.col("conversions").sum())
    found = markov_credit(paths).join(touched, on="channel").join(totals, how="cross")
    return MART_ATTRIBUTION_MARKOV.conform(found.lazy().with_columns(conversion=pl.lit(conversion))).collect()


def markov_credit(paths: pl.DataFrame) -> pl.DataFrame:
    """Credit of each channel by what would be lost without it.

    In:  path (list of channels, repeats kept), conversions, nulls: how many journeys went that way, and how they ended.
    Out: channel (sorted), removal_effect (share of conversions lost when every step into the channel ends the journey),
         credit (its share of the sum of effects) and conversions (that share of all).

    First order: a journey starts, steps from channel to channel and ends converted or not. With N = (I - Q)^-1 the
    chance of ever coming to c is (s N)_c / N_cc and of converting from there (N r)_c; removal loses their product.
    Source: Anderl et al. (2016); Kemeny and Snell (1960) for absorbing chains. Fundamental matrix by Gauss-Jordan.
    """
    journeys = paths.filter((pl.col("conversions") + pl.col("nulls") > 0) & (pl.col("path").list.len() > 0))
    steps = _steps(journeys)
    channels = sorted(set(journeys["path"].explode().to_list()))
    schema = {"channel": pl.String, "removal_effect": pl.Float64, "credit": pl.Float64, "conversions": pl.Float64}
    total = int(journeys["conversions"].sum())
    if total == 0:
        return pl.DataFrame({"channel": channels}, schema={"channel": pl.String}).select(
            "channel", *(pl.lit(0.0).alias(name) for name in list(schema)[1:])
        )
    fundamental = _inverse([[float(a == b) - steps.get((a, b), 0.0) for b in channels] for a in channels])
    starts = [steps.get((START, channel), 0.0) for channel in channels]
    wins = [steps.get((channel, CONVERTED), 0.0) for channel in channels]
    places = range(len(channels))
    visits = [sum(starts[a] * fundamental[a][c] for a in places) for c in places]
    from_here = [sum(fundamental[c][b] * wins[b] for b in places) for c in places]
    base = sum(visits[c] * wins[c] for c in places)
    effects = [visits[c] / fundamental[c][c] * from_here[c] / base for c in places]
    credits = [effect / sum(effects) for effect in effects]
    rows = list(zip(channels, effects, credits, [credit * total for credit in credits], strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(exported(pl.col(pl.Float64)))


def _steps(journeys: pl.DataFrame) -> dict[tuple[str, str], float]:
    """The chance of each step of the chain, given where it starts."""
    weight = pl.col("conversions") + pl.col("nulls")
    inner = journeys.select("path", weight=weight).with_row_index("way").explode("path")
    ends = journeys.select(here=pl.col("path").list.last(), conversions="conversions", nulls="nulls")
    moves = pl.concat(
        [
            journeys.select(here=pl.lit(START), there=pl.col("path").list.first(), weight=weight),
            inner.select(here="path", there=pl.col("path").shift(-1).over("way"), weight="weight").drop_nulls("there"),
            ends.select("here", there=pl.lit(CONVERTED), weight="conversions"),
            ends.select("here", there=pl.lit(LOST), weight="nulls"),
        ]
    )
    counted = moves.group_by("here", "there").agg(pl.col("weight").sum())
    shares = counted.select("here", "there", share=pl.col("weight") / pl.col("weight").sum().over("here"))
    return {(here, there): share for here, there, share in shares.iter_rows()}


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The inverse of a small matrix, by Gauss-Jordan elimination with partial pivoting."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        best = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[best] = rows[best], rows[column]
        pivot = rows[column][column]
        rows[column] = [value / pivot for value in rows[column]]
        for other in range(size):
            factor = rows[other][column]
            if other != column and factor:
                rows[other] = [value - factor * own for value, own in zip(rows[other], rows[column], strict=True)]
    return [row[size:] for row in rows]
