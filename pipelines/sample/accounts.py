"""Accounts: from which visit on the shop knows a person, and in which visits they are logged in."""

import numpy as np
import polars as pl

from pipelines.sample.clock import MINUTE
from pipelines.sample.people import People

SYNC_DELAY = 15 * MINUTE


def known_from(rng: np.random.Generator, visits: pl.DataFrame, people: People) -> pl.DataFrame:
    """When each person became a contact. Out: person, contact_at; only those who did.

    By registering, an order without an account, a newsletter form or a demo request.
    """
    visits = with_registration(rng, visits, people)
    makes_contact = pl.col("registers_here") | pl.col("order") | pl.col("form") | pl.col("demo")
    return (
        visits.filter(makes_contact).group_by("person").agg(contact_at=pl.col("at").min() + SYNC_DELAY).sort("person")
    )


def with_registration(rng: np.random.Generator, visits: pl.DataFrame, people: People) -> pl.DataFrame:
    """Adds number (of the visit, per person) and registers_here: the first order of somebody who registers, or an early visit."""
    patience = pl.Series("patience", rng.geometric(0.35, people.count))
    people_frame = pl.DataFrame({"person": np.arange(people.count), "registers": people.registers}).with_columns(
        patience
    )
    ready = pl.col("registers") & (pl.col("order") | (pl.col("number") >= pl.col("patience")))
    return (
        visits.sort("person", "at", "slot")
        .with_columns(number=pl.int_range(1, pl.len() + 1).over("person"))
        .join(people_frame, on="person", how="left", maintain_order="left")
        .with_columns(is_ready=ready)
        .with_columns(
            registers_here=pl.col("is_ready") & (pl.col("is_ready").cast(pl.Int64).cum_sum().over("person") == 1)
        )
        .drop("registers", "patience", "is_ready")
    )


def with_logins(rng: np.random.Generator, visits: pl.DataFrame) -> pl.DataFrame:
    """Adds has_account, has_ordered (before this visit), remembered (logged in from the start), login (on the way), guest (orders without).

    In: visits with registers_here, sorted by person and time.
    """
    coins = pl.DataFrame({"login_coin": rng.random(visits.height), "cookie_coin": rng.random(visits.height)})
    eager = pl.when(pl.col("adds") > 0).then(0.92).otherwise(0.5)
    entered = pl.col("registers_here") | (pl.col("has_account") & (pl.col("login_coin") < eager))
    seen_here = (pl.col("entered").cast(pl.Int64).cum_sum() - pl.col("entered")).over("person", "slot") > 0
    return (
        visits.with_columns(coins)
        .with_columns(
            has_account=pl.col("registers_here").cast(pl.Int64).cum_sum().over("person") > 0,
            has_ordered=(pl.col("order").cast(pl.Int64).cum_sum() - pl.col("order")).over("person") > 0,
        )
        .with_columns(entered=entered)
        .with_columns(
            remembered=pl.col("has_account") & ~pl.col("registers_here") & seen_here & (pl.col("cookie_coin") < 0.75)
        )
        .with_columns(login=pl.col("entered") & ~pl.col("remembered") & ~pl.col("registers_here"))
        .with_columns(guest=pl.col("order") & ~(pl.col("remembered") | pl.col("login") | pl.col("registers_here")))
        .drop("login_coin", "cookie_coin", "entered")
    )
