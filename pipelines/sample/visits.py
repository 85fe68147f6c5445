"""Visits: when each person comes, by which way, and what they get done, one row per visit.

A visit is a plan; `trail` turns it into calls. Columns: person (place in the batch), at, slot, device, traffic, landing,
browse, searches, views, adds, removes, shows_cart, main_1..main_3 (products), cart_value, checkout, coupon, shipping,
payment, order, fails, is_hit, form, demo, review.
"""

import numpy as np
import polars as pl

from pipelines.sample.catalogue import (
    BLOG_PAGES,
    CATEGORY_PAGES,
    PAGE,
    PRODUCTS,
    TRAFFIC,
    TRAFFIC_NUMBER,
    VIRAL_ARTICLE,
)
from pipelines.sample.clock import DAY, Period, waking
from pipelines.sample.draws import Array, choose, lognormal, pick
from pipelines.sample.people import AGENT_DEVICE, CONSIDERING, People
from pipelines.sample.stories import Story, order_factor

STAYS = (0.48, 0.75, 0.86)
VIEWS = (0.8, 1.9, 2.4)
ADDS = (0.06, 0.15, 0.30)
CHECKS_OUT = (0.38, 0.50, 0.62)
SHIPPING, PAYMENT, ORDER = 0.91, 0.91, 0.80
RESUMES_WITHIN = 7 * DAY

TRAFFIC_WEIGHTS = tuple(tuple(traffic.weights[column] for traffic in TRAFFIC) for column in range(3))
PRICES = np.array([product.price for product in PRODUCTS])


def own_visits(rng: np.random.Generator, people: People, *, period: Period) -> pl.DataFrame:
    """The visits that people make of their own accord: person, at, slot, traffic, is_first, resumes (all false)."""
    count = 1 + rng.negative_binomial(1.1, np.array([0.66, 0.34, 0.17])[people.intent])
    count = np.where(people.is_viral, 1, np.minimum(count, 60))
    person = np.repeat(np.arange(people.count), count)
    starts = np.repeat(np.cumsum(count) - count, count)
    is_first = np.arange(len(person)) == starts
    gaps = np.where(is_first, people.arrives_at[person], lognormal(rng, 5.5 * DAY, 1.2, len(person)))
    total = np.cumsum(gaps)
    at = waking(total - total[starts] + gaps[starts], period, rng)
    traffic = np.where(
        is_first, choose(rng, TRAFFIC_WEIGHTS[0], len(person)), choose(rng, TRAFFIC_WEIGHTS[1], len(person))
    )
    traffic = np.where(people.is_business[person], choose(rng, TRAFFIC_WEIGHTS[2], len(person)), traffic)
    viral = pick(
        rng, [TRAFFIC_NUMBER[name] for name in ("google organic", "facebook", "instagram", "reddit")], len(person)
    )
    traffic = np.where(people.is_viral[person], viral, traffic)
    visits = pl.DataFrame(
        {"person": person, "at": at, "slot": _slots(rng, people, person), "traffic": traffic, "is_first": is_first}
    )
    return visits.with_columns(resumes=False).filter(pl.col("at") < period.end).sort("person", "at", "slot")


def mail_visits(rng: np.random.Generator, people: People, clicks: pl.DataFrame) -> pl.DataFrame:
    """The visits that begin with a click in a mail. In: person, clicked_at, is_cart, cart_value."""
    traffic = pl.when("is_cart").then(TRAFFIC_NUMBER["cart mail"]).otherwise(TRAFFIC_NUMBER["newsletter"])
    slots = pl.Series("slot", _slots(rng, people, clicks["person"].to_numpy()))
    return (
        clicks.with_columns(slots)
        .select("person", pl.col("clicked_at").alias("at"), "slot", traffic.cast(pl.Int64).alias("traffic"),
                is_first=pl.lit(False), resumes="is_cart", held_value="cart_value")
        .sort("person", "at", "slot")
    )  # fmt: skip


def with_plans(
    rng: np.random.Generator, visits: pl.DataFrame, people: People, *, stories: tuple[Story, ...]
) -> pl.DataFrame:
    """What is done in each visit. In: visits sorted by person and time; held_value where a mail reminds of a cart."""
    person = visits["person"].to_numpy()
    device = AGENT_DEVICE[people.agent[person, visits["slot"].to_numpy()]]
    basket = _baskets(rng, visits, people.intent[person])
    till = _checkouts(rng, visits, basket["has_cart"], people.intent[person], device, stories)
    stays, business = basket.pop("stays"), people.is_business[person]
    chances = rng.random((3, visits.height))
    plans = {
        "device": device,
        "landing": _landings(rng, visits["traffic"].to_numpy(), people.is_viral[person]),
        **basket,
        **till,
        "shows_cart": basket["shows_cart"] | till["checkout"],
        "form": stays & ~business & (chances[0] < 0.012),
        "demo": stays & business & (chances[1] < 0.30),
        "review": stays & (chances[2] < 0.22),
    }
    columns = [pl.Series(name, values) for name, values in plans.items() if name != "has_cart"]
    return visits.select("person", "at", "slot", "traffic").with_columns(columns)


def _baskets(rng: np.random.Generator, visits: pl.DataFrame, intent: Array) -> dict[str, Array]:
    """Who stays, what they read and look at, and what is in the cart at the end."""
    size = visits.height
    stays = (rng.random(size) < np.array(STAYS)[intent]) | visits["resumes"].to_numpy()
    warms = np.where(intent == CONSIDERING, np.where(visits["is_first"].to_numpy(), 0.6, 1.25), 1.0)
    views = np.where(stays, rng.poisson(np.array(VIEWS)[intent]), 0)
    adding = (views > 0) & (rng.random(size) < np.array(ADDS)[intent] * warms)
    adds = np.where(adding, np.minimum(1 + choose(rng, (0.7, 0.22, 0.08), size), views), 0)
    removes = ((adds > 1) & (rng.random(size) < 0.2)).astype(np.int64)
    goods = {f"main_{nth}": rng.integers(0, len(PRODUCTS), size) for nth in (1, 2, 3)}
    held, resumes = _held_carts(rng, visits, adding, goods["main_1"])
    kept = adds - removes
    value = held + sum((kept >= nth) * PRICES[goods[f"main_{nth}"]] for nth in (1, 2, 3))
    has_cart = adding | resumes
    return {
        "stays": stays, "has_cart": has_cart, "browse": np.where(stays, rng.geometric(0.42, size), 0),
        "searches": (stays & (rng.random(size) < 0.16)).astype(np.int64), "views": views, "adds": adds, "removes": removes,
        "shows_cart": resumes | (adding & (rng.random(size) < 0.5)), **goods, "cart_value": np.where(has_cart, value, 0),
    }  # fmt: skip


def _checkouts(
    rng: np.random.Generator,
    visits: pl.DataFrame,
    has_cart: Array,
    intent: Array,
    device: Array,
    stories: tuple[Story, ...],
) -> dict[str, Array]:
    """How far each cart gets; `is_hit` marks the orders that a story prevented."""
    size = visits.height
    checkout = has_cart & (rng.random(size) < np.array(CHECKS_OUT)[intent])
    shipping = checkout & (rng.random(size) < SHIPPING)
    payment = shipping & (rng.random(size) < PAYMENT)
    factor = order_factor(stories, visits["at"].to_numpy(), device)
    attempt = rng.random(size)
    order = payment & (attempt < ORDER * factor)
    is_hit = payment & ~order & (attempt < ORDER)
    return {
        "checkout": checkout, "coupon": checkout & (rng.random(size) < 0.12), "shipping": shipping, "payment": payment, "order": order,
        "fails": payment & ~order & (rng.random(size) < np.where(is_hit, 0.85, 0.12)), "is_hit": is_hit,
    }  # fmt: skip


def _slots(rng: np.random.Generator, people: People, person: Array) -> Array:
    """The device of each visit: mostly the first."""
    drawn = choose(rng, (0.62, 0.28, 0.10), len(person))
    return np.where(drawn < people.device_count[person], drawn, 0)


def _held_carts(rng: np.random.Generator, visits: pl.DataFrame, adding: Array, main: Array) -> tuple[Array, Array]:
    """Value of the cart left behind in the visit before (or the one a mail reminds of), and whether it is taken up again."""
    if "held_value" in visits.columns:
        resumes = visits["resumes"].to_numpy()
        return np.where(resumes, visits["held_value"].to_numpy(), 0), resumes
    person, at = visits["person"].to_numpy(), visits["at"].to_numpy()
    before = np.arange(len(person)) - 1
    follows = (
        (before >= 0) & (person[before] == person) & (at - at[before] <= RESUMES_WITHIN) & adding[before] & ~adding
    )
    resumes = follows & (rng.random(len(person)) < 0.4)
    return np.where(resumes, PRICES[main[before]], 0), resumes


def _landings(rng: np.random.Generator, traffic: Array, is_viral: Array) -> Array:
    """The first page of each visit, by the way it came."""
    size = len(traffic)
    pages = {
        "home": np.full(size, PAGE["/"]),
        "blog": np.where(rng.random(size) < 0.6, pick(rng, BLOG_PAGES[:-1], size), pick(rng, CATEGORY_PAGES, size)),
        "category": pick(rng, CATEGORY_PAGES, size),
        "business": np.full(size, PAGE["/business"]),
        "cart": np.full(size, PAGE["/cart"]),
    }
    landing = pages["home"]
    for number, way in enumerate(TRAFFIC):
        landing = np.where(traffic == number, pages[way.landing], landing)
    return np.where(is_viral, PAGE[VIRAL_ARTICLE], landing)
