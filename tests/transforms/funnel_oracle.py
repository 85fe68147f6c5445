"""The funnel by brute force: every chain of every attempt, compared as the definition says. Tiny inputs only.

Written from semantics.md §8, not from the engine: no ordering tricks, no shared code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event: instant (minutes), event key, name, and the property that `hold_constant` looks at."""

    at: int
    key: str
    name: str
    held: str | None = None
    seq: int | None = None


@dataclass(frozen=True)
class Definition:
    """A funnel: steps are sets of event names; times in minutes; exclusions are (event, from, to), steps from 1."""

    steps: tuple[frozenset[str], ...]
    order: str = "ordered"
    window: int | None = 10
    ties: str = "any"
    attempt: str = "best"
    range: str = "entry"
    optional: tuple[int, ...] = ()
    within: tuple[tuple[int, int], ...] = ()
    exclusions: tuple[tuple[str, int, int], ...] = ()
    exclusion: str = "kill"
    holds: bool = False
    event_reuse: bool = False
    start: int | None = None
    end: int | None = None

    @property
    def mandatory(self) -> list[int]:
        return [number for number in range(1, len(self.steps) + 1) if number not in self.optional]


Chain = tuple[Event | None, ...]


def attempts(events: list[Event], funnel: Definition, horizon: int) -> list[dict[str, Any]]:
    """The first, the best and the counted attempts of one unit, by entry in total order."""
    found = every_attempt(events, funnel, horizon)
    flag(found, funnel)
    for item in found:
        item["status"] = status(item, found, funnel, horizon)
    return [item for item in found if item["is_first"] or item["is_best"] or item["is_counted"]]


def every_attempt(events: list[Event], funnel: Definition, horizon: int) -> list[dict[str, Any]]:
    """All attempts of one unit, by entry in total order, without flags and status."""
    seen = [event for event in events if event.at <= horizon]
    if funnel.range == "all":
        seen = [event for event in seen if in_range(event, funnel)]
    return [attempt(entry, seen, funnel) for entry in sorted(seen, key=total_order) if may_enter(entry, funnel)]


def attempts_of_days(events: list[Event], funnel: Definition, horizon: int, *, per_day: int) -> list[dict[str, Any]]:
    """The first and the best attempt of each day of entry, days being so many minutes long."""
    found = every_attempt(events, funnel, horizon)
    days = [[item for item in found if item["entry"].at // per_day == day] for day in range(100)]
    for day in filter(None, days):
        flag(day, funnel)
    return [item for day in days for item in day if item["is_first"] or item["is_best"]]


def total_order(event: Event) -> tuple[Any, ...]:
    return (event.at, event.seq is not None, event.seq or 0, event.key)


def in_range(event: Event, funnel: Definition) -> bool:
    return (funnel.start is None or event.at >= funnel.start) and (funnel.end is None or event.at < funnel.end)


def may_enter(event: Event, funnel: Definition) -> bool:
    steps = funnel.steps if funnel.order == "any" else funnel.steps[:1]
    return in_range(event, funnel) and any(serves(event, names, funnel) for names in steps)


def serves(event: Event, names: frozenset[str], funnel: Definition) -> bool:
    return event.name in names and not (funnel.holds and event.held is None)


# ---------------------------------------------------------------- one attempt


def attempt(entry: Event, seen: list[Event], funnel: Definition) -> dict[str, Any]:
    everything = [chain for chain in chains(entry, seen, funnel) if keeps_rules(chain, entry, seen, funnel)]
    valid = [chain for chain in everything if not is_invalid(chain, seen, funnel)]
    depth = max(mandatory_depth(chain, funnel) for chain in valid)
    deepest = [chain for chain in valid if mandatory_depth(chain, funnel) == depth]
    chain = min(deepest, key=preference)
    cuts = [cut_at(other, entry, seen, funnel) for other in deepest]
    is_finished = depth == len(funnel.mandatory)
    is_excluded = not is_finished and all(cut is not None for cut in cuts)
    if is_finished:
        free_from: float = max(
            event.at for number, event in enumerate(chain, 1) if event and number not in funnel.optional
        )
    elif is_excluded:
        free_from = max(cut for cut in cuts if cut is not None)
    else:
        free_from = float("inf") if funnel.window is None else entry.at + funnel.window + 0.5
    return {
        "entry": entry,
        "chain": chain,
        "depth": depth,
        "optional": sum(1 for number in funnel.optional if chain[number - 1]),
        "is_finished": is_finished,
        "is_excluded": is_excluded,
        "bare": max(mandatory_depth(other, funnel) for other in everything),
        "free_from": free_from,
    }


def chains(entry: Event, seen: list[Event], funnel: Definition) -> Iterator[Chain]:
    """Every way to give each step one of its events or none, the entry among them."""

    def give(number: int, given: Chain) -> Iterator[Chain]:
        if number > len(funnel.steps):
            if entry in given:
                yield given
            return
        yield from give(number + 1, (*given, None))
        for event in seen:
            if serves(event, funnel.steps[number - 1], funnel) and (funnel.event_reuse or event not in given):
                yield from give(number + 1, (*given, event))

    if funnel.order == "any":
        yield from give(1, ())
    else:
        yield from give(2, (entry,))


def keeps_rules(chain: Chain, entry: Event, seen: list[Event], funnel: Definition) -> bool:
    done = [(number, event) for number, event in enumerate(chain, 1) if event is not None]
    if any(event.at < entry.at for _, event in done):
        return False
    if funnel.window is not None and any(event.at - entry.at > funnel.window for _, event in done):
        return False
    if funnel.holds and len({event.held for _, event in done}) > 1:
        return False
    if funnel.order == "any":
        instants = [event.at for _, event in done]
        return funnel.ties == "any" or len(set(instants)) == len(instants)
    reached = [number for number, _ in done]
    if any(earlier not in reached for number in reached for earlier in funnel.mandatory if earlier < number):
        return False
    for (_, before), (number, event) in pairwise(done):
        if event.at < before.at or (funnel.ties == "increasing" and event.at == before.at):
            return False
        limit = dict(funnel.within).get(number)
        if limit is not None and event.at - before.at > limit:
            return False
        if funnel.order == "strict" and any(before.at < other.at < event.at for other in seen):
            return False
    return True


def mandatory_depth(chain: Chain, funnel: Definition) -> int:
    return sum(1 for number in funnel.mandatory if chain[number - 1] is not None)


def preference(chain: Chain) -> tuple[Any, ...]:
    """Most optional steps (among chains of one depth: most steps), earliest instants, smallest keys, then step numbers."""
    done = [(number, event) for number, event in enumerate(chain, 1) if event is not None]
    return (
        -len(done),
        [event.at for _, event in done],
        [event.key for _, event in done],
        [number for number, _ in done],
    )


# ---------------------------------------------------------------- exclusions


def end_of(chain: Chain, number: int, funnel: Definition) -> int | None:
    """The instant of step `number` of a chain; in any order of its event number `number` by time."""
    if funnel.order == "any":
        instants = sorted(event.at for event in chain if event is not None)
        return instants[number - 1] if number <= len(instants) else None
    event = chain[number - 1]
    return None if event is None else event.at


def is_invalid(chain: Chain, seen: list[Event], funnel: Definition) -> bool:
    for name, first, last in funnel.exclusions:
        begin, end = end_of(chain, first, funnel), end_of(chain, last, funnel)
        if (
            begin is not None
            and end is not None
            and any(begin < event.at < end for event in seen if event.name == name)
        ):
            return True
    return False


def cut_at(chain: Chain, entry: Event, seen: list[Event], funnel: Definition) -> int | None:
    """The first excluded event that follows a chain that has reached a and not b; None when there is none."""
    cuts = []
    for name, first, last in funnel.exclusions:
        begin, end = end_of(chain, first, funnel), end_of(chain, last, funnel)
        if begin is not None and end is None:
            cuts += [
                event.at for event in seen
                if event.name == name and event.at > begin and (funnel.window is None or event.at <= entry.at + funnel.window)
            ]  # fmt: skip
    return min(cuts, default=None)


# ---------------------------------------------------------------- the unit


def flag(found: list[dict[str, Any]], funnel: Definition) -> None:
    drops = funnel.exclusion == "drop" and bool(funnel.exclusions)
    checks_bare = drops and funnel.order != "any"

    def alone_stays(item: dict[str, Any]) -> bool:
        return not drops or (not item["is_excluded"] and not (checks_bare and item["bare"] > item["depth"]))

    candidates = [item for item in found if not (drops and item["is_excluded"])]
    best = min(
        candidates,
        key=lambda item: (-item["depth"], -item["optional"], item["entry"].at, item["entry"].key),
        default=None,
    )
    if best is not None and checks_bare and any(item["bare"] > best["depth"] for item in found):
        best = None
    counted = list(scan(found)) if funnel.attempt == "all" else []
    for place, item in enumerate(found):
        item["is_first"] = place == 0 and alone_stays(item)
        item["is_best"] = item is best
        choice = {"first": item["is_first"], "best": item["is_best"], "all": place in counted and alone_stays(item)}
        item["is_counted"] = choice[funnel.attempt]


def scan(found: list[dict[str, Any]]) -> Iterator[int]:
    used: set[str] = set()
    free_from = float("-inf")
    for place, item in enumerate(found):
        if item["entry"].at >= free_from and item["entry"].key not in used:
            yield place
            used |= {event.key for event in item["chain"] if event is not None}
            free_from = item["free_from"]


def status(item: dict[str, Any], found: list[dict[str, Any]], funnel: Definition, horizon: int) -> str:
    if item["is_finished"]:
        return "converted"
    speaks_for_unit = item["is_best"] and not (funnel.attempt != "best" and item["is_counted"])
    concerned = found if speaks_for_unit else [item]
    if any(not other["is_excluded"] and still_runs(other["entry"], funnel, horizon) for other in concerned):
        return "open"
    return "excluded" if item["is_excluded"] else "dropped"


def still_runs(entry: Event, funnel: Definition, horizon: int) -> bool:
    if funnel.window is not None and entry.at + funnel.window <= horizon:
        return False
    return not (funnel.range == "all" and funnel.end is not None and funnel.end <= horizon)
