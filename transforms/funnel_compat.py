"""Funnels as other products count them: which switches a funnel needs so that a team gets the numbers it had there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Product = Literal["posthog", "clickhouse", "mixpanel", "amplitude", "ga4"]
NOT_VERIFIED = "follows its published rules, not verified against it"


@dataclass(frozen=True)
class Rules:
    """The switches of one product.

    `switches` are keys of a funnel, `breakdown` is at which event a breakdown is read, `differs` what the product does and
    no switch reproduces, `verified` against what the numbers were held.
    """

    switches: Mapping[str, Any]
    breakdown: str
    verified: str
    differs: tuple[str, ...]


RULES: Mapping[Product, Rules] = {
    "posthog": Rules(
        {"window": timedelta(days=14), "range": "all", "exclusion": "drop", "attempt": "best", "ties": "any", "event_reuse": False},
        "first_touch",
        "verified against the cases of its own test suite",
        ("sampling",),
    ),
    "clickhouse": Rules(
        {"range": "all", "attempt": "best", "ties": "any", "event_reuse": True},
        "all_events",
        "verified against windowFunnel of ClickHouse 26.9 on random streams (ordered; its default mode, and strict_once with `event_reuse: false`)",
        (
            "the window is an argument there: give it as `window`",
            "a DateTime column has whole seconds: events of one second are of one instant there",
            "its modes strict_order and strict_increase forget an earlier start at each later one and so count fewer",
        ),
    ),
    "mixpanel": Rules(
        {"window": timedelta(days=7), "range": "entry", "exclusion": "kill", "attempt": "first"},
        "entry",
        NOT_VERIFIED,
        (
            "the window was 30 days by default in older reports",
            "totals are `attempt: all`; optimised re-entry is `attempt: best`",
            "some steps in any order, others not, cannot be said",
        ),
    ),
    "amplitude": Rules(
        {"window": timedelta(days=30), "range": "entry", "attempt": "best", "ties": "any"},
        "entry",
        NOT_VERIFIED,
        (
            "instants are rounded to the second there: events of one second are of one instant, and of one kind only one counts",
            "charts ask for the window; 30 days is the default of its interface for programs",
        ),
    ),
    "ga4": Rules(
        {"window": None, "range": "all", "attempt": "best"},
        "entry",
        NOT_VERIFIED,
        (
            "only closed funnels: every unit enters at step 1",
            "a step that directly follows is `order: strict` for the whole funnel, not for one step",
            "large properties are sampled there, and small groups withheld",
        ),
    ),
}  # fmt: skip


def with_compat(said: Mapping[str, Any]) -> dict[str, Any]:
    """A funnel entry with the switches of the product its `compat` names; keys that the entry has are left alone."""
    compat = said.get("compat")
    if compat not in tuple(RULES):
        return dict(said)
    rules = RULES[compat]
    breakdowns = said.get("breakdowns") or ()
    if isinstance(breakdowns, str):
        breakdowns = [breakdowns]
    if isinstance(breakdowns, list | tuple):
        breakdowns = [_read_at(item, rules.breakdown) for item in breakdowns]
    return {**rules.switches, **said, "breakdowns": breakdowns}


def _read_at(breakdown: Any, as_of: str) -> Any:
    if isinstance(breakdown, str):
        return {"by": [breakdown], "as_of": as_of}
    return {"as_of": as_of, **breakdown} if isinstance(breakdown, dict) else breakdown


def compat_told(compat: Product, switches: Mapping[str, Any]) -> dict[str, Any]:
    """What `compat` did to a funnel: `sets`, `overridden` (by keys of the entry), what still differs, and whether it is verified.

    In:  the product, and the funnel's switches as they are.
    """
    rules = RULES[compat]
    kept = {name: value for name, value in rules.switches.items() if switches[name] == value}
    return {
        "product": compat,
        "sets": {**{name: _text(value) for name, value in kept.items()}, "breakdowns": f"as of {rules.breakdown}"},
        "overridden": {name: _text(switches[name]) for name in rules.switches if name not in kept},
        "verified": rules.verified,
        "differs": list(rules.differs),
    }


def _text(value: Any) -> Any:
    """A switch as an answer shows it."""
    if isinstance(value, timedelta):
        return (
            f"{value // timedelta(days=1)}d" if not value % timedelta(days=1) else f"{value // timedelta(seconds=1)}s"
        )
    return "none" if value is None else value
