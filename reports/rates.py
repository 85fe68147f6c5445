"""Rates: a share that never parts from its counts and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from reports.words import count, interval, percent, share
from transforms.statistics import FEW, newcombe, pooled_z, two_sided_p, wilson


@dataclass(frozen=True)
class Rate:
    """`part` of `whole`, with the ends of its 95% interval (None where nobody is counted, or where customers repeat)."""

    part: int
    whole: int
    low: float | None
    high: float | None

    @classmethod
    def of(cls, part: int | None, whole: int | None) -> "Rate":
        """The rate of two counts, with Wilson's interval."""
        counts = pl.DataFrame(
            {"part": [part or 0], "whole": [whole or 0]}, schema={"part": pl.Int64, "whole": pl.Int64}
        )
        low, high = with_interval(counts, "part", "whole").select("low", "high").row(0)
        return cls(part or 0, whole or 0, low, high)

    @classmethod
    def each(cls, parts: Sequence[int], wholes: Sequence[int]) -> "list[Rate]":
        """The rates of many counts at once, with Wilson's intervals."""
        counts = pl.DataFrame({"part": parts, "whole": wholes}, schema={"part": pl.Int64, "whole": pl.Int64})
        return [cls(*row) for row in with_interval(counts, "part", "whole").rows()]

    @classmethod
    def without_interval(cls, part: int, whole: int) -> "Rate":
        """The rate of counts in which one customer may appear several times: Wilson's interval would promise too much."""
        return cls(part, whole, None, None)

    @property
    def value(self) -> float | None:
        """The share itself; None where nobody is counted."""
        return self.part / self.whole if self.whole else None

    @property
    def says_enough(self) -> bool:
        """True when the share may be shown as a percentage."""
        return self.whole >= FEW

    @property
    def text(self) -> str:
        """'34.2%', or in words where there are too few."""
        return share(self.part, self.whole)

    @property
    def counts(self) -> str:
        """'1,204 of 3,520'."""
        return f"{count(self.part)} of {count(self.whole)}"

    @property
    def interval(self) -> str:
        """'32.7–35.8%'."""
        return interval(self.low, self.high)

    @property
    def evidence(self) -> str:
        """Counts and interval, for the line under a sentence."""
        return self.counts if self.low is None else f"{self.counts} (95% interval {self.interval})"


@dataclass(frozen=True)
class Difference:
    """One rate minus another, with Newcombe's 95% interval and the chance that it is nothing (None: too few to test)."""

    here: Rate
    there: Rate
    value: float
    low: float
    high: float
    p_value: float | None

    @classmethod
    def of(cls, here: Rate, there: Rate) -> "Difference | None":
        """The difference of two rates; None where one of them counts nobody."""
        if here.value is None or there.value is None:
            return None
        sides = ("part", "whole", "other_part", "other_whole")
        counts = pl.DataFrame(
            [(here.part, here.whole, there.part, there.whole)], schema=dict.fromkeys(sides, pl.Int64), orient="row"
        )
        low, high = newcombe(*sides)
        row = counts.select(low=low, high=high, z=pooled_z(*sides))
        enough = here.says_enough and there.says_enough
        return cls(
            here,
            there,
            here.value - there.value,
            row["low"].item(),
            row["high"].item(),
            two_sided_p(row["z"]).item() if enough else None,
        )

    @property
    def evidence(self) -> str:
        """Both rates with their counts, and the interval of the difference."""
        span = f"{self.low * 100:+.1f} to {self.high * 100:+.1f} points".replace("-", "−")
        return (
            f"{percent(self.here.value)} ({self.here.counts}) against {percent(self.there.value)} ({self.there.counts}); "
            f"difference {span} (95% interval)"
        )


def with_interval(frame: pl.DataFrame, part: str, whole: str) -> pl.DataFrame:
    """The frame with `low` and `high`, the ends of Wilson's interval of part / whole."""
    low, high = wilson(part, whole)
    return frame.with_columns(low=low, high=high)
