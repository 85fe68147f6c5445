"""Evidence: why an identifier points at its customer, by which events, and what was not applied."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.people import Named, counted, identifier_text, moment, named
from pipelines.retractions import retractions
from pipelines.settings import Workspace
from pipelines.warehouse import Connection, ask, open_published
from transforms.contracts import VISITOR_NAMESPACES
from transforms.hashing import digest_id
from transforms.identity import ENDS, IDENTIFIER, pair_id
from transforms.journey import Identity

Node = tuple[str, str]
Edge = dict[str, Any]
LINK = ("kind", "strength", "occurred_at", "source", "event_id", "edge_id", "status", "evidence_count")


def why(place: Workspace, asked: str) -> dict[str, Any]:
    """Why an identifier points at its customer.

    The answer: the identifier; its customer, anchor and identifiers; the chain of applied edges to the anchor, the fewest
    there are; strong namespaces of which the customer holds several values; edges that were not applied, and why; and the
    visitors it shares with others. Raises as `named`.
    """
    identity = place.configuration.journey.identity
    with open_published(place.published) as connection:
        found = named(place, connection, asked)
        members = _members(connection, found)
        edges = ask(connection, "ops/edges_at.sql", members=members.select(IDENTIFIER)).rows(named=True)
        anchor = _anchor(members, found)
        applied = [edge for edge in edges if edge["status"] == "applied"]
        steps = steps_to(anchor, applied) if anchor else {}
        refused = [edge for edge in edges if edge["status"] != "applied"]
        neighbours = _neighbours(connection, refused)
        customer = {"customer": found.customer_id}
        summary = ask(connection, "ops/customer_summary.sql", customer).rows(named=True) if found.customer_id else []
        explain = _explainer(place, connection, refused, neighbours, identity)
    start = (found.namespace, found.value) if found.namespace and found.value else anchor
    return {
        "identifier": {"namespace": found.namespace, "value": found.value, "status": found.status},
        "customer": summary[0] if summary else None,
        "anchor": _identifier(anchor) if anchor else None,
        "chain": chain(start, steps) if start else [],
        "identifiers": [_held(row, steps) for row in members.rows(named=True)],
        "multi_strong": _multi_strong(members, identity),
        "not_applied": [{**_ends(edge), **_link(edge), "reason": explain(edge)} for edge in refused],
        "shared": _shared(neighbours),
    }


def steps_to(anchor: Node, edges: Iterable[Edge]) -> dict[Node, tuple[Node, list[Edge]]]:
    """For every identifier that edges lead from to the anchor: the next one on a shortest way, and the edges between.

    In: edges, strongest first: of equally short ways the one is taken whose edges, from the anchor on, are the strongest.
    """
    ties: dict[Node, dict[Node, list[Edge]]] = {}
    for edge in edges:
        near, far = _nodes(edge)
        ties.setdefault(near, {}).setdefault(far, []).append(edge)
        ties.setdefault(far, {}).setdefault(near, []).append(edge)
    steps: dict[Node, tuple[Node, list[Edge]]] = {}
    waiting = deque([anchor])
    while waiting:
        node = waiting.popleft()
        for other, between in ties.get(node, {}).items():
            if other != anchor and other not in steps:
                steps[other] = (node, between)
                waiting.append(other)
    return steps


def chain(start: Node, steps: dict[Node, tuple[Node, list[Edge]]]) -> list[dict[str, Any]]:
    """The edges from an identifier to the anchor, one a step, with the others of the same pair; empty for the anchor itself."""
    links = []
    while start in steps:
        following, (first, *others) = steps[start]
        also = [{name: edge[name] for name in ("kind", "edge_id")} for edge in others]
        links.append({"from": _identifier(start), "to": _identifier(following), **_link(first), "also": also})
        start = following
    return links


def _members(connection: Connection, found: Named) -> pl.DataFrame:
    """The identifiers of the customer; of one without customer, that identifier alone."""
    if found.customer_id is not None:
        return ask(connection, "ops/customer_identifiers.sql", {"customer": found.customer_id})
    alone = {"namespaces": [found.namespace], "values": [found.value]}
    return ask(connection, "ops/identifiers_named.sql", alone)


def _anchor(members: pl.DataFrame, found: Named) -> Node | None:
    """The identifier whose hash is the customer's id."""
    rows = members.filter(digest_id(*IDENTIFIER) == pl.lit(found.customer_id)).select(IDENTIFIER).rows()
    return rows[0] if rows else None


def _neighbours(connection: Connection, refused: list[Edge]) -> list[Edge]:
    """All edges at the identifiers without a customer that these edges reach: shared visitors, addresses of too many."""
    nobodys = sorted({node for edge in refused for node in _nodes(edge) if _owner(edge, node) is None})
    if not nobodys:
        return []
    frame = pl.DataFrame(nobodys, schema=list(IDENTIFIER), orient="row")
    return ask(connection, "ops/edges_at.sql", members=frame).rows(named=True)


def _held(row: dict[str, Any], steps: dict[Node, tuple[Node, list[Edge]]]) -> dict[str, Any]:
    """An identifier of the customer, with the edge by which it is tied to the next one towards the anchor."""
    node = (row["namespace"], row["value"])
    following, between = steps.get(node, (None, [{}]))
    by = (
        {"to": _identifier(following), "kind": between[0]["kind"], "edge_id": between[0]["edge_id"]}
        if following
        else None
    )
    return {**_identifier(node), "status": row["status"], "valid_from": row["valid_from"], "by": by}


def _multi_strong(members: pl.DataFrame, identity: Identity) -> dict[str, list[str]]:
    """The values of each strong namespace of which there are several."""
    strong = members.filter(pl.col("namespace").is_in(identity.strong)).sort(IDENTIFIER)
    held = strong.group_by("namespace", maintain_order=True).agg("value")
    return {space: values for space, values in held.rows() if len(values) > 1}


def _shared(neighbours: list[Edge]) -> list[dict[str, Any]]:
    """The browsers and devices without a customer among these edges' ends, and whom they are tied to."""
    sharers: dict[Node, set[str]] = {}
    for edge in neighbours:
        for visitor, other in (_nodes(edge), _nodes(edge)[::-1]):
            customer, is_shared = _owner(edge, other), _owner(edge, visitor) is None
            if is_shared and visitor[0] in VISITOR_NAMESPACES and customer and edge["status"] != "retracted":
                sharers.setdefault(visitor, set()).add(customer)
    return [{**_identifier(visitor), "customers": sorted(customers)} for visitor, customers in sorted(sharers.items())]


# ---------------------------------------------------------------- why an edge was not applied


def _explainer(
    place: Workspace, connection: Connection, refused: list[Edge], neighbours: list[Edge], identity: Identity
) -> Callable[[Edge], str]:
    """Says in words why an edge was not applied."""
    taken_back = {told.pair_id: told for told in retractions(place.landing)}
    customers = sorted({owner for edge in refused for node in _nodes(edge) if (owner := _owner(edge, node))})
    asked = {"customers": customers, "namespaces": list(identity.strong)}
    strong = ask(connection, "ops/strong_values.sql", asked).rows(named=True) if customers else []

    def explain(edge: Edge) -> str:
        if edge["status"] == "retracted":
            told = taken_back.get(pl.DataFrame({name: edge[name] for name in ENDS}).select(pair_id()).item())
            return (
                f"taken apart on {datetime.fromisoformat(told.at):%Y-%m-%d}: {told.reason}" if told else "taken apart"
            )
        if edge["status"] == "conflict":
            return _conflict(edge, strong)
        return _capped(edge, neighbours, identity)

    return explain


def _conflict(edge: Edge, strong: list[dict[str, Any]]) -> str:
    """Which strong values an edge would have put together."""
    sides = [
        {row["namespace"]: row["value"] for row in strong if row["customer_id"] == _owner(edge, node)}
        for node in _nodes(edge)
    ]
    both = [
        f"{identifier_text(space, sides[0][space])} and {identifier_text(space, sides[1][space])}"
        for space in sides[0]
        if space in sides[1]
    ]
    return (
        f"would make one person of {', of '.join(both)}"
        if both
        else "would put two values of a strong namespace together"
    )


def _capped(edge: Edge, neighbours: list[Edge], identity: Identity) -> str:
    """Whether an edge ends at a visitor of several people, at one too many of somebody's, or at an address of too many."""
    for node in _nodes(edge):
        if _owner(edge, node) is not None:
            continue
        others = {
            owner
            for other in neighbours
            for far in _nodes(other)
            if node in _nodes(other) and other["status"] != "retracted" and (owner := _owner(other, far))
        }
        text = identifier_text(*node)
        if node[0] not in VISITOR_NAMESPACES:
            return f"{text} is tied to more than {identity.people_per_contact:,} people, so it joins nobody"
        if len(others) > 1:
            return f"{text} is shared by {counted(len(others), 'customer')}, so it joins nobody"
        return f"{text} comes after the first {identity.visitors_per_identifier:,} visitors of one identifier"
    return "not applied"


# ---------------------------------------------------------------- edges and words


def _nodes(edge: Edge) -> tuple[Node, Node]:
    return (edge["from_namespace"], edge["from_value"]), (edge["to_namespace"], edge["to_value"])


def _owner(edge: Edge, node: Node) -> str | None:
    """The customer of one end of an edge."""
    owner: str | None = edge["from_customer"] if node == _nodes(edge)[0] else edge["to_customer"]
    return owner


def _identifier(node: Node) -> dict[str, str]:
    return dict(zip(IDENTIFIER, node, strict=True))


def _ends(edge: Edge) -> dict[str, Any]:
    near, far = _nodes(edge)
    return {"from": _identifier(near), "to": _identifier(far)}


def _link(edge: Edge) -> dict[str, Any]:
    return {name: edge[name] for name in LINK}


def print_why(told: dict[str, Any], out: Console) -> None:
    """Print why an identifier points at its customer."""
    lines = [_headline(told)]
    if told["chain"]:
        lines += [f"Chain of evidence ({counted(len(told['chain']), 'edge')}):", *map(_edge_line, told["chain"])]
    lines += [f"Identifiers ({len(told['identifiers'])}):"]
    lines += map(_held_line, told["identifiers"])
    for space, values in told["multi_strong"].items():
        lines.append(f"Several {space}: {', '.join(values)}; merges or conversions put them together")
    for row in told["shared"]:
        lines.append(f"Shared: {_text(row)} by {', '.join(row['customers'])}")
    if told["not_applied"]:
        lines += [f"Not applied ({len(told['not_applied'])}):"]
        for edge in told["not_applied"]:
            lines += [_edge_line(edge), f"    {edge['reason']}"]
    for line in lines:
        out.print(line, markup=False)


def _headline(told: dict[str, Any]) -> str:
    asked, customer = told["identifier"], told["customer"]
    text = identifier_text(asked["namespace"], asked["value"])
    if customer is None:
        return f"{text} is {asked['status']} and points at no customer"
    if told["anchor"] is None:
        return f"{customer['customer_id']} is the customer of an event or record that carries no identifier"
    anchor = identifier_text(told["anchor"]["namespace"], told["anchor"]["value"])
    own = (
        "its anchor itself"
        if told["anchor"] == {key: asked[key] for key in IDENTIFIER}
        else f"whose anchor is {anchor}"
    )
    return (
        f"{text} is customer {customer['customer_id']}, {own}: {counted(customer['event_count'], 'event')}, "
        f"{moment(customer['first_seen_at'])} to {moment(customer['last_seen_at'])}"
    )


def _held_line(row: dict[str, Any]) -> str:
    by = row["by"]
    how = f"{row['status']} to {_text(by['to'])} by {by['kind']} {by['edge_id']}" if by else row["status"]
    return f"  {_text(row)} since {moment(row['valid_from'])}, {how}"


def _edge_line(edge: dict[str, Any]) -> str:
    also = "".join(f"; also {other['kind']} {other['edge_id']}" for other in edge.get("also", ()))
    return (
        f"  {_text(edge['from'])} – {_text(edge['to'])}: {edge['kind']} (strength {edge['strength']}), "
        f"{moment(edge['occurred_at'])}, {edge['source']} {edge['event_id']}, "
        f"{counted(edge['evidence_count'], 'event')}, edge {edge['edge_id']}, {edge['status']}{also}"
    )


def _text(item: dict[str, Any]) -> str:
    return identifier_text(item["namespace"], item["value"])
