"""The exact funnel search: the chain of each attempt of one unit, by the normative definition, with every switch.

Every rule of a chain has the form "this step lies at or after some function of another step's instant", and all those
functions grow with their argument (order, `within`, strict, exclusions, one step per event among events of one instant).
So the instants that a list of steps can have at the least are a fixed point: begin at the entry, raise what a rule
demands, move on to the next event of the step, until nothing moves. That fixed point is the lexicographically earliest
chain, and if it passes the end of the window there is none. Definition: semantics.md §8.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any, NamedTuple

from transforms.journey import Funnel

Instant = int
Position = int
Places = tuple[Position | None, ...]


@dataclass(frozen=True)
class Rules:
    """What a chain must obey, in microseconds and step places from 0."""

    optional: tuple[bool, ...]
    within: tuple[int | None, ...]
    window: int | None
    gap: int
    is_any: bool
    is_strict: bool
    reuses_events: bool
    exclusions: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, funnel: Funnel) -> "Rules":
        """The rules of a funnel."""
        return cls(
            optional=tuple(step.optional for step in funnel.steps),
            within=tuple(microseconds(step.within) for step in funnel.steps),
            window=microseconds(funnel.window),
            gap=1 if funnel.ties == "increasing" else 0,
            is_any=funnel.order == "any",
            is_strict=funnel.order == "strict",
            reuses_events=funnel.event_reuse,
            exclusions=tuple((first - 1, last - 1) for first, last in map(funnel.span_of, funnel.exclusions)),
        )

    @property
    def mandatory(self) -> int:
        """How many steps a conversion needs."""
        return self.optional.count(False)


class Timeline(NamedTuple):
    """The events of one unit, in the order (instant, event key); an event is its position in it.

    `steps` holds the events that may serve each step and `times` their instants, `cuts` the instants of each exclusion's
    events, `instants` every instant at which the unit did anything.
    """

    at: Sequence[Instant]
    steps: tuple[Sequence[Position], ...]
    times: tuple[Sequence[Instant], ...]
    cuts: tuple[Sequence[Instant], ...]
    instants: Sequence[Instant]


class Attempt(NamedTuple):
    """What became of one attempt.

    `places` serve the steps; `mandatory` and `optional` count the steps reached; `bare` is what `mandatory` would be
    without exclusions; the next attempt may begin at `free_from`, None for never.
    """

    entry: Position
    places: Places
    mandatory: int
    optional: int
    is_excluded: bool
    bare: int
    free_from: Instant | None


class Chain(NamedTuple):
    """Some steps in the order of time and the instants at which they happen."""

    steps: tuple[int, ...]
    instants: tuple[Instant, ...]


def microseconds(duration: timedelta | None) -> int | None:
    """A duration in whole microseconds; None stays None."""
    return None if duration is None else duration // timedelta(microseconds=1)


def find_attempt(timeline: Timeline, rules: Rules, entry: Position) -> Attempt:
    """The attempt that begins with one event."""
    start = timeline.at[entry]
    deadline = None if rules.window is None else start + rules.window
    ahead = tuple(within_reach(cuts, start, deadline) for cuts in timeline.cuts)
    walk = Walk(timeline._replace(cuts=ahead), rules, entry, start, deadline)
    if rules.is_any and not any(ahead):
        return walk.outcome(walk.best_assignment(), [])
    chains = walk.deepest_chains(ahead)
    return walk.outcome(walk.best_places(chains), chains)


def within_reach(instants: Sequence[Instant], start: Instant, deadline: Instant | None) -> Sequence[Instant]:
    """Of some ascending instants those after the start, up to the deadline."""
    last = len(instants) if deadline is None else bisect_right(instants, deadline)
    return instants[bisect_right(instants, start) : last]


def scanned(attempts: Sequence[Attempt], at: Sequence[Instant]) -> Iterator[int]:
    """Which attempts `attempt: all` counts, from one unit's attempts in total order of their entries."""
    used: set[Position] = set()
    free_from = at[attempts[0].entry] if attempts else 0
    for number, attempt in enumerate(attempts):
        if at[attempt.entry] < free_from or attempt.entry in used:
            continue
        yield number
        if attempt.free_from is None:
            return
        used.update(place for place in attempt.places if place is not None)
        free_from = attempt.free_from


@dataclass(frozen=True)
class Walk:
    """The search of one attempt, from its entry at `start` to the end of its window."""

    timeline: Timeline
    rules: Rules
    entry: Position
    start: Instant
    deadline: Instant | None

    def outcome(self, places: Places, chains: list["Chain"]) -> Attempt:
        """What became of the attempt whose chain is served by these events."""
        rules, at = self.rules, self.timeline.at
        served = [step for step, place in enumerate(places) if place is not None]
        needed = [at[place] for step, place in enumerate(places) if place is not None and not rules.optional[step]]
        depth = len(needed)
        is_finished = depth == rules.mandatory
        is_excluded = not is_finished and self.is_cut(chains, depth, self.deadline)
        bare = depth
        if is_finished:
            free_from: Instant | None = max(needed)
        elif is_excluded:
            free_from = self.killed_at(chains, depth)
        else:
            free_from = None if self.deadline is None else self.deadline + 1
        if any(self.timeline.cuts) and not is_finished and not rules.is_any:
            bare = self.depth_of(self.deepest_chains(())[0])
        return Attempt(self.entry, places, depth, len(served) - depth, is_excluded, bare, free_from)

    # ------------------------------------------------------------ chains

    def deepest_chains(self, cuts: tuple[Sequence[Instant], ...]) -> list[Chain]:
        """The least chains of the deepest depth, one for each set (in any order: each sequence) of steps that reaches it."""
        chains = list(self.sequences(cuts) if self.rules.is_any else self.prefixes(cuts))
        deepest = max(map(self.depth_of, chains))
        return [chain for chain in chains if self.depth_of(chain) == deepest]

    def depth_of(self, chain: Chain) -> int:
        """How many mandatory steps a chain has."""
        return sum(1 for step in chain.steps if not self.rules.optional[step])

    def prefixes(self, cuts: tuple[Sequence[Instant], ...]) -> Iterator[Chain]:
        """For each choice of optional steps, the longest beginning of the steps that can be done; most optional steps first.

        Where nothing is excluded, choices of fewer optional steps than some that can be done to the end are left out.
        """
        reachable = self.reachable_steps()
        choices = [step for step in reachable if self.rules.optional[step]]
        needed = [step for step in reachable if not self.rules.optional[step]]
        for size in range(len(choices), -1, -1):
            is_whole = False
            for chosen in combinations(choices, size):
                steps = tuple(sorted((*needed, *chosen)))
                chain = self.longest(steps, cuts)
                is_whole = is_whole or chain.steps == steps
                yield chain
            if is_whole and not any(self.timeline.cuts):
                return

    def reachable_steps(self) -> list[int]:
        """The steps with an event in the window, up to the first mandatory one that has none."""
        found = [0]
        for step, times in list(enumerate(self.timeline.times))[1:]:
            index = bisect_left(times, self.start)
            if index < len(times) and (self.deadline is None or times[index] <= self.deadline):
                found.append(step)
            elif not self.rules.optional[step]:
                break
        return found

    def longest(self, steps: tuple[int, ...], cuts: tuple[Sequence[Instant], ...]) -> Chain:
        """The longest beginning of these steps that can be done."""
        chain = Chain(steps[:1], (self.start,))
        for length in range(2, len(steps) + 1):
            instants = self.settle(steps[:length], (*chain.instants, chain.instants[-1]), cuts)
            if instants is None:
                break
            chain = Chain(steps[:length], instants)
        return chain

    def sequences(self, cuts: tuple[Sequence[Instant], ...]) -> Iterator[Chain]:
        """In any order: every sequence of steps that begins with the entry and can be done."""
        waiting = [Chain((step,), (self.start,)) for step in self.own_steps()]
        while waiting:
            chain = waiting.pop()
            yield chain
            for step in set(range(len(self.timeline.steps))) - set(chain.steps):
                steps = (*chain.steps, step)
                instants = self.settle(steps, (*chain.instants, chain.instants[-1]), cuts)
                if instants is not None:
                    waiting.append(Chain(steps, instants))

    def own_steps(self) -> list[int]:
        """The steps that the entry may serve."""
        return [step for step, places in enumerate(self.timeline.steps) if contains(places, self.entry)]

    # ------------------------------------------------------------ the fixed point

    def settle(
        self, steps: tuple[int, ...], lows: tuple[Instant, ...], cuts: tuple[Sequence[Instant], ...]
    ) -> tuple[Instant, ...] | None:
        """The least instants, none before `lows`, at which these steps can happen one after the other; None for never."""
        instants = list(lows)
        spans = self.spans(steps) if any(cuts) else []
        while self.move_on(steps, instants):
            before = tuple(instants)
            self.pull_up(steps, instants)
            for number, first, last in spans:
                behind = latest_before(cuts[number], instants[last])
                if behind is not None and behind > instants[first]:
                    instants[first] = behind
            if instants[0] > self.start:
                return None
            if tuple(instants) == before:
                return before
        return None

    def spans(self, steps: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Each exclusion whose two ends are in the chain: its number and the places of its ends."""
        if self.rules.is_any:
            return [(number, a, b) for number, (a, b) in enumerate(self.rules.exclusions) if b < len(steps)]
        return [
            (number, steps.index(a), steps.index(b))
            for number, (a, b) in enumerate(self.rules.exclusions)
            if a in steps and b in steps
        ]

    def move_on(self, steps: tuple[int, ...], instants: list[Instant]) -> bool:
        """Move each step to its first event at or after its bound; False when one runs out of events or of time."""
        for place in range(1, len(steps)):
            low = max(instants[place], instants[place - 1] + self.rules.gap)
            times = self.timeline.times[steps[place]]
            while True:
                index = bisect_left(times, low)
                if index == len(times) or (self.deadline is not None and times[index] > self.deadline):
                    return False
                instants[place] = times[index]
                if self.has_own_events(steps, instants, place):
                    break
                low = times[index] + 1
        return True

    def pull_up(self, steps: tuple[int, ...], instants: list[Instant]) -> None:
        """Raise a step that lies too far before the next one: more than `within`, or with another event between."""
        for place in range(len(steps) - 1, 0, -1):
            within = self.rules.within[steps[place]]
            if within is not None:
                instants[place - 1] = max(instants[place - 1], instants[place] - within)
            if self.rules.is_strict:
                behind = latest_before(self.timeline.instants, instants[place])
                if behind is not None:
                    instants[place - 1] = max(instants[place - 1], behind)

    def has_own_events(self, steps: tuple[int, ...], instants: list[Instant], last: int) -> bool:
        """Whether the steps that share the instant of step `last`, up to it, can each have an event of their own."""
        first = last
        while first > 0 and instants[first - 1] == instants[last]:
            first -= 1
        if first == last or self.rules.reuses_events:
            return True
        return matched([self.candidates(steps, place, instants[last]) for place in range(first, last + 1)])

    def candidates(self, steps: tuple[int, ...], place: int, instant: Instant) -> Sequence[Position]:
        """The events of one instant that may serve a step of a chain; the entry alone for its beginning."""
        if place == 0:
            return (self.entry,)
        times, step = self.timeline.times[steps[place]], steps[place]
        return self.timeline.steps[step][bisect_left(times, instant) : bisect_right(times, instant)]

    # ------------------------------------------------------------ which events

    def best_places(self, chains: list[Chain]) -> Places:
        """The events of the attempt's chain: most optional steps, earliest instants in step order, smallest event keys."""
        most = max(len(chain.steps) for chain in chains)
        fullest = [chain for chain in chains if len(chain.steps) == most]
        earliest = min(self.in_step_order(chain) for chain in fullest)
        tied = [self.places(chain) for chain in fullest if self.in_step_order(chain) == earliest]
        return min(tied, key=lambda places: ([place for place in places if place is not None],
                                             [step for step, place in enumerate(places) if place is not None]))  # fmt: skip

    @staticmethod
    def in_step_order(chain: Chain) -> list[Instant]:
        """The instants of a chain by step number."""
        return [instant for _, instant in sorted(zip(chain.steps, chain.instants, strict=True))]

    def places(self, chain: Chain) -> Places:
        """The smallest event keys, in step order, that can serve a chain."""
        chosen: dict[int, Position] = {}
        for instant in sorted(set(chain.instants)):
            sharing = [place for place, other in enumerate(chain.instants) if other == instant]
            sharing.sort(key=lambda place: chain.steps[place])
            options = [list(self.candidates(chain.steps, place, instant)) for place in sharing]
            for turn, place in enumerate(sharing):
                position = next(
                    option for option in options[turn]
                    if self.rules.reuses_events or matched([[option], *without(option, options[turn + 1 :])])
                )  # fmt: skip
                chosen[chain.steps[place]] = position
                if not self.rules.reuses_events:
                    options = [*options[: turn + 1], *without(position, options[turn + 1 :])]
        return tuple(chosen.get(step) for step in range(len(self.timeline.steps)))

    # ------------------------------------------------------------ any order, no exclusion

    def best_assignment(self) -> Places:
        """In any order: the most steps by distinct events, at the earliest instants in step order, by the smallest keys."""
        found = [self.assign(own, self.open_options(own)) for own in self.own_steps()]
        deepest = max(len(chosen) for chosen in found)
        best = min(
            (chosen for chosen in found if len(chosen) == deepest),
            key=lambda chosen: (
                [self.timeline.at[place] for _, place in chosen], [place for _, place in chosen], [step for step, _ in chosen]
            ),
        )  # fmt: skip
        places = dict(best)
        return tuple(places.get(step) for step in range(len(self.timeline.steps)))

    def open_options(self, own: int) -> list[list[Position]]:
        """For each step the earliest events in the window: as many as there are steps, for others can take no more."""
        options: list[list[Position]] = []
        for step, times in enumerate(self.timeline.times):
            first = bisect_left(times, self.start)
            last = len(times) if self.deadline is None else bisect_right(times, self.deadline)
            options.append([self.entry] if step == own else self.earliest(self.timeline.steps[step][first:last], own))
        return options

    def earliest(self, places: Sequence[Position], own: int) -> list[Position]:
        """The earliest places of distinct resources, without the entry's own."""
        kept: dict[object, Position] = {}
        taken = self.resource(self.entry, own)
        for place in places:
            resource = self.resource(place, -1)
            if resource != taken:
                kept.setdefault(resource, place)
            if len(kept) == len(self.timeline.steps):
                break
        return list(kept.values())

    def resource(self, place: Position, step: int) -> object:
        """What no two steps may share: the event; its instant when steps must be strictly later; nothing on reuse."""
        if self.rules.gap:
            return self.timeline.at[place]
        return (step, place) if self.rules.reuses_events else place

    def assign(self, own: int, options: list[list[Position]]) -> list[tuple[int, Position]]:
        """The best (step, event) pairs in step order when the entry serves the step `own`; step by step, ties kept."""
        paths: list[list[tuple[int, Position]]] = [[]]
        for left in range(self.room(options, 0, set()) - 1, -1, -1):
            grown = [[*path, choice] for path in paths for choice in self.choices(path, own, options, left)]
            earliest = min(self.timeline.at[path[-1][1]] for path in grown)
            kept: dict[object, list[tuple[int, Position]]] = {}
            for path in sorted(grown, key=lambda path: ([place for _, place in path], [step for step, _ in path])):
                if self.timeline.at[path[-1][1]] == earliest:
                    kept.setdefault((path[-1][0], frozenset(self.resource(place, step) for step, place in path)), path)
            paths = list(kept.values())
        return paths[0]

    def choices(
        self, path: list[tuple[int, Position]], own: int, options: list[list[Position]], left: int
    ) -> Iterator[tuple[int, Position]]:
        """The next pairs after a path that still leave room for `left` more steps, the entry's own among them."""
        last = path[-1][0] if path else -1
        used = {self.resource(place, step) for step, place in path}
        for step in range(last + 1, own + 1 if own > last else len(options)):
            for place in options[step]:
                resource = self.resource(place, step)
                has_room = resource not in used and self.room(options, step + 1, used | {resource}) >= left
                if has_room and (left > 0 or step >= own):
                    yield step, place

    def room(self, options: list[list[Position]], first: int, used: set[object]) -> int:
        """How many of the steps from `first` can still have a resource of their own."""
        free = [
            [resource for place in options[step] if (resource := self.resource(place, step)) not in used]
            for step in range(first, len(options))
        ]
        return matching_size(free)

    # ------------------------------------------------------------ exclusions

    def is_cut(self, chains: list[Chain], depth: int, until: Instant | None) -> bool:
        """Whether an excluded event up to `until` follows each deepest chain that has reached a and not b."""
        cuts = self.timeline.cuts
        if not any(cuts):
            return False
        return not any(self.survives(chain, depth, until) for chain in chains)

    def survives(self, chain: Chain, depth: int, until: Instant | None) -> bool:
        """Whether these steps can be done so that no excluded event follows up to `until`."""
        steps, lows = self.to_last_mandatory(chain, depth)
        instants = list(lows)
        for cuts, (first, last) in zip(self.timeline.cuts, self.rules.exclusions, strict=True):
            place = first if self.rules.is_any else (steps.index(first) if first in steps else len(steps))
            has_ended = last < len(steps) if self.rules.is_any else last in steps
            if place < len(steps) and not has_ended:
                behind = cuts[-1] if until is None and cuts else latest_before(cuts, (until or 0) + 1)
                if behind is not None:
                    instants[place] = max(instants[place], behind)
        return instants[0] <= self.start and self.settle(steps, tuple(instants), self.timeline.cuts) is not None

    def to_last_mandatory(self, chain: Chain, depth: int) -> Chain:
        """The chain without optional steps after its last mandatory one."""
        length = next(
            length for length in range(1, len(chain.steps) + 1)
            if sum(1 for step in chain.steps[:length] if not self.rules.optional[step]) == depth
        )  # fmt: skip
        return Chain(chain.steps[:length], chain.instants[:length])

    def killed_at(self, chains: list[Chain], depth: int) -> Instant:
        """The instant the last deepest chain was cut."""
        moments = sorted({cut for cuts in self.timeline.cuts for cut in cuts})
        return next(moment for moment in moments if self.is_cut(chains, depth, moment))


def contains(places: Sequence[Position], place: Position) -> bool:
    """Whether a place is among some ascending places."""
    index = bisect_left(places, place)
    return index < len(places) and places[index] == place


def latest_before(instants: Sequence[Instant], bound: Instant) -> Instant | None:
    """The last of some ascending instants that lies before `bound`."""
    index = bisect_left(instants, bound)
    return instants[index - 1] if index else None


def without(position: Position, options: Sequence[Sequence[Position]]) -> list[list[Position]]:
    """The options of each step, one event taken away."""
    return [[other for other in some if other != position] for some in options]


def matched(options: Sequence[Sequence[Position]]) -> bool:
    """Whether each step can have an event of its own."""
    return matching_size(options) == len(options)


def matching_size(options: Sequence[Sequence[Any]]) -> int:
    """How many steps can have an option of their own. Source: Kuhn's augmenting paths."""
    owner: dict[Any, int] = {}

    def seat(step: int, seen: set[Any]) -> bool:
        for option in options[step]:
            if option not in seen:
                seen.add(option)
                if option not in owner or seat(owner[option], seen):
                    owner[option] = step
                    return True
        return False

    return sum(seat(step, set()) for step in range(len(options)))
