"""Channel rules: the published groups, lists of sites and click parameters of `transforms/rules/`, read once."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

FILES = ("channels.json", "click_ids.csv", "sources.csv")


class Click(NamedTuple):
    """What a click parameter says; `kind` is ad, affiliate, email or link."""

    source: str
    medium: str | None
    kind: str


@dataclass(frozen=True)
class ChannelRules:
    """All that decides a channel: `version` is the hash of the files, so it changes with any of their entries."""

    version: str
    groups: tuple[Mapping[str, Any], ...]
    media: Mapping[str, str]
    medium_of_others: str
    contact_media: Mapping[str, str]
    answered_contacts: tuple[str, ...]
    categories: Mapping[str, str]
    click_ids: Mapping[str, Click]


def read_rules(folder: Traversable) -> ChannelRules:
    """The rules of a folder that holds channels.json, sources.csv and click_ids.csv."""
    texts = {name: folder.joinpath(name).read_text("utf-8") for name in FILES}
    table = json.loads(texts["channels.json"])
    clicks = _rows(texts["click_ids.csv"])
    return ChannelRules(
        version=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:16],
        groups=tuple(table["groups"]),
        media=table["media"],
        medium_of_others=table["medium_of_others"],
        contact_media=table["contacts"]["media"],
        answered_contacts=tuple(table["contacts"]["answered"]),
        categories={row["source"]: row["category"] for row in _rows(texts["sources.csv"])},
        click_ids={row["click_id"]: Click(row["source"], row["medium"] or None, row["kind"]) for row in clicks},
    )


def _rows(text: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


RULES = read_rules(resources.files("transforms").joinpath("rules"))
