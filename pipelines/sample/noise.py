"""Noise: what happens to calls between the browser and the file, and the robots among them.

Columns added to a call: message, visitor (numbers, written as hexadecimal), agent, skew, latency and received_at
(milliseconds), user (0 none, 1 the person's, 2 and 3 junk), is_duplicate.
"""

import numpy as np
import polars as pl

from pipelines.sample.catalogue import FIRST_PRODUCT_PAGE, FIRST_ROBOT, PRODUCTS, ROBOTS, Kind
from pipelines.sample.clock import DAY, HOUR, SECOND, Period
from pipelines.sample.draws import lognormal, scattered
from pipelines.sample.people import ROBOT_SALT, People, visitor_ids

LATE_SHARE, DUPLICATE_SHARE, ROBOT_SHARE, JUNK_SHARE = 0.01, 0.005, 0.01, 0.004
LATE_AFTER = HOUR
ROBOT_CALLS = 60
NO_USER, OWN_USER, NULL_USER, UNDEFINED_USER = 0, 1, 2, 3
MESSAGE_SALT = 17
NARROW = {
    "person": pl.Int32, "kind": pl.UInt8, "page": pl.UInt16, "product": pl.Int16, "value": pl.Int32, "traffic": pl.Int8,
    "extra": pl.UInt8, "agent": pl.UInt8, "user": pl.UInt8, "skew": pl.Int32, "latency": pl.Int16, "order": pl.Int32,
}  # fmt: skip


def as_sent(
    rng: np.random.Generator, calls: pl.DataFrame, people: People, *, seed: int, batch: int, period: Period
) -> pl.DataFrame:
    """The calls of a batch as they reach the server before the period's end, robots and repeated ones among them.

    `person` becomes the person's number; −1 for robots. One row per line to be written, in no order that matters.
    """
    size = calls.height
    person, slot = calls["person"].to_numpy(), calls["slot"].to_numpy()
    has_user = calls["has_user"].to_numpy()
    junk = np.where(rng.random(size) < JUNK_SHARE, rng.integers(NULL_USER, UNDEFINED_USER + 1, size), NO_USER)
    own = calls.select("kind", "page", "product", "value", "traffic", "extra", "at", "order").with_columns(
        person=pl.Series(people.number[person]),
        visitor=pl.Series(visitor_ids(people.device_code[person, slot], seed)),
        agent=pl.Series(people.agent[person, slot]),
        skew=pl.Series(people.skew[person, slot]),
        user=pl.Series(np.where(has_user, OWN_USER, junk)),
    )
    everything = pl.concat([own, _robots(rng, size, seed=seed, batch=batch, period=period)], how="diagonal")
    total = everything.height
    delay = np.where(
        rng.random(total) < LATE_SHARE,
        np.minimum(lognormal(rng, 8 * HOUR, 1.0, total), 3 * DAY),
        lognormal(rng, 600, 0.9, total),
    )
    latency = rng.integers(20, 300, total)
    sent = everything.with_columns(
        message=pl.Series(scattered((batch << 32) + np.arange(total), seed * 64 + MESSAGE_SALT)),
        latency=pl.Series(latency),
        received_at=pl.col("at") + pl.Series(np.maximum(delay, latency)),
        is_duplicate=pl.lit(False),
    ).cast(NARROW)  # type: ignore[arg-type]
    sent = sent.filter(pl.col("received_at") < period.end)
    return pl.concat([sent, _repeated(rng, sent, period=period)])


def is_late() -> pl.Expr:
    """True for calls that were received long after they were made."""
    return pl.col("received_at") - pl.col("at") > LATE_AFTER


def _repeated(rng: np.random.Generator, sent: pl.DataFrame, *, period: Period) -> pl.DataFrame:
    """Retries: the same message once more, some seconds to hours later."""
    again = sent.filter(pl.Series(rng.random(sent.height) < DUPLICATE_SHARE))
    delay = pl.Series(lognormal(rng, 40 * SECOND, 2.0, again.height) + SECOND)
    again = again.with_columns(received_at=pl.col("received_at") + delay, is_duplicate=pl.lit(True))
    return again.filter(pl.col("received_at") < period.end)


def _robots(rng: np.random.Generator, calls: int, *, seed: int, batch: int, period: Period) -> pl.DataFrame:
    """Robots that read page after page, a few seconds apart."""
    size = int(calls * ROBOT_SHARE)
    robot = np.arange(size) // ROBOT_CALLS
    count = -(-size // ROBOT_CALLS)
    begins = rng.integers(0, max(1, period.end - HOUR), count)
    agents = FIRST_ROBOT + rng.integers(0, len(ROBOTS), count)
    page = rng.integers(0, FIRST_PRODUCT_PAGE + len(PRODUCTS), size)
    return pl.DataFrame(
        {
            "kind": np.full(size, int(Kind.PAGE)), "page": page, "product": np.full(size, -1), "value": np.zeros(size, np.int64),
            "traffic": np.full(size, -1), "extra": np.zeros(size, np.int64),
            "at": begins[robot] + np.arange(size) % ROBOT_CALLS * 7_300, "order": np.zeros(size, np.int64),
            "person": np.full(size, -1), "visitor": scattered((batch << 32) + robot, seed * 64 + ROBOT_SALT),
            "agent": agents[robot], "skew": np.zeros(size, np.int64), "user": np.zeros(size, np.int64),
        }
    )  # fmt: skip
