"""The sample's journey.yaml, with the dates of the period that it belongs to."""

import re
from datetime import date
from pathlib import Path

from pipelines.sample.clock import Period
from pipelines.sample.stories import planned

SAMPLE_JOURNEY = Path(__file__).with_name("journey.yaml")
START = date(2026, 1, 1)
DAYS = 180
CRM_SOURCE = "    kind: crm\n"


def configuration_text(*, days: int = DAYS, start: date = START) -> str:
    """journey.yaml of a sample of this period: its stories' dates, and until when the CRM's exports are complete.

    The file as it stands names the dates of the default period and leaves completeness open.
    """
    period = Period(start, days)
    moves = dict(zip(_story_dates(Period(START, DAYS)), _story_dates(period), strict=True))
    text = re.sub("|".join(moves), lambda found: moves[found[0]], SAMPLE_JOURNEY.read_text(encoding="utf-8"))
    return text.replace(CRM_SOURCE, f"{CRM_SOURCE}    complete_to: {period.instant(period.end):%Y-%m-%dT%H:%M:%SZ}\n")


def _story_dates(period: Period) -> list[str]:
    """The day on which each story begins."""
    return [period.instant(story.begins).date().isoformat() for story in planned(period)]
