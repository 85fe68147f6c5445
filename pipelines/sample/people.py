"""People: who comes to the shop, on which devices, and how much they want something."""

from dataclasses import dataclass

import numpy as np

from pipelines.sample.catalogue import AGENTS, DESKTOP, MOBILE, TABLET
from pipelines.sample.clock import DAY, Period
from pipelines.sample.draws import Array, choose, scattered
from pipelines.sample.stories import VIRAL, Story, story_named

BROWSER, CONSIDERING, BUYER = 0, 1, 2
INTENT_WEIGHTS = (0.765, 0.19, 0.045)
REGISTERS = (0.06, 0.38, 0.86)
MAX_DEVICES = 3
ACCOUNT_SHARE, ACCOUNT_SIZE = 0.02, 4
FAMILY_SHARE, VIRAL_SHARE, SKEWED_SHARE = 0.04, 0.04, 0.03

AGENT_WEIGHTS = {
    MOBILE: (40, 12, 34, 14),
    DESKTOP: (46, 14, 12, 14, 14),
    TABLET: (70, 30),
}
AGENT_DEVICE = np.array([device for device, _ in AGENTS])
VISITOR_SALT, ROBOT_SALT = 11, 13


@dataclass(frozen=True)
class People:
    """A batch of persons; arrays by person, devices by person and slot."""

    number: Array
    intent: Array
    arrives_at: Array
    registers: Array
    subscribes: Array
    account: Array
    is_viral: Array
    device_count: Array
    device_code: Array
    agent: Array
    skew: Array

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.number)

    @property
    def is_business(self) -> Array:
        """True for those who buy for a company."""
        return self.account >= 0


def draw_people(
    rng: np.random.Generator, *, first: int, count: int, period: Period, stories: tuple[Story, ...]
) -> People:
    """Draw persons number `first`, `first` + 1, …

    Colleagues and families have neighbouring numbers, so that a batch holds them whole.
    """
    number = np.arange(first, first + count)
    intent = choose(rng, INTENT_WEIGHTS, count)
    account = _accounts(first, count)
    lived = (period.days + period.burn_in) * DAY
    arrives_at = (lived * rng.random(count) ** 0.85).astype(np.int64) - period.burn_in * DAY
    registers = rng.random(count) < np.array(REGISTERS)[intent]
    intent, arrives_at, is_viral = _carried_by_article(rng, intent, arrives_at, account, stories)
    device_count = 1 + choose(rng, (0.60, 0.32, 0.08), count)
    device_code = number[:, None] * (MAX_DEVICES + 1) + np.arange(MAX_DEVICES)
    agent = _agents(rng, count)
    skew = np.where(rng.random((count, MAX_DEVICES)) < SKEWED_SHARE, rng.normal(0, 3_600_000, (count, MAX_DEVICES)), 0)
    skew = skew.astype(np.int64)
    owners = _families(rng, count, account)
    device_count[owners + 1] = 2
    registers[owners] = registers[owners + 1] = True
    for table in (device_code, agent, skew):
        table[owners + 1, 1] = table[owners, 0]
    return People(
        number=number, intent=intent, arrives_at=arrives_at, registers=registers & ~is_viral, subscribes=rng.random(count) < 0.55,
        account=account, is_viral=is_viral, device_count=device_count, device_code=device_code, agent=agent, skew=skew,
    )  # fmt: skip


def visitor_ids(device_code: Array, seed: int) -> Array:
    """The anonymous id of each device, as a number."""
    return scattered(device_code, seed * 64 + VISITOR_SALT)


def _accounts(first: int, count: int) -> Array:
    """The first persons of a batch work in companies of four; −1 for everybody else."""
    members = int(count * ACCOUNT_SHARE) // ACCOUNT_SIZE * ACCOUNT_SIZE
    account = np.full(count, -1)
    account[:members] = first + np.arange(members) // ACCOUNT_SIZE
    return account


def _families(rng: np.random.Generator, count: int, account: Array) -> Array:
    """Persons whose main device the next person uses as well."""
    candidates = np.arange(0, count - 1, 2)
    chosen = rng.random(len(candidates)) < FAMILY_SHARE
    return candidates[chosen & (account[candidates] < 0) & (account[candidates + 1] < 0)]


def _agents(rng: np.random.Generator, count: int) -> Array:
    kinds = np.column_stack(
        [choose(rng, weights, count) for weights in ((0.58, 0.36, 0.06), (0.30, 0.58, 0.12), (0.25, 0.35, 0.40))]
    )
    agent = np.zeros((count, MAX_DEVICES), dtype=np.int64)
    for kind, weights in AGENT_WEIGHTS.items():
        first = int(np.flatnonzero(kind == AGENT_DEVICE)[0])
        drawn = first + choose(rng, weights, count * MAX_DEVICES).reshape(count, MAX_DEVICES)
        agent = np.where(kinds == kind, drawn, agent)
    return agent


def _carried_by_article(
    rng: np.random.Generator, intent: Array, arrives_at: Array, account: Array, stories: tuple[Story, ...]
) -> tuple[Array, Array, Array]:
    """Some persons come because of the article, in its days, and want little; drawn alike when the story is not told."""
    count = len(intent)
    chosen = (rng.random(count) < VIRAL_SHARE) & (account < 0)
    place = rng.random(count) ** 1.6
    story = story_named(stories, VIRAL)
    if story is None:
        return intent, arrives_at, np.zeros(count, dtype=bool)
    then = story.begins + (place * (story.ends - story.begins)).astype(np.int64)
    return np.where(chosen, BROWSER, intent), np.where(chosen, then, arrives_at), chosen
