"""Mails: newsletters and reminders of carts left behind, what is opened, and the clicks that bring people back."""

import numpy as np
import polars as pl

from pipelines.sample.clock import DAY, HOUR, MINUTE, Period
from pipelines.sample.draws import lognormal
from pipelines.sample.people import People

EVERY = 14 * DAY
NEWSLETTER_AT = 5 * DAY + 8 * HOUR


def newsletters(rng: np.random.Generator, contacts: pl.DataFrame, people: People, *, period: Period) -> pl.DataFrame:
    """One mail every two weeks to each subscriber since they are known. In: person, contact_at. Out: mails."""
    sendings = np.arange(NEWSLETTER_AT - period.burn_in // 14 * EVERY, period.end, EVERY)
    subscribers = contacts.filter(pl.Series(people.subscribes[contacts["person"].to_numpy()]))
    mails = subscribers.join(pl.DataFrame({"sent_at": sendings}), how="cross").filter(
        pl.col("contact_at") < pl.col("sent_at")
    )
    mails = mails.sort("person", "sent_at").with_columns(
        sent_at=pl.col("sent_at") + pl.Series(rng.integers(0, 20 * MINUTE, mails.height)),
        is_cart=pl.lit(False), cart_value=pl.lit(0, pl.Int64),
    )  # fmt: skip
    return _answered(rng, mails, opened=0.33, clicked=0.10, hours=5.0)


def reminders(rng: np.random.Generator, visits: pl.DataFrame, contacts: pl.DataFrame) -> pl.DataFrame:
    """A mail some hours after a cart was left behind by a known person. In: planned visits. Out: mails."""
    left = (
        visits.filter((pl.col("cart_value") > 0) & ~pl.col("order"))
        .join(contacts, on="person")
        .filter(pl.col("contact_at") < pl.col("at"))
        .sort("person", "at", "slot")
    )
    left = left.filter(pl.Series(rng.random(left.height) < 0.8))
    mails = left.with_columns(
        sent_at=pl.col("at") + 2 * HOUR + pl.Series(rng.integers(0, 2 * HOUR, left.height)), is_cart=pl.lit(True)
    )
    return _answered(rng, mails, opened=0.48, clicked=0.42, hours=3.0)


def _answered(
    rng: np.random.Generator, mails: pl.DataFrame, *, opened: float, clicked: float, hours: float
) -> pl.DataFrame:
    """Out: person, is_cart, cart_value, sent_at, opened_at, clicked_at (null where it did not happen)."""
    size = mails.height
    opening = pl.Series(lognormal(rng, hours * HOUR, 1.1, size))
    reading = pl.Series(rng.integers(4_000, 3 * MINUTE, size))
    opens, clicks = pl.Series(rng.random(size) < opened), pl.Series(rng.random(size) < clicked)
    return (
        mails.select("person", "is_cart", "cart_value", "sent_at")
        .with_columns(opened_at=pl.when(opens).then(pl.col("sent_at") + opening))
        .with_columns(clicked_at=pl.when(clicks).then(pl.col("opened_at") + reading))
    )
