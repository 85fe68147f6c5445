"""The future journey: what each stage shall become by journey.yaml, held against what customers really met."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reports.page import Cell, Figure, Item, Mark, Query
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import count, day, name, plural, sentence
from transforms.journey import Stage

LATELY = "in the last 28 days"


@dataclass(frozen=True)
class Aim:
    """One touchpoint that a stage shall gain or lose: whether that is so, in a word and in a sentence, and who met it lately (None: nobody ever)."""

    stage: str
    touchpoint: str
    is_to_come: bool
    is_reached: bool
    state: str
    lately: int | None


def aims(view: View, stage: Stage) -> Iterator[Aim]:
    """The touchpoints that a stage shall gain and then those that it shall lose, in the order of journey.yaml.

    One to come is there once a customer has met it; one to go is gone once nobody met it in the newest 28 days.
    """
    future = view.journey.future_of(stage.name)
    if future is None:
        return
    met = {
        row["touchpoint"]: row for row in view.answer("touchpoint_use").rows(named=True) if row["stage"] == stage.name
    }
    for contact in future.adds:
        row = met.get(contact)
        yield Aim(
            stage.name, contact, True, row is not None, coming(row, contact in stage.touchpoint_names), lately(row)
        )
    for contact in future.removes:
        row = met.get(contact)
        yield Aim(stage.name, contact, False, not lately(row), going(row), lately(row))


def lately(row: dict[str, Any] | None) -> int | None:
    """How many met a contact in the newest 28 days; None where nobody ever did."""
    return row["customers_lately"] if row else None


def coming(row: dict[str, Any] | None, is_planned: bool) -> str:
    """How far a touchpoint to come is."""
    if row is not None:
        return f"there since {day(row['first_day'])}"
    return "planned, met by nobody yet" if is_planned else "to come: no rule of the stage has this name yet"


def going(row: dict[str, Any] | None) -> str:
    """How far a touchpoint to go is."""
    if row is None:
        return "never met"
    return "still met" if row["customers_lately"] else f"gone: last met on {day(row['last_day'])}"


def future_items(view: View, stage: Stage) -> tuple[Item, ...]:
    """What a stage shall become, as lines of the map."""
    future = view.journey.future_of(stage.name)
    if future is None:
        return (Item("stays as it is planned"),)
    said = [Item(name(future.description, limit=200))] if future.description else []
    return (*said, *(item(aim) for aim in aims(view, stage)))


def item(aim: Aim) -> Item:
    """One touchpoint to come or to go."""
    met = f"; {plural(aim.lately, 'customer')} {LATELY}" if aim.lately is not None else ""
    mark: Mark = "good" if aim.is_reached else "open"
    return Item(f"{'+' if aim.is_to_come else '−'} {name(aim.touchpoint, limit=40)}", aim.state + met, mark)


def future_figure(view: View) -> Figure:
    """Every touchpoint to come and to go, with how far it is."""
    every = [aim for stage in view.journey.stages for aim in aims(view, stage)]
    reached = sum(aim.is_reached for aim in every)
    return Figure(
        "map-future",
        f"Of {plural(len(every), 'touchpoint')} to come or to go, {count(reached)} {'is' if reached == 1 else 'are'} as planned for the future"
        if every
        else "No touchpoint is to come or to go",
        "From future in journey.yaml. What is to come is there once a customer has met it in this stage; what is to go is gone once nobody met "
        "it in the newest 28 days.",
        None,
        table(
            (*texts("Touchpoint", "Shall", "Now"), *numbers(sentence(LATELY))),
            [
                cells(
                    Cell(name(aim.touchpoint), name(aim.stage, limit=40)),
                    "come" if aim.is_to_come else "go",
                    sentence(aim.state),
                    plural(aim.lately or 0, "customer"),
                )
                for aim in every
            ],
        ),
        Query("touchpoint_use"),
        is_open=True,
    )
