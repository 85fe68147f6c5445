"""The future journey: what each stage shall become by journey.yaml, held against what customers really met."""

from collections.abc import Iterator
from dataclasses import dataclass

from reports.page import Cell, Figure, Item, Mark, Query
from reports.tables import cells, numbers, table, texts
from reports.view import View
from reports.words import count, day, name, plural, sentence
from transforms.journey import Stage

LATELY = "in the last 28 days"


@dataclass(frozen=True)
class Step:
    """One touchpoint on the way to the future stage: what shall become of it, whether that is so, who met it, and since or until when."""

    stage: str
    touchpoint: str
    is_to_come: bool
    is_done: bool
    state: str
    customers: int
    lately: int


def steps(view: View, stage: Stage) -> Iterator[Step]:
    """The touchpoints that a stage shall gain and lose, in the order of journey.yaml.

    One to come is there once a customer has met it; one to go is gone once nobody met it in the newest 28 days.
    """
    future = view.journey.future_of(stage.name)
    met = {
        row["touchpoint"]: row
        for row in view.answer("touchpoint_use").iter_rows(named=True)
        if row["stage"] == stage.name
    }
    for contact in future.adds if future else ():
        row = met.get(contact)
        customers, lately = (row["customers"], row["customers_lately"]) if row else (0, 0)
        state = (
            f"there since {day(row['first_day'])}" if row
            else "planned, met by nobody yet" if contact in stage.touchpoint_names
            else "to come: no rule of the stage has this name yet"
        )  # fmt: skip
        yield Step(stage.name, contact, True, row is not None, state, customers, lately)
    for contact in future.drops if future else ():
        row = met.get(contact)
        customers, lately = (row["customers"], row["customers_lately"]) if row else (0, 0)
        state = (
            "never met" if row is None
            else f"gone: last met on {day(row['last_day'])}" if not lately
            else "still met"
        )  # fmt: skip
        yield Step(stage.name, contact, False, not lately, state, customers, lately)


def future_items(view: View, stage: Stage) -> tuple[Item, ...]:
    """What a stage shall become, as lines of the map."""
    future = view.journey.future_of(stage.name)
    if future is None:
        return (Item("stays as it is planned"),)
    said = [Item(name(future.description, limit=200))] if future.description else []
    return (*said, *(item(step) for step in steps(view, stage)))


def item(step: Step) -> Item:
    """One touchpoint to come or to go."""
    lately = f"; {plural(step.lately, 'customer')} {LATELY}" if step.customers else ""
    mark: Mark = "good" if step.is_done else "open"
    return Item(f"{'+' if step.is_to_come else '−'} {name(step.touchpoint, limit=40)}", step.state + lately, mark)


def future_figure(view: View) -> Figure:
    """Every touchpoint to come and to go, with how far it is."""
    every = [step for stage in view.journey.stages for step in steps(view, stage)]
    done = sum(step.is_done for step in every)
    return Figure(
        "map-future",
        f"{count(done)} of {plural(len(every), 'change')} towards the future journey {'is' if done == 1 else 'are'} made"
        if every
        else "No touchpoint is to come or to go",
        "From `future` in journey.yaml. What is to come is there once a customer has met it in this stage; what is to go is gone once nobody met "
        "it in the newest 28 days.",
        None,
        table(
            (*texts("Touchpoint", "Shall", "Now"), *numbers("Customers ever", sentence(LATELY))),
            [
                cells(
                    Cell(name(step.touchpoint), name(step.stage, limit=40)),
                    "come" if step.is_to_come else "go",
                    sentence(step.state),
                    count(step.customers),
                    count(step.lately),
                )
                for step in every
            ],
        ),
        Query("touchpoint_use"),
        is_open=True,
    )
