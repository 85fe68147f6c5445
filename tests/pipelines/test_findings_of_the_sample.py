"""What the overview says of a business in which nothing happens, and of one in which a payment form breaks on phones.

Of the findings, "What happened" and "What changed" claim that something was otherwise at another time: without stories the sample plants
none of it, so each is false. "Who differs" claims a difference of groups, and there is one at all times: those who come back, and buy,
come Direct or from the forum (Referral) at least twice as often as newcomers do (`catalogue.TRAFFIC`). All other topics are plain facts.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from pipelines.report_inputs import LastNight, asking_once, report_tables, site_facts
from pipelines.run import run_in_process
from pipelines.sample import configuration_text, generate
from pipelines.settings import Workspace
from reports.findings import changed_rates, different_groups, findings, moved_channels, moved_funnels, told_incidents
from reports.view import View

pytestmark = pytest.mark.heavy

SEEDS = 20
MOST_FALSE = 1
CLAIMS_OF_CHANGE = (told_incidents, moved_funnels, changed_rates, moved_channels)
BUILT_IN = re.compile("“(Direct|Referral)” completes .* more often")


def view_of(folder: Path, *, seed: int, events: int, days: int, stories: bool) -> View:
    """What the report is drawn from, after one night over a sample."""
    generate(folder, events=events, seed=seed, days=days, stories=stories)
    (folder / "journey.yaml").write_text(configuration_text(days=days))
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    place = Workspace(folder)
    assert run_in_process(place, say=lambda _line: None) == []
    night = LastNight(place)
    with night.warehouse.opened():
        return View(report_tables(night, asking_once(night.warehouse)), night.journey, site_facts(night))


def test_where_nothing_happens_hardly_anything_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    found, shown = dict[int, list[str]](), Counter[str]()

    for seed in range(1, SEEDS + 1):
        view = view_of(tmp_path / str(seed), seed=seed, events=20_000, days=180, stories=False)
        found[seed] = [finding.headline for kind in CLAIMS_OF_CHANGE for finding in kind(view)]
        found[seed] += [other.headline for other in different_groups(view) if not BUILT_IN.match(other.headline)]
        shown.update(finding.topic for finding in findings(view))

    print(f"claims that are not built in: {found}; shown on the first page: {dict(shown)}")
    assert sum(len(headlines) for headlines in found.values()) <= MOST_FALSE, found
    assert shown["Where people stop"] >= SEEDS, "there is enough to say something at all"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is said to have happened in a sample with stories."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        view = view_of(tmp_path_factory.mktemp("planted"), seed=1, events=200_000, days=180, stories=True)
    told = [finding for finding in findings(view) if finding.topic == "What happened"]
    assert all("95% interval" in finding.evidence for finding in told)
    return [finding.headline for finding in told]


def test_a_payment_form_that_breaks_on_phones_is_named(planted: list[str]) -> None:
    (bug,) = [headline for headline in planted if "“mobile”" in headline]

    assert bug.startswith("From 13 Apr to 26 April 2026, fewer of “mobile” went on from “payment_entered”")


def test_days_in_which_an_article_brings_many_who_only_look_are_named(planted: list[str]) -> None:
    begin = "From 23 Feb to 1 March 2026, fewer of “Organic Social” went on from “awareness”"

    assert any(headline.startswith(begin) for headline in planted), planted
