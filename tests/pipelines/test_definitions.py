"""Definitions: what Dagster is told beside the tables."""

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import defs
from pipelines.run import run_in_process
from pipelines.settings import Workspace
from tests.pipelines.test_unchanged import JOURNEY, page_views


def test_a_run_that_is_published_carries_its_versions_as_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, place = tmp_path / "home", Workspace(tmp_path / "shop")
    for folder in (home, place.landing):
        folder.mkdir(parents=True)
    (home / "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\nstorage: {{sqlite: {{base_dir: {json.dumps(str(home))}}}}}\n"
    )
    (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    place.journey_file.write_text(JOURNEY)
    (place.landing / "a.ndjson").write_text(page_views(1, 2))
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    assert run_in_process(place, say=lambda _line: None) == []

    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
    assert run.tags["journeys/configuration_version"] == place.configuration.version
    assert len(run.tags["journeys/data_version"]) == 16


def test_what_is_published_goes_late_after_a_day_and_a_half() -> None:
    node = defs.resolve_asset_graph().get(dg.AssetKey(["reports", "published"]))

    assert node.freshness_policy.fail_window.to_timedelta() == timedelta(hours=36)
