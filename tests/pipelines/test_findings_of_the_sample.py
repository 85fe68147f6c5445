"""What the overview says of a business in which nothing happens, and of one in which a payment form breaks on phones."""

from pathlib import Path

import pytest

from pipelines.report_inputs import LastNight, asking_once, report_tables, site_facts
from pipelines.run import run_in_process
from pipelines.sample import configuration_text, generate
from pipelines.settings import Workspace
from reports.findings import changed_rates, findings, group_incidents, moved_funnels
from reports.page import Finding
from reports.view import View

pytestmark = pytest.mark.heavy

SEEDS = 20
MOST_FALSE = 1


def findings_of(folder: Path, *, seed: int, events: int, days: int, stories: bool) -> list[Finding]:
    """After one night over a sample: what the first page says, or without stories all that is said to have happened."""
    generate(folder, events=events, seed=seed, days=days, stories=stories)
    (folder / "journey.yaml").write_text(configuration_text(days=days))
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    place = Workspace(folder)
    assert run_in_process(place, say=lambda _line: None) == []
    night = LastNight(place)
    with night.warehouse.opened():
        view = View(report_tables(night, asking_once(night.warehouse)), night.journey, site_facts(night))
    tested = (group_incidents, moved_funnels, changed_rates)
    return list(findings(view)) if stories else [found for kind in tested for found in kind(view)]


def test_where_nothing_happens_hardly_anything_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    found = {
        seed: [
            finding.headline
            for finding in findings_of(tmp_path / str(seed), seed=seed, events=20_000, days=180, stories=False)
        ]
        for seed in range(1, SEEDS + 1)
    }

    assert sum(len(headlines) for headlines in found.values()) <= MOST_FALSE, found


def test_a_payment_form_that_breaks_on_phones_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    found = findings_of(tmp_path, seed=1, events=200_000, days=180, stories=True)

    (bug,) = [finding for finding in found if "“mobile”" in finding.headline and finding.topic == "What happened"]
    assert bug.headline.startswith("From 13 Apr to 26 April 2026, fewer of “mobile” went on from “payment_entered”")
    assert "95% interval" in bug.evidence


def test_days_in_which_an_article_brings_many_who_only_look_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    found = findings_of(tmp_path, seed=1, events=200_000, days=180, stories=True)

    happened = [finding.headline for finding in found if finding.topic == "What happened"]
    assert any(
        headline.startswith("From 23 Feb to 1 March 2026, fewer of “Organic Social” went on from “awareness”")
        for headline in happened
    ), happened
