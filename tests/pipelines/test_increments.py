"""The law of the rebuild: whatever the nights before, the tables are those that a rebuild from what landed would make."""

import json
import os
import random
import tempfile
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipelines.catalog import WRITERS
from pipelines.definitions import assets
from pipelines.engines import increments
from pipelines.erasure import erase, finish
from pipelines.journal import JOURNAL, RETRACTIONS, append
from pipelines.night import Night
from pipelines.rebuild import rebuilt
from pipelines.retractions import Retraction
from pipelines.run import build_tables
from pipelines.settings import Workspace
from transforms.contracts import TABLES
from transforms.identity import ENDS, pair_id

KEPT = [table for name, table in TABLES.items() if name.startswith(("core.", "mart."))]
KEEPING = [
    asset.op.name
    for asset in assets
    if asset.op.name in WRITERS
    and any(key.path[0] != "mart" or ".".join(key.path) in increments.FOLLOWING for key in asset.keys)
]
SEEDS = int(os.environ.get("JOURNEYS_LAW_SEEDS", "30"))
START = 29_000_000
SOURCES = {
    "web": {
        "format": "ndjson",
        "files": "web/*",
        "fields": {
            "event_id": "id", "event": "event", "occurred_at": {"from": "at", "format": "epoch_s"},
            "received_at": {"from": "received", "format": "epoch_s"}, "anonymous_id": "cookie", "user_id": "user",
            "email": "mail", "url": "url", "value": "value",
        },
    },
    "days": {
        "format": "ndjson",
        "files": "days/*",
        "whole": {"by": "day", "exported_at": ["%Y%m%d"]},
        "fields": {
            "event_id": "id", "event": "event", "occurred_at": {"from": "at", "format": "epoch_s"}, "anonymous_id": "cookie",
            "user_id": "user", "url": "url",
        },
    },
    "contacts": {
        "format": "csv",
        "kind": "crm",
        "files": "contacts/*",
        "record": {"object": "contact", "id": "id", "modified_at": {"from": "modified", "format": "epoch_s"}},
        "fields": {"crm_contact_id": "id", "user_id": "user", "email": "mail"},
        "properties": ["merged_ids"],
        "events": [
            {
                "event": "contact_created",
                "fields": {"occurred_at": {"from": "created", "format": "epoch_s"}, "state": {"value": "created"}},
            }
        ],
    },
    "orders": {
        "format": "csv",
        "kind": "crm",
        "files": "orders/*",
        "fields": {
            "event_id": "id", "event": {"value": "order_placed"}, "occurred_at": {"from": "at", "format": "epoch_s"},
            "user_id": "user", "email": "mail", "value": "amount",
        },
    },
}  # fmt: skip
RULES = {
    "landing": {"quiet": "0s"},
    "conversions": [{"event": "order_placed"}],
    "stages": [
        {"name": "awareness", "touchpoints": [{"name": "visit", "when": {"event": "page_view", "status": "prospect"}}]},
        {"name": "consideration", "touchpoints": [{"name": "cart", "when": {"event": "add_to_cart"}}]},
        {"name": "purchase", "touchpoints": [{"name": "order", "when": {"event": "order_placed"}}]},
        {"name": "retention", "touchpoints": [{"name": "login", "when": {"event": "login"}}]},
    ],
    "funnels": [
        {
            "name": "order",
            "steps": [{"event": "page_view"}, {"event": "add_to_cart"}, {"event": "order_placed"}],
            "window": "5d",
            "breakdowns": ["channel", "segment.lookers"],
        },
        {"name": "visit", "unit": "session", "steps": [{"event": "page_view"}, {"event": "login"}], "window": "24h"},
        {
            "name": "all ways",
            "attempt": "all",
            "steps": [{"event": "login"}, {"event": "order_placed"}],
            "window": "none",
        },
    ],
    "segments": [
        {
            "name": "lookers", "as_of": "entry", "did": [{"event": "page_view", "at_least": 2}],
            "did_not": [{"event": "order_placed"}], "not_in": ["buyers"],
        },
        {"name": "buyers", "customer": {"purchase_count": {"gte": 1}}},
    ],
}  # fmt: skip
CSV = {
    "contacts": ["id", "modified", "created", "user", "mail", "merged_ids"],
    "orders": ["id", "at", "user", "mail", "amount"],
}


class History:
    """Nights over a small business, drawn from a seed: what lands, and what is changed in between."""

    def __init__(self, seed: int, root: Path, *, files: int = 1) -> None:
        self.draw = random.Random(seed)
        self.place = Workspace(root)
        self.files = 0
        self.told: list[str] = []
        self.rules: dict[str, object] = {**RULES, "sources": SOURCES}
        for source in SOURCES:
            (self.place.landing / source).mkdir(parents=True)
        (root / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
        for source in SOURCES if files else ():
            self.land(source, 30)

    def moment(self) -> int:
        """A second of a few weeks, with many ties, and gaps around the session timeout."""
        return START + self.draw.randrange(0, 30) * 86_400 + self.draw.choice([0, 1800, 1801, 3600, 5400, 5401, 40_000])

    def somebody(self) -> dict[str, object]:
        pick = self.draw.choice
        return {
            "cookie": pick(["c1", "c2", "c3", "c4", "c5", "c6", None]),
            "user": pick(["u1", "u2", "u3", "u4", "", None, None, "null"]),
            "mail": pick(["a@x.example", "b@x.example", "c@x.example", "", None, None]),
        }

    def hit(self) -> dict[str, object]:
        pick = self.draw.choice
        at = self.moment()
        return {
            "id": f"e{self.draw.randrange(400)}",
            "event": pick(["page_view", "product_view", "add_to_cart", "checkout_started", "order_placed", "login", "email_sent"]),
            "at": at,
            "received": pick([None, at, at + 50]),
            "url": pick(["https://shop.example/a?utm_source=google&utm_medium=cpc", "https://shop.example/b", None]),
            "value": pick([None, 10, "x"]),
            **self.somebody(),
        }  # fmt: skip

    def row(self, source: str) -> dict[str, object]:
        person = self.somebody()
        if source == "contacts":
            number = self.draw.randrange(6)
            return {
                "id": f"k{number}", "modified": self.moment(), "created": self.moment(), **person,
                "merged_ids": self.draw.choice(["", "", "", f"k{self.draw.randrange(6)}"]),
            }  # fmt: skip
        if source == "orders":
            amount = self.draw.choice(["5", "7.5", "many"])
            return {"id": f"o{self.draw.randrange(60)}", "at": self.moment(), **person, "amount": amount}
        return self.hit()

    def land(self, source: str, count: int) -> None:
        """A new file of a source; of days, a new export of one day."""
        self.files += 1
        rows = [self.row(source) for _ in range(count)]
        day = self.draw.randrange(3)
        exported = date(2026, 1, 1) + timedelta(days=self.draw.choice([self.files, 0, 200]))
        name = f"{self.files}-{exported:%Y%m%d}"
        if source == "days":
            rows = [{**row, "day": str(day)} for row in rows]
        if source in CSV:
            lines = [CSV[source], *([row.get(column) for column in CSV[source]] for row in rows)]
            text = "".join(",".join("" if value is None else str(value) for value in line) + "\n" for line in lines)
        else:
            text = "".join(json.dumps(row) + "\n" for row in rows)
        (self.place.landing / source / name).write_text(text)
        self.told.append(f"{source} +{count}")

    def change_rules(self) -> None:
        """Another session timeout, another funnel, another strength of identifiers, another segment."""
        changed = self.draw.choice(
            [
                {"sessions": {"timeout": self.draw.choice(["30m", "10m", "2h"])}},
                {"funnels": [{"name": "all", "steps": [{"event": "page_view"}, {"event": "order_placed"}], "window": "3d"}]},
                {"identity": {"strong": ["user_id", "crm_contact_id"], "weak": ["email", "anonymous_id"]}},
                {"segments": [{"name": "lookers", "as_of": "entry", "did": [{"event": "login"}]}]},
            ]
        )  # fmt: skip
        self.rules |= changed
        self.told.append(f"rules {changed}")

    def retract(self) -> None:
        """Take two identifiers apart."""
        edges = Night(self.place).warehouse.query("FROM core.identity_edges ORDER BY edge_id").rows(named=True)
        edge = self.draw.choice(edges)
        ends = {name: edge[name] for name in ENDS}
        pair = pl.DataFrame(ends).select(pair_id()).item()
        told = Retraction(
            pair, **ends, kind=edge["kind"], edge_id=edge["edge_id"], reason="drawn", at="2026-01-01T00:00:00Z"
        )
        append(self.place.landing / JOURNAL / RETRACTIONS, [told])
        self.told.append(f"retracted {ends}")

    def erase(self) -> None:
        """Forget a customer, as the rules of the last run see it."""
        found = Night(self.place).warehouse.query("SELECT DISTINCT customer_id FROM core.events ORDER BY ALL")[
            "customer_id"
        ]
        customer = self.draw.choice(found.to_list())
        erase(self.place, customer, run=self.run_and_finish, say=self.told.append)
        self.told.append(f"erased {customer}")

    def night(self, *, is_last: bool) -> None:
        """Land something, or change something, then run."""
        step = self.draw.random()
        if step < 0.1:
            self.erase()
        elif step < 0.2:
            self.change_rules()
        elif step < 0.35:
            self.retract()
        elif step < 0.9:
            for source in self.draw.sample(sorted(SOURCES), self.draw.choice([1, 1, 2])):
                self.land(source, self.draw.choice([1, 1, 3, 10]))
        self.run(is_last=is_last)

    def run(self, *, is_last: bool = True) -> None:
        """Build the tables; before the last night of a history those that keep something from night to night."""
        self.place.journey_file.write_text(yaml.safe_dump(self.rules, sort_keys=False))
        self.place = Workspace(self.place.root)
        night = Night(self.place)
        if is_last:
            build_tables(night)
        else:
            with night.warehouse.opened():
                for name in KEEPING:
                    WRITERS[name](night)
        self.told.append("run")

    def run_and_finish(self) -> None:
        self.run()
        finish(self.place)

    def differences(self) -> list[str]:
        """The tables that a rebuild makes otherwise."""
        night = Night(self.place)
        files = frozenset(night.warehouse.query("SELECT file_id FROM raw.files")["file_id"])
        with rebuilt(self.place, files) as other, night.warehouse.opened(), other.warehouse.opened():
            return [table.name for table in KEPT if not in_order(night, table.name).equals(in_order(other, table.name))]


def in_order(night: Night, name: str) -> pl.DataFrame:
    return night.warehouse.read(name).sort(TABLES[name].grain)


def differing_after(seed: int, nights: int) -> tuple[list[str], list[str]]:
    """What differs after so many nights of a history, and the history."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(seed, Path(folder))
        history.run(is_last=not nights)
        for night in range(1, nights + 1):
            history.night(is_last=night == nights)
        return history.differences(), history.told


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_history_of_nights_gives_the_tables_of_a_rebuild(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(increments, "WORTHWHILE", 9.0)

    most = 1 + seed % 4

    found, told = differing_after(seed, most)

    if found:
        fewest = next(nights for nights in range(most + 1) if differing_after(seed, nights)[0])
        found, told = differing_after(seed, fewest)
    assert not found, f"seed {seed}: {', '.join(found)} after {'; '.join(told)}"


# ---------------------------------------------------------------- what a night has to work on


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setattr(increments, "WORTHWHILE", 9.0)
    place = History(0, tmp_path, files=0)
    hit(place, ("a1", "page_view", 0, "c1"), ("a2", "page_view", 3000, "c1"), ("b1", "page_view", 0, "c2"))
    place.run()
    return place


def hit(place: History, *events: tuple[str, str, int, str], user: str | None = None) -> None:
    """Land a file of web events: id, event, second, cookie."""
    rows = [
        {"id": name, "event": event, "at": START + second, "cookie": cookie, "user": user}
        for name, event, second, cookie in events
    ]
    place.files += 1
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (place.place.landing / "web" / f"{place.files}").write_text(text)


def rows(place: History, query: str) -> list[tuple[object, ...]]:
    return Night(place.place).warehouse.query(query).rows()


def test_a_late_event_makes_two_sessions_one_and_the_id_that_vanished_is_told(shop: History) -> None:
    before = rows(shop, "SELECT session_id FROM core.events WHERE event_id IN ('a1', 'a2') ORDER BY event_id")

    hit(shop, ("a3", "page_view", 1500, "c1"))
    shop.run()

    assert rows(shop, "SELECT DISTINCT session_id FROM core.events WHERE starts_with(event_id, 'a')") == before[:1]
    told = rows(shop, "SELECT session_id, reason, successor_session_id FROM core.session_superseded")
    assert told == [(*before[1], "joined", *before[0])]
    assert shop.differences() == []


def test_a_late_login_joins_two_visitors_who_had_no_event_that_night(shop: History) -> None:
    hit(shop, ("l1", "login", 9000, "c1"), ("l2", "login", 9001, "c2"), user="u1")
    shop.run()

    assert rows(shop, "SELECT count(DISTINCT customer_id), count(*) FROM core.events") == [(1, 5)]
    assert shop.differences() == []


def test_a_night_that_brings_nothing_leaves_every_row_where_it_is(shop: History) -> None:
    before = rows(shop, "SELECT rowid, customer_id, event_id FROM core.events")

    shop.run()

    assert rows(shop, "SELECT rowid, customer_id, event_id FROM core.events") == before


def test_only_the_customers_of_new_rows_are_made_anew(shop: History) -> None:
    before = rows(
        shop, "SELECT sessions.rowid FROM core.sessions JOIN core.events USING (session_id) WHERE event_id = 'b1'"
    )

    hit(shop, ("a9", "page_view", 90_000, "c1"))
    shop.run()

    after = rows(
        shop, "SELECT sessions.rowid FROM core.sessions JOIN core.events USING (session_id) WHERE event_id = 'b1'"
    )
    assert after == before
