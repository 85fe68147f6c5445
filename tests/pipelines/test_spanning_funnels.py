"""Funnels that depend on several customers give the same whatever customers are worked on together."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipelines.engines.local import LocalEngine
from pipelines.night import Night
from pipelines.run import build_tables
from pipelines.settings import Workspace

RULES = {
    "landing": {"quiet": "0s"},
    "sources": {
        "app": {
            "format": "ndjson",
            "files": "*.ndjson",
            "fields": {
                "event": "event", "event_id": "id", "occurred_at": {"from": "at", "format": "epoch_s"}, "user_id": "user",
                "account_id": "account",
            },
            "properties": ["plan"],
        }
    },
    "funnels": [
        {
            "name": "use",
            "steps": [{"event": "login"}, {"event": "export"}],
            "window": "7d",
            "breakdowns": ["account.plan"],
        }
    ],
}  # fmt: skip


def groups(folder: Path, monkeypatch: pytest.MonkeyPatch, *, buckets: int) -> pl.DataFrame:
    """The groups of attempts of twenty people of one account, one of whom said on which plan it is."""
    (folder / "landing").mkdir(parents=True)
    events = [{"event": "plan_chosen", "id": "p", "at": 29_000_000, "user": "u0", "account": "a", "plan": "team"}]
    events += [
        {"event": "login", "id": f"l{number}", "at": 29_000_100 + number, "user": f"u{number}", "account": "a"}
        for number in range(20)
    ]
    (folder / "landing" / "a.ndjson").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    (folder / "journey.yaml").write_text(yaml.safe_dump(RULES, sort_keys=False))
    monkeypatch.setattr(LocalEngine, "_bucket_count", lambda _self, _events: buckets)
    night = Night(Workspace(folder))
    build_tables(night)
    return night.warehouse.read("mart.funnel_entrant_groups").sort("unit_id", "breakdown")


def test_what_was_said_of_an_account_counts_for_all_of_its_people_whatever_bucket_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = groups(tmp_path / "one", monkeypatch, buckets=1)
    apart = groups(tmp_path / "many", monkeypatch, buckets=8)

    assert together.filter(breakdown="account.plan")["value"].to_list() == ["team"] * 20
    assert together.equals(apart)
