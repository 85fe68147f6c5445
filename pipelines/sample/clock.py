"""Time in the sample: milliseconds since the first day, and when people are awake."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from pipelines.sample.draws import Array, choose

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

HOUR_WEIGHTS = (4, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 16, 17, 15, 14, 15, 16, 18, 22, 26, 28, 25, 17, 9)
WEEKDAY_WEIGHTS = (1.0, 0.98, 0.96, 0.94, 0.86, 0.74, 0.97)


@dataclass(frozen=True)
class Period:
    """The days that the sample covers; `burn_in` days before them are lived, but not written."""

    start: date
    days: int

    @property
    def burn_in(self) -> int:
        """Days before the start, so that the business has customers on its first day."""
        return min(60, self.days // 2)

    @property
    def end(self) -> int:
        """The instant at which the files are taken, in milliseconds since the start."""
        return self.days * DAY

    @property
    def halfway(self) -> int:
        """Midnight in the middle, in milliseconds since the start."""
        return self.days // 2 * DAY

    @property
    def midnight(self) -> datetime:
        """The start as an instant."""
        return datetime.combine(self.start, time(), UTC)

    def instant(self, at: int) -> datetime:
        """Milliseconds since the start as an instant."""
        return self.midnight + timedelta(milliseconds=at)

    def instants(self, at: pl.Expr) -> pl.Expr:
        """Milliseconds since the start as instants (UTC)."""
        return (
            (at + int(self.midnight.timestamp()) * SECOND).cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("us", "UTC"))
        )


def waking(at: Array, period: Period, rng: np.random.Generator) -> Array:
    """The same days, at hours when people shop; some of a quiet weekday's visits happen a day later."""
    day = at // DAY
    weekday = (day + period.start.weekday()) % 7
    stays = rng.random(len(at)) < np.array(WEEKDAY_WEIGHTS)[weekday]
    hour = choose(rng, HOUR_WEIGHTS, len(at))
    awake: Array = (day + ~stays) * DAY + hour * HOUR + rng.integers(0, HOUR, len(at)) - HOUR
    return awake
