"""Definitions: what Dagster is told beside the tables."""

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from pipelines import catalog
from pipelines.definitions import defs
from pipelines.errors import DataError
from pipelines.night import Night
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


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.landing.mkdir()
    (place.root / ".env").write_text("JOURNEYS_HMAC_KEY=key\n")
    place.journey_file.write_text(JOURNEY)
    (place.landing / "a.ndjson").write_text(page_views(1, 2))
    return place


def failing(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[int]:
    """Have a step fail for these reasons, one a time; what is left of them."""
    left, really = list(numbers), Night.vanished_sessions

    def vanished(self: Night) -> pl.DataFrame:
        if left:
            raise OSError(left.pop(0), "on purpose")
        return really(self)

    monkeypatch.setattr(Night, "vanished_sessions", vanished)
    monkeypatch.setattr(catalog, "PAUSES", (0, 0, 0))
    return left


def test_a_step_whose_share_did_not_answer_is_tried_again(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    left = failing(monkeypatch, errno.ESTALE, errno.ETIMEDOUT)

    assert run_in_process(shop, say=lambda _line: None) == []

    assert left == [] and shop.published.exists()


@pytest.mark.parametrize("numbers", [(errno.ENOSPC, errno.ENOSPC), (errno.EIO,) * 5])
def test_a_step_that_somebody_must_act_on_fails_at_once_and_one_that_never_passes_fails_in_the_end(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...]
) -> None:
    left = failing(monkeypatch, *numbers)

    with pytest.raises(DataError, match="on purpose"):
        run_in_process(shop, say=lambda _line: None)

    assert len(left) == 1 and not shop.published.exists()


def test_nothing_is_published_before_every_table_and_page_is_made() -> None:
    graph = defs.resolve_asset_graph()
    published = dg.AssetKey(["reports", "published"])

    before = graph.get_ancestor_asset_keys(published)

    assert before | {published, dg.AssetKey(["reports", "as_known_on"])} == graph.get_all_asset_keys()


def test_a_backfill_draws_the_report_of_a_day_as_it_was_known(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_in_process(shop, say=lambda _line: None) == []
    published, today = shop.published.read_bytes(), f"{datetime.now(UTC):%Y-%m-%d}"
    monkeypatch.setenv("JOURNEYS_WORKSPACE", str(shop.root))

    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def("past_reports").execute_in_process(partition_key=today, instance=instance)

    assert done.success
    assert (shop.reports / f"as-known-on-{today}" / "latest" / "index.html").exists()
    assert shop.published.read_bytes() == published


def test_a_day_before_anything_had_landed_fails_and_says_so(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_WORKSPACE", str(shop.root))
    assert run_in_process(shop, say=lambda _line: None) == []

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(DataError, match="nothing had landed before"):
        defs.resolve_job_def("past_reports").execute_in_process(partition_key="2024-01-01", instance=instance)
