"""The ground truth: who every identifier belongs to, the true sessions, the true funnel, and what was planted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.sample.catalogue import DESKTOP, DEVICES, MOBILE, TABLET, Kind
from pipelines.sample.clock import DAY, MINUTE, Period
from pipelines.sample.crm import Crm
from pipelines.sample.draws import Array, hexadecimal
from pipelines.sample.names import contact_id_of, email_of, person_name, phone_of, user_id_of
from pipelines.sample.noise import OWN_USER
from pipelines.sample.people import AGENT_DEVICE
from pipelines.sample.stories import Story

SESSION_TIMEOUT = 30 * MINUTE
SESSION_LENGTH = DAY
FUNNEL = (
    (Kind.PRODUCT_VIEWED, "product_view"),
    (Kind.ADDED, "add_to_cart"),
    (Kind.CHECKOUT, "checkout_started"),
    (Kind.ORDER, "order_placed"),
)
FUNNEL_WINDOW = 7 * DAY


class Truth:
    """What is true of the batches seen so far."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.sessions: list[pl.DataFrame] = []
        self.visitors: list[pl.DataFrame] = []
        self.shared: list[pl.DataFrame] = []
        self.users: list[pl.Series] = []
        self.addresses: list[pl.Series] = []
        self.checkouts: list[pl.DataFrame] = []
        self.funnels = {unit: np.zeros(len(FUNNEL), dtype=np.int64) for unit in ("person", "session")}

    def add(self, sent: pl.DataFrame) -> None:
        """Learn from the lines of a batch of whole persons: robots' and repeated ones do not count."""
        own = sent.filter(~pl.col("is_duplicate") & (pl.col("person") >= 0))
        own = own.select("person", "at", "kind", "visitor", "user", "message", "agent").sort("person", "at")
        session = session_numbers(own["person"].to_numpy(), own["at"].to_numpy())
        own = own.with_columns(session=pl.Series(session))
        for unit, column in (("person", own["person"].to_numpy()), ("session", session)):
            self.funnels[unit] += funnel_counts(column, own["at"].to_numpy(), own["kind"].to_numpy())
        self.sessions.append(
            own.group_by("session", maintain_order=True)
            .agg(
                pl.col("person").first(), started_at=pl.col("at").first(), ended_at=pl.col("at").last(), events=pl.len()
            )
            .drop("session")
        )
        visitors = own.select("visitor", "person").unique().sort("visitor", "person")
        self.visitors.append(visitors)
        is_shared = pl.len().over("visitor") > 1
        shared = visitors.filter(is_shared).select("visitor").unique()
        self.shared.append(own.join(shared, on="visitor", how="semi").select("message", "person").sort("message"))
        self.users.append(own.filter(pl.col("user") == OWN_USER)["person"].unique())
        self.addresses.append(own.filter(pl.col("kind") == int(Kind.IDENTIFY))["person"].unique())
        self.checkouts.append(_checkouts(own))

    def write(self, folder: Path, *, crm: Crm, stories: tuple[Story, ...], books: dict[str, Any]) -> None:
        """Write the truth below `folder`."""
        folder.mkdir(parents=True)
        self._sessions().write_parquet(folder / "sessions.parquet")
        self._identifiers(crm).write_parquet(folder / "identifiers.parquet")
        self._shared_devices().write_parquet(folder / "shared_device_events.parquet")
        checkouts = self._checkouts_by_day()
        checkouts.write_parquet(folder / "checkouts_by_day.parquet")
        _write_json(folder / "funnels.json", self._funnels())
        _write_json(folder / "stories.json", [self._story(story) for story in stories])
        _write_json(folder / "books.json", books)

    def _sessions(self) -> pl.DataFrame:
        """person, started_at, ended_at, events."""
        return pl.concat(self.sessions).select(
            person=person_name("person"),
            started_at=self.period.instants(pl.col("started_at")),
            ended_at=self.period.instants(pl.col("ended_at")),
            events=pl.col("events").cast(pl.Int64),
        )

    def _identifiers(self, crm: Crm) -> pl.DataFrame:
        """namespace, value, person: sorted; a device of two persons has two rows."""
        in_crm = (crm.contacts, crm.tickets, crm.surveys, crm.deals, crm.mails)
        records = _numbers([frame["person"] for frame in in_crm])
        users = _numbers([
            *self.users, crm.subscriptions["person"], crm.referrals["person"],
            crm.contacts.filter(pl.col("registered_at") < self.period.end)["person"],
        ])  # fmt: skip
        addresses = _numbers([*self.addresses, records["person"]])
        phones = crm.contacts.filter("has_phone").select("person")
        people = (
            ("user_id", users, user_id_of), ("crm_contact_id", records, contact_id_of),
            ("email", addresses, email_of), ("phone", phones, phone_of),
        )  # fmt: skip
        visitors = pl.concat(self.visitors).unique()
        frames = [
            frame.select(namespace=pl.lit(name), value=value("person"), person=person_name("person"))
            for name, frame, value in people
        ]
        frames.append(
            visitors.select(
                pl.Series("value", hexadecimal(visitors["visitor"].to_numpy())).cast(pl.String),
                namespace=pl.lit("anonymous_id"), person=person_name("person"),
            ).select("namespace", "value", "person")
        )  # fmt: skip
        return pl.concat(frames).sort("namespace", "value", "person")

    def _shared_devices(self) -> pl.DataFrame:
        """message_id, person: who really made each call on a device that two persons use."""
        shared = pl.concat(self.shared)
        text = pl.Series("message_id", hexadecimal(shared["message"].to_numpy())).cast(pl.String)
        return shared.select(
            pl.concat_str(pl.lit("ajs-"), text).alias("message_id"), person=person_name("person")
        ).sort("message_id")

    def _checkouts_by_day(self) -> pl.DataFrame:
        """day (UTC), device, checkouts (true sessions that start one), orders (those of them with an order)."""
        by_day = pl.concat(self.checkouts).group_by("day", "device").agg(pl.col("checkouts", "orders").sum())
        names = pl.col("device").replace_strict([MOBILE, DESKTOP, TABLET], list(DEVICES), return_dtype=pl.String)
        day = self.period.instants(pl.col("day").cast(pl.Int64) * DAY).dt.date()
        return by_day.sort("day", "device").with_columns(device=names, day=day)

    def _funnels(self) -> dict[str, Any]:
        return {
            "name": "checkout",
            "steps": [name for _, name in FUNNEL],
            "window_days": FUNNEL_WINDOW // DAY,
            "reached": {unit: counts.tolist() for unit, counts in self.funnels.items()},
        }

    def _story(self, story: Story) -> dict[str, Any]:
        """What was planted, and the checkouts of its segment on its days and on all others."""
        by_day = pl.concat(self.checkouts)
        if story.device is not None:
            by_day = by_day.filter(pl.col("device") == story.device)
        inside = pl.col("day").is_between(story.begins // DAY, (story.ends - 1) // DAY)
        totals = {
            name: by_day.filter(rows).select(pl.col("checkouts", "orders").sum()).row(0, named=True)
            for name, rows in (("on_its_days", inside), ("on_other_days", ~inside))
        }
        return {
            "name": story.name, "description": story.description, "segment": story.segment,
            "from": self.period.instant(story.begins).isoformat(), "to": self.period.instant(story.ends).isoformat(), **totals,
        }  # fmt: skip


def session_numbers(person: Array, at: Array) -> Array:
    """The session of each call, numbered from 0. In: calls sorted by person and time.

    A session ends where nothing follows for more than 30 minutes, or 24 hours after it began (semantics.md §5).
    """
    opens = np.ones(len(at), dtype=bool)
    opens[1:] = (person[1:] != person[:-1]) | (np.diff(at) > SESSION_TIMEOUT)
    while True:
        began = at[np.maximum.accumulate(np.where(opens, np.arange(len(at)), 0))]
        too_long = at - began > SESSION_LENGTH
        too_long[1:] &= ~too_long[:-1] | opens[1:]
        if not too_long.any():
            return np.cumsum(opens) - 1
        opens |= too_long


def funnel_counts(unit: Array, at: Array, kind: Array) -> Array:
    """How many units reach each step of the checkout funnel, in order, within the window of their best attempt.

    In: calls sorted by unit and time, instants different within a unit. Keeping the latest start of a chain per step
    gives the depth exactly (semantics.md §8).
    """
    span = 1 << 40
    key = unit.astype(np.int64) * span + at
    ends = starts = key[kind == FUNNEL[0][0]]
    counts = [len(np.unique(ends // span))]
    for step, _ in FUNNEL[1:]:
        events = key[kind == step]
        before = np.searchsorted(ends, events, side="left") - 1
        begun = np.where(before >= 0, starts[np.maximum(before, 0)] if len(starts) else -span, -span)
        survives = events - begun <= FUNNEL_WINDOW
        ends, starts = events[survives], begun[survives]
        counts.append(len(np.unique(ends // span)))
    return np.array(counts)


def _checkouts(own: pl.DataFrame) -> pl.DataFrame:
    """day, device, checkouts, orders over the sessions of a batch."""
    sessions = (
        own.filter(pl.col("kind").is_in([int(Kind.CHECKOUT), int(Kind.ORDER)]))
        .group_by("session", maintain_order=True)
        .agg(
            (pl.col("at").first() // DAY).alias("day"),
            agent=pl.col("agent").first(),
            starts=(pl.col("kind") == int(Kind.CHECKOUT)).any(),
            orders=(pl.col("kind") == int(Kind.ORDER)).any().cast(pl.Int64),
        )
        .filter("starts")
    )
    device = pl.Series(AGENT_DEVICE[sessions["agent"].to_numpy()])
    return (
        sessions.with_columns(device=device)
        .group_by("day", "device")
        .agg(checkouts=pl.len().cast(pl.Int64), orders=pl.col("orders").sum())
    ).sort("day", "device")


def _numbers(columns: list[pl.Series]) -> pl.DataFrame:
    return pl.concat([column.cast(pl.Int64).alias("person") for column in columns]).unique().sort().to_frame()


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
