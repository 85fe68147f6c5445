"""Journeys: whole journeys of a few customers drawn by a seed, to check a map of the journey against."""

from typing import Any

from rich.console import Console

from pipelines.settings import Workspace
from pipelines.warehouse import open_published, sql_text


def sample_customers(place: Workspace, number: int, *, seed: int) -> list[dict[str, Any]]:
    """Some customers in the order in which they were drawn, each with its `events` from the first to the last.

    The same seed draws the same; a customer who comes or goes changes nobody else's place.
    Raises DataError when nothing was published yet.
    """
    with open_published(place.published) as connection:
        drawn = connection.sql(sql_text("ops/sample_customers.sql"), params={"number": number, "seed": seed}).pl()
        names = {"customers": drawn["customer_id"].to_list()}
        events = connection.sql(sql_text("ops/sample_journeys.sql"), params=names).pl()
    journeys: dict[str, list[dict[str, Any]]] = {name: [] for name in names["customers"]}
    for event in events.rows(named=True):
        journeys[event.pop("customer_id")].append(event)
    return [{**customer, "events": journeys[customer["customer_id"]]} for customer in drawn.rows(named=True)]


def print_journeys(customers: list[dict[str, Any]], out: Console) -> None:
    """Each customer's journey, an event a line: when, stage, touchpoint, what."""
    if not customers:
        out.print("No customer has any event.")
    for customer in customers:
        said = f"events: {customer['event_count']}, conversions: {customer['purchase_count']}"
        out.print(
            f"{customer['customer_id']}  {said}, furthest stage: {customer['furthest_stage'] or '(none)'}", markup=False
        )
        for event in customer["events"]:
            out.print(event_line(event), markup=False)
        out.print()


def event_line(event: dict[str, Any]) -> str:
    """One event as a line; a move into a stage is marked with an arrow."""
    mark = "→" if event["is_stage_entry"] else " "
    what = " ".join(str(part) for part in (event["event"], event["path"] or event["state"], event["channel"]) if part)
    where = f"{event['stage'] or '(unmapped)'}: {event['touchpoint']}" if event["touchpoint"] else "(unmapped)"
    return f"  {event['occurred_at']:%Y-%m-%d %H:%M} {mark} {where:<44} {what}{'  ✓' if event['is_conversion'] else ''}"
