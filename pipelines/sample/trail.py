"""The trail: visits turned into calls, one row per page, track or identify call.

Columns of a call: person (place in the batch), visit, kind, page, product, value (cents), traffic (−1 but on a landing page),
extra (which query or coupon), has_user, at, slot, order (number, null but on orders and refunds).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.sample.catalogue import (
    BLOG_PAGES,
    CATEGORY_PAGES,
    FIRST_PRODUCT_PAGE,
    HELP_PAGES,
    PAGE,
    PRODUCTS,
    Kind,
)
from pipelines.sample.clock import DAY, MINUTE, SECOND, Period
from pipelines.sample.draws import Array, lognormal, pick

KEYS = 1 << 14
ROAMING = (8, 8_000)
ADD, REMOVE, CART, COUNTER, CHECKOUT, COUPON, SHIPPING, GUEST, PAYMENT, ERROR, ORDER = range(8_100, 9_200, 100)
AFTER = 10_000
NEVER = KEYS

SHOP_PAGES = (
    *CATEGORY_PAGES,
    *CATEGORY_PAGES,
    *BLOG_PAGES[:-1],
    *HELP_PAGES,
    PAGE["/"],
    PAGE["/pricing"],
    PAGE["/compare"],
)
CUSTOMER_PAGES = (*CATEGORY_PAGES, PAGE["/account"], PAGE["/account/orders"], *HELP_PAGES[:2], BLOG_PAGES[0])
BUSINESS_PAGES = (
    PAGE["/business"],
    PAGE["/business"],
    PAGE["/pricing"],
    PAGE["/compare"],
    *CATEGORY_PAGES[:2],
    HELP_PAGES[3],
)

QUICK = frozenset({Kind.PRODUCT_VIEWED, Kind.IDENTIFY, Kind.SEARCHED})
FORMS = frozenset({Kind.SHIPPING, Kind.PAYMENT, Kind.SIGNED_UP, Kind.SIGNED_IN, Kind.DEMO, Kind.REVIEW, Kind.FORM})


@dataclass
class Calls:
    """Calls as they are collected: which visit, and at which place in it."""

    parts: list[dict[str, Array]]

    def add(
        self, visit: Array, kind: Kind, key: Array | int, page: Array | int, *, product: Array | int = -1,
        value: Array | int = 0, traffic: Array | int = -1, extra: Array | int = 0,
    ) -> None:  # fmt: skip
        """One call per entry of `visit`."""
        columns: dict[str, Array | int] = {"visit": visit, "kind": int(kind), "key": key, "page": page, "product": product,
                                           "value": value, "traffic": traffic, "extra": extra}  # fmt: skip
        self.parts.append({name: np.broadcast_to(column, visit.shape) for name, column in columns.items()})

    def sorted(self) -> dict[str, Array]:
        """All calls in the order of their visits and places."""
        columns = {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}
        order = np.argsort(columns["visit"] * KEYS + columns["key"], kind="stable")
        return {name: column[order] for name, column in columns.items()}


def lay_trail(
    rng: np.random.Generator, visits: pl.DataFrame, *, is_business: Array, period: Period, first_order: int
) -> pl.DataFrame:
    """The calls of these visits, sorted by person and time, and later refunds; times are whole milliseconds, different per person."""
    calls = Calls([])
    table = {name: visits[name].to_numpy() for name in visits.columns}
    _roam(rng, calls, table, is_business)
    _recognise(calls, table)
    _buy(rng, calls, table)
    rows = calls.sorted()
    at = _times(rng, rows, table["at"])
    visit, key = rows["visit"], rows["key"]
    user_from = np.select(
        [table["remembered"], table["login"] | table["registers_here"]], [0, _login_key(table)], default=NEVER
    )
    is_order = rows["kind"] == Kind.ORDER
    frame = pl.DataFrame(
        {
            "person": table["person"][visit], "visit": visit, "kind": rows["kind"], "page": rows["page"], "product": rows["product"],
            "value": rows["value"], "traffic": rows["traffic"], "extra": rows["extra"], "has_user": key >= user_from[visit],
            "at": at, "slot": table["slot"][visit], "order": np.where(is_order, first_order + np.cumsum(is_order), 0),
        }
    )  # fmt: skip
    frame = pl.concat([frame, _refunds(rng, frame.filter(pl.col("kind") == int(Kind.ORDER)))])
    return _at_different_times(frame).filter(pl.col("at") < period.end)


def _roam(rng: np.random.Generator, calls: Calls, table: dict[str, Array], is_business: Array) -> None:
    """Landing, pages, searches and products, in any order."""
    everyone = np.arange(len(table["at"]))
    calls.add(everyone, Kind.PAGE, 0, table["landing"], traffic=table["traffic"])
    browsing = np.repeat(everyone, table["browse"])
    pages = np.where(
        is_business[table["person"][browsing]],
        pick(rng, BUSINESS_PAGES, len(browsing)),
        np.where(
            table["has_account"][browsing],
            pick(rng, CUSTOMER_PAGES, len(browsing)),
            pick(rng, SHOP_PAGES, len(browsing)),
        ),
    )
    calls.add(browsing, Kind.PAGE, rng.integers(*ROAMING, len(browsing)), pages)
    searching = np.repeat(everyone, table["searches"])
    key = rng.integers(*ROAMING, len(searching)) & ~1
    calls.add(searching, Kind.PAGE, key, PAGE["/search"])
    calls.add(searching, Kind.SEARCHED, key + 1, PAGE["/search"], extra=rng.integers(0, 8, len(searching)))
    viewing = np.repeat(everyone, table["views"])
    nth = np.arange(len(viewing)) - np.repeat(np.cumsum(table["views"]) - table["views"], table["views"])
    mains = np.column_stack([table["main_1"], table["main_2"], table["main_3"]])
    product = np.where(nth < 3, mains[viewing, np.minimum(nth, 2)], rng.integers(0, len(PRODUCTS), len(viewing)))
    key = rng.integers(*ROAMING, len(viewing)) & ~1
    calls.add(viewing, Kind.PAGE, key, FIRST_PRODUCT_PAGE + product)
    calls.add(viewing, Kind.PRODUCT_VIEWED, key + 1, FIRST_PRODUCT_PAGE + product, product=product)
    reviewing = everyone[table["review"] & table["has_ordered"]]
    calls.add(reviewing, Kind.REVIEW, ROAMING[1] - 1, PAGE["/account/orders"], product=table["main_1"][reviewing])


def _login_key(table: dict[str, Array]) -> Array:
    """Where in the visit a login or registration comes: at the counter for those who check out, else while roaming."""
    early = ROAMING[0] + table["at"] % (ROAMING[1] - ROAMING[0] - 8)
    return np.where(table["checkout"], COUNTER, early)


def _recognise(calls: Calls, table: dict[str, Array]) -> None:
    """Registrations, logins, newsletter forms and demo requests; each tells who it is."""
    everyone = np.arange(len(table["at"]))
    key = _login_key(table)
    for kind, flag in ((Kind.SIGNED_UP, "registers_here"), (Kind.SIGNED_IN, "login")):
        chosen = everyone[table[flag]]
        calls.add(chosen, Kind.IDENTIFY, key[chosen], PAGE["/account/login"], extra=1)
        calls.add(chosen, kind, key[chosen] + 1, PAGE["/account/login"])
    for kind, flag, page in ((Kind.FORM, "form", BLOG_PAGES[0]), (Kind.DEMO, "demo", PAGE["/business"])):
        chosen = everyone[table[flag]]
        calls.add(chosen, kind, AFTER, page)
        calls.add(chosen, Kind.IDENTIFY, AFTER + 1, page, extra=1)


def _buy(rng: np.random.Generator, calls: Calls, table: dict[str, Array]) -> None:
    """Cart, checkout and order."""
    everyone = np.arange(len(table["at"]))
    cart, till = PAGE["/cart"], PAGE["/checkout"]
    for nth in range(3):
        adding = everyone[table["adds"] > nth]
        product = table[f"main_{nth + 1}"][adding]
        calls.add(adding, Kind.ADDED, ADD + nth, FIRST_PRODUCT_PAGE + product, product=product)
    removing = everyone[table["removes"] > 0]
    last = np.where(table["adds"] > 2, table["main_3"], table["main_2"])
    calls.add(removing, Kind.REMOVED, REMOVE, cart, product=last[removing])
    showing = everyone[table["shows_cart"]]
    calls.add(showing, Kind.PAGE, CART, cart)
    calls.add(showing, Kind.CART_VIEWED, CART + 1, cart, value=table["cart_value"][showing])
    steps = (
        ("checkout", Kind.PAGE, CHECKOUT, till), ("checkout", Kind.CHECKOUT, CHECKOUT + 1, till),
        ("shipping", Kind.SHIPPING, SHIPPING, till), ("payment", Kind.PAYMENT, PAYMENT, till),
        ("fails", Kind.CHECKOUT_ERROR, ERROR, till), ("order", Kind.ORDER, ORDER, till),
        ("order", Kind.PAGE, ORDER + 1, PAGE["/checkout/thank-you"]),
    )  # fmt: skip
    for flag, kind, key, page in steps:
        chosen = everyone[table[flag]]
        calls.add(chosen, kind, key, page, value=0 if kind is Kind.PAGE else table["cart_value"][chosen])
    chosen = everyone[table["coupon"]]
    calls.add(chosen, Kind.COUPON, COUPON, till, extra=rng.integers(0, 3, len(chosen)))
    calls.add(everyone[table["guest"]], Kind.IDENTIFY, GUEST, till, extra=1)


def _times(rng: np.random.Generator, rows: dict[str, Array], starts: Array) -> Array:
    """When each call is made: the visit's start and the pauses since."""
    size = len(rows["visit"])
    kind = rows["kind"]
    pause = np.minimum(lognormal(rng, 19 * SECOND, 1.0, size), 25 * MINUTE)
    pause = np.where(np.isin(kind, [int(each) for each in FORMS]), lognormal(rng, 32 * SECOND, 0.6, size), pause)
    pause = np.where(rng.random(size) < 0.004, rng.integers(15 * MINUTE, 55 * MINUTE, size), pause)
    pause = np.where(np.isin(kind, [int(each) for each in QUICK]), rng.integers(120, 900, size), pause)
    opens = np.diff(rows["visit"], prepend=-1) != 0
    total = np.cumsum(np.where(opens, 0, pause))
    first = np.maximum.accumulate(np.where(opens, np.arange(size), 0))
    at: Array = starts[rows["visit"]] + total - total[first]
    return at


def _refunds(rng: np.random.Generator, orders: pl.DataFrame) -> pl.DataFrame:
    """A few orders come back, one to three weeks later."""
    returned = orders.filter(pl.Series(rng.random(orders.height) < 0.045))
    delay = pl.Series(rng.integers(6 * DAY, 21 * DAY, returned.height))
    return returned.with_columns(
        kind=pl.lit(int(Kind.REFUND), pl.Int64), page=pl.lit(PAGE["/account/orders"], pl.Int64), at=pl.col("at") + delay
    )


def _at_different_times(frame: pl.DataFrame) -> pl.DataFrame:
    """Sorted by person and time; a call at the instant of another of its person happens a millisecond later."""
    frame = frame.sort("person", "at", "visit", "kind", maintain_order=True)
    clash = (pl.col("at") <= pl.col("at").shift()) & (pl.col("person") == pl.col("person").shift())
    while frame.select(clash.any()).item():
        frame = frame.with_columns(at=pl.col("at") + clash.fill_null(False).cast(pl.Int64))
        frame = frame.sort("person", "at", maintain_order=True)
    return frame
