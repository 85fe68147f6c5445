"""What a number of events a month takes: cores, memory, storage and money, worked out from what was measured at ten million.

Every cost is one that a measurement gave (docs/scaling.md names it); prices and the length of the night are what is asked.
Run: python -m benchmarks.scaling [--a-month 1e9] [--months 12] [--hours 6] [--core-hour 0.045] [--tb-month 23]
"""

import argparse
from dataclasses import dataclass

DAYS = 30
MICRO = 1e-6
READ = 14.4
"""Core-microseconds a row, from a landed file to raw."""
ON_SPARK = {"identity": 13.9, "timeline": 27.1, "funnels": 7.8}
"""Core-microseconds an event of the history, on Spark."""
ON_ONE = 22.0
"""Microseconds an event of the history, for marts, checks, report and publishing on one machine of two cores."""
SHUFFLED = 145
"""Bytes an event that Spark moves between tasks."""
EXCHANGED = 230
"""Bytes an event that lie in the storage during a night, in and out."""
LANDED, KEPT = 92, 592
"""Bytes an event as it landed (gzip), and in the build file and the published one together."""
TASK_GB = 0.5
"""Memory that a task of 250,000 events takes."""


@dataclass(frozen=True)
class Need:
    """One line of the table: what is needed, how much of it."""

    what: str
    much: str


def needs(*, a_month: float, months: float, hours: float, core_hour: float, tb_month: float) -> list[Need]:
    """What so many events a month take, when so many months of history are made anew within so many hours each night."""
    history, new = a_month * months, a_month / DAYS
    core_hours = history * sum(ON_SPARK.values()) * MICRO / 3600
    cores = core_hours / hours
    kept = history * (LANDED + KEPT) / 1e12
    return [
        Need("events of history; new ones a night", f"{words(history)}; {words(new)}"),
        Need("reading them, on two cores", span(new * READ * MICRO / 2)),
        Need("Spark: core-hours a night; cores for the night", f"{core_hours:,.0f}; {cores:,.0f}"),
        Need("Spark: memory of the tasks", f"{cores * TASK_GB:,.0f} GB"),
        Need("Spark: moved between tasks; in the storage meanwhile", f"{history * SHUFFLED / 1e12:,.1f} TB; {history * EXCHANGED / 1e12:,.1f} TB"),
        Need("marts, checks, report and publishing, on one machine of two cores", span(history * ON_ONE * MICRO)),
        Need("kept: landed files, build file, published file", f"{kept:,.1f} TB"),
        Need("money a month: cores; what is kept", f"{core_hours * core_hour * DAYS:,.0f}; {kept * tb_month:,.0f}"),
    ]  # fmt: skip


def words(number: float) -> str:
    """A number of events in words."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:,.1f} {name}"
    return f"{number:,.0f}"


def span(seconds: float) -> str:
    """A time in words."""
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"


def table(columns: dict[str, list[Need]]) -> str:
    """The needs of several businesses side by side, as Markdown."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {row[0].what} | " + " | ".join(need.much for need in row) + " |"
        for row in zip(*columns.values(), strict=True)
    ]
    return "\n".join(lines)


def asked() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a-month", type=float, nargs="+", default=[1e7, 1e9, 1e11], help="events a month")
    parser.add_argument("--months", type=float, default=12, help="months of history")
    parser.add_argument("--hours", type=float, default=6, help="hours of the night that Spark has")
    parser.add_argument("--core-hour", type=float, default=0.045, help="price of a core for an hour")
    parser.add_argument("--tb-month", type=float, default=23, help="price of a terabyte for a month")
    return parser.parse_args()


if __name__ == "__main__":
    told = vars(asked())
    sizes = told.pop("a_month")
    print(table({f"{words(size)} a month": needs(a_month=size, **told) for size in sizes}))
