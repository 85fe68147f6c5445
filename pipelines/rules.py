"""Rules: the configurations by which nights were run, remembered in the journal."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.journal import JOURNAL, append, entries
from pipelines.settings import Configuration

RULES_FILE = "rules.ndjson"


@dataclass(frozen=True)
class Rules:
    """A line of the journal: the configuration of a night that was published, preset and all, when it was another than before."""

    version: str
    configuration: dict[str, Any]
    at: str


def remember_rules(landing: Path, configuration: Configuration, at: datetime) -> None:
    """Write a configuration to the journal, unless it is the last one there."""
    known = list(entries(landing / JOURNAL / RULES_FILE, Rules))
    if not known or known[-1].version != configuration.version:
        said = json.loads(configuration.model_dump_json(by_alias=True, exclude_unset=True))
        append(landing / JOURNAL / RULES_FILE, [Rules(configuration.version, said, at.isoformat())])


def rules_on(landing: Path, until: datetime) -> Configuration | None:
    """The configuration that the last night before an instant was run by; None when that is not known.

    One that this version of the product cannot read any more is not known.
    """
    known = list(entries(landing / JOURNAL / RULES_FILE, Rules, until=until))
    if not known:
        return None
    try:
        return Configuration.model_validate(known[-1].configuration)
    except ValidationError:
        return None
