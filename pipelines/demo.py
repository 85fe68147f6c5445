"""Workspaces: made empty with a preset, or filled with the sample business."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import indent

import yaml

from pipelines.errors import ConfigurationError
from pipelines.guess import Planned
from pipelines.sample import SAMPLE_JOURNEY, configuration_text, generate
from pipelines.settings import KEY_VARIABLE, Workspace, preset_file

DEMO_KEY = "sample-business-only-not-a-secret"
STARTER = """# The customer journey of your business. Everything of the preset can be replaced by writing it here.
preset: {preset}
name: My business
time_zone: UTC
currency: {currency}
own_hosts: [{hosts}]

# Where events come from: files below landing/. See docs/sources.md for every key.
sources:
{sources}"""
EXAMPLE = """#  web: {format: segment, files: "web/**/*.ndjson*"}
#  orders:
#    format: csv
#    kind: crm
#    files: "orders/*.csv*"
#    fields:
#      event_id: order_id
#      event: {value: order_placed}
#      occurred_at: {from: ordered_at, time_zone: UTC}
#      user_id: customer
#      value: total
"""


def make_workspace(
    folder: Path,
    *,
    preset: str,
    plans: Sequence[Planned] = (),
    hosts: Sequence[str] = (),
    currency: str | None = None,
) -> Workspace:
    """Make a workspace with a preset: journey.yaml, landing/, .env with a fresh key, .env.example.

    The files of `plans` are copied to where their source of journey.yaml expects them; `hosts` and `currency` are those of the business.

    Raises ConfigurationError for an unknown preset, or a folder that already holds a journey.yaml.
    """
    preset_file(preset)
    place = Workspace(folder.resolve())
    if place.journey_file.exists():
        raise ConfigurationError(f"{place.journey_file} exists; choose another folder, or edit that file")
    place.landing.mkdir(parents=True, exist_ok=True)
    for plan in plans:
        for path, target in plan.files:
            (place.landing / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place.landing / target)
    sources = "".join(map(source_text, plans)) or EXAMPLE
    starter = STARTER.format(
        preset=preset, currency=currency or "USD", hosts=", ".join(hosts or ["www.example.com"]), sources=sources
    )
    place.journey_file.write_text(starter, encoding="utf-8")
    write_key(place, secrets.token_hex(32))
    (place.root / ".env.example").write_text(f"{KEY_VARIABLE}=a-long-random-text\n", encoding="utf-8")
    return place


def source_text(plan: Planned) -> str:
    """A source as journey.yaml says it, with what is doubtful about it as comments."""
    said = yaml.safe_dump({plan.name: plan.said}, sort_keys=False, allow_unicode=True, width=100)
    comments = "".join(f"  # {doubt}\n" for doubt in plan.doubts)
    return comments + indent(said, "  ")


def prepare_demo(folder: Path, *, events: int, seed: int, days: int, say: Callable[[str], None]) -> Workspace:
    """Fill a workspace with the sample business, from nothing.

    Raises DataError when the folder holds something that the demo did not make.
    """
    place = Workspace(folder.resolve())
    place.root.mkdir(parents=True, exist_ok=True)
    say(f"Making up a business of about {events:,} web events over {days} days (seed {seed}) in {place.root}")
    generate(place.root, events=events, seed=seed, days=days, stories=True)
    for leftover in (place.published.parent, place.reports, place.landing / "_journal"):
        shutil.rmtree(leftover, ignore_errors=True)
    place.journey_file.write_text(configuration_text(days=days), encoding="utf-8")
    write_key(place, DEMO_KEY)
    return place


def write_sample(place: Workspace, *, events: int, seed: int, days: int, stories: bool) -> list[str]:
    """Write the sample business into a workspace; one without a journey.yaml gets that of the sample, and its key.

    Returns what was done, in sentences. Raises DataError when the landing folder holds something that no sample made.
    """
    made = generate(place.root, events=events, seed=seed, days=days, stories=stories)
    lines = [
        f"{made.rows:,} rows in {made.files} files under {place.landing}, of {made.persons:,} persons in {made.sessions:,} "
        f"sittings; what is true of them is in {place.root / 'truth'}",
    ]
    if place.journey_file.exists():
        return [
            *lines,
            f"{place.journey_file} stays as it is; the sources that read the sample are in {SAMPLE_JOURNEY}",
        ]
    place.journey_file.write_text(configuration_text(days=days), encoding="utf-8")
    if not (place.root / ".env").exists():
        write_key(place, DEMO_KEY)
    return [*lines, f"{place.journey_file} is that of the sample. Next: journeys run --workspace {place.root}"]


def write_key(place: Workspace, key: str) -> None:
    """Write the key for personal values into the workspace's .env, readable by its owner alone."""
    file = place.root / ".env"
    file.write_text(f"{KEY_VARIABLE}={key}\n", encoding="utf-8")
    file.chmod(0o600)
