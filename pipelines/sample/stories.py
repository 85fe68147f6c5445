"""Stories: what goes wrong, or well, in the sample, in known days."""

from dataclasses import dataclass

import numpy as np

from pipelines.sample.catalogue import DEVICES, MOBILE, VIRAL_ARTICLE
from pipelines.sample.clock import DAY, HOUR, Period
from pipelines.sample.draws import Array


@dataclass(frozen=True)
class Story:
    """Something planted: in [begins, ends), milliseconds since the start, for one kind of device or all."""

    name: str
    description: str
    begins: int
    ends: int
    device: int | None = None
    order_factor: float = 1.0

    @property
    def segment(self) -> dict[str, str]:
        """Whom it concerns, as a `where`."""
        return {} if self.device is None else {"device": DEVICES[self.device]}

    def holds(self, at: Array, device: Array) -> Array:
        """True for the visits that it concerns."""
        inside = (at >= self.begins) & (at < self.ends)
        return inside if self.device is None else inside & (device == self.device)


CHECKOUT_BUG = "checkout bug on mobile"
PAYMENT_INCIDENT = "payment incident"
VIRAL = "viral article"


def planned(period: Period) -> tuple[Story, ...]:
    """The stories of a period: the bug lasts two weeks from a Monday, less when the period is short."""
    length = 14 if period.days >= 56 else max(1, period.days // 4)
    bug = int(0.55 * period.days)
    if period.days >= 56:
        bug += -(bug + period.start.weekday()) % 7
    viral = int(0.3 * period.days)
    incident = int(0.8 * period.days)
    return (
        Story(
            CHECKOUT_BUG,
            "A release broke the payment form on phones: far fewer checkouts there end in an order.",
            bug * DAY, (bug + length) * DAY, device=MOBILE, order_factor=0.3,
        ),
        Story(
            PAYMENT_INCIDENT,
            "The payment provider was down for six hours: hardly an order on any device, then tickets about payment.",
            incident * DAY + 15 * HOUR, incident * DAY + 21 * HOUR, order_factor=0.08,
        ),
        Story(
            VIRAL,
            f"The article {VIRAL_ARTICLE} went round: many visitors from search and social for four days, few purchases.",
            viral * DAY, (viral + min(4, max(1, period.days // 8))) * DAY,
        ),
    )  # fmt: skip


def order_factor(stories: tuple[Story, ...], at: Array, device: Array) -> Array:
    """What is left of the chance to complete an order, per visit."""
    factor = np.ones(len(at))
    for story in stories:
        factor = np.where(story.holds(at, device), np.minimum(factor, story.order_factor), factor)
    return factor


def story_named(stories: tuple[Story, ...], name: str) -> Story | None:
    """The story of that name, when it is told."""
    return next((story for story in stories if story.name == name), None)
