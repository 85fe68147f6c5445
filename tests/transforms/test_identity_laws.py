"""Laws of identity: equal to a naive reading of semantics.md §4, whatever the order and the parts."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.contracts import CORE_IDENTITY_EDGES, RAW_CRM_RECORDS, RAW_WEB_EVENTS, VISITOR_NAMESPACES
from transforms.hashing import digest_id
from transforms.identity import (
    Resolution,
    assign_customers,
    collect_evidence,
    collect_identifiers,
    merge_evidence,
    merge_identifiers,
    pair_id,
    resolve_identity,
    shared_identifications,
)
from transforms.journey import Identity

IDENTITY = Identity(people_per_contact=2, visitors_per_identifier=2)
ORDER = ("user_id", "crm_contact_id", "crm_lead_id", "email", "phone", "anonymous_id", "device_id")
HALF_HOUR = timedelta(minutes=30)
START = datetime(2026, 1, 1, tzinfo=UTC)
NO_RECORDS = RAW_CRM_RECORDS.empty().lazy()

MANY, SOME = 100, 40

Node = tuple[str, str]

# ---------------------------------------------------------------- the oracle: §4, word by word


class Groups:
    """Sets of identifiers that grow together."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.group = {node: frozenset({node}) for node in nodes}

    def join(self, left: Node, right: Node) -> None:
        both = self.group[left] | self.group[right]
        self.group.update(dict.fromkeys(both, both))

    def clash(self, left: Node, right: Node) -> bool:
        """Joining the two would put two values of one strong namespace together."""
        near, far = self.group[left], self.group[right]
        strong = ({namespace for namespace, _ in side} & set(IDENTITY.strong) for side in (near, far))
        return near != far and bool(set.intersection(*strong))


def is_visitor(node: Node) -> bool:
    return node[0] in VISITOR_NAMESPACES


def is_forced(edge: dict[str, Any]) -> bool:
    return edge["kind"] in ("manual", "merge", "conversion")


def phase_one(edges: list[dict[str, Any]], nodes: set[Node]) -> tuple[Groups, set[str]]:
    groups, refused = Groups(nodes), set()
    for edge in edges:
        if not is_forced(edge) and groups.clash(edge["left"], edge["right"]):
            refused.add(edge["edge_id"])
        else:
            groups.join(edge["left"], edge["right"])
    return groups, refused


def hubs_of(edges: list[dict[str, Any]], nodes: set[Node]) -> set[Node]:
    hubs: set[Node] = set()
    for contact in ("email", "phone"):
        stronger = ORDER[: ORDER.index(contact)]
        below = [e for e in edges if {e["left"][0], e["right"][0]} <= set(stronger) and not capped(e, hubs)]
        groups, _ = phase_one(below, nodes)
        ties: dict[Node, set[frozenset[Node]]] = {}
        for edge in edges:
            for near, far in ((edge["left"], edge["right"]), (edge["right"], edge["left"])):
                if near[0] == contact and far[0] in stronger:
                    ties.setdefault(near, set()).add(groups.group[far])
        hubs |= {node for node, people in ties.items() if len(people) > IDENTITY.people_per_contact}
    return hubs


def capped(edge: dict[str, Any], hubs: set[Node]) -> bool:
    return not is_forced(edge) and bool({edge["left"], edge["right"]} & hubs)


def naive(edges: pl.DataFrame, nodes: set[Node]) -> tuple[dict[Node, frozenset[Node] | None], dict[str, str]]:
    """The members of each identifier's customer (None for shared and hubs), and the fate of each edge."""
    ledger = [
        {**row, "left": (row["from_namespace"], row["from_value"]), "right": (row["to_namespace"], row["to_value"])}
        for row in edges.sort("strength", "occurred_at", "edge_id", nulls_last=True).iter_rows(named=True)
    ]
    nodes = nodes | {edge[end] for edge in ledger for end in ("left", "right")}
    among_people = [edge for edge in ledger if not is_visitor(edge["left"]) and not is_visitor(edge["right"])]
    hubs = hubs_of(among_people, nodes)
    groups, refused = phase_one([edge for edge in among_people if not capped(edge, hubs)], nodes)

    ties: dict[Node, set[frozenset[Node]]] = {}
    visitors_of: dict[Node, list[Node]] = {}
    for edge in ledger:
        visitor, person = sorted((edge["left"], edge["right"]), key=is_visitor, reverse=True)
        if is_visitor(visitor) and not is_visitor(person) and not capped(edge, hubs):
            ties.setdefault(visitor, set()).add(groups.group[person])
            if visitor not in visitors_of.setdefault(person, []):
                visitors_of[person].append(visitor)
    beyond = {visitor for visitors in visitors_of.values() for visitor in visitors[IDENTITY.visitors_per_identifier :]}
    shared = {visitor for visitor, owners in ties.items() if len(owners) > 1 or visitor in beyond}
    for visitor, owners in ties.items():
        if visitor not in shared:
            (owner,) = owners
            groups.join(visitor, next(iter(owner)))

    fates = {}
    for edge in ledger:
        ends = {edge["left"], edge["right"]}
        stitched = not capped(edge, hubs) and not ends & shared and not all(is_visitor(end) for end in ends)
        applied = "conflict" if edge["edge_id"] in refused else "applied"
        fates[edge["edge_id"]] = applied if stitched else "capped"
    nobody = shared | {hub for hub in hubs if len(groups.group[hub]) == 1}
    return {node: None if node in nobody else groups.group[node] for node in nodes}, fates


def naive_anchor(members: frozenset[Node], first_seen: dict[Node, int | None]) -> Node:
    def order(node: Node) -> tuple[int, bool, int, str]:
        seen = first_seen.get(node)
        return ORDER.index(node[0]), seen is None, seen or 0, node[1]

    return min(members, key=order)


def naive_owners(rows: list[dict[str, Any]], group: dict[Node, frozenset[Node] | None]) -> list[Any]:
    """Members of the customer of each event (rows in total order), shared visitors resolved by visit."""

    def own(row: dict[str, Any]) -> frozenset[Node] | None:
        people = [(name, row[name]) for name in ORDER if name not in VISITOR_NAMESPACES and row.get(name)]
        return next((group[node] for node in people if group[node] is not None), None)

    def visitor(row: dict[str, Any]) -> Node | None:
        return next(((name, row[name]) for name in VISITOR_NAMESPACES if row.get(name)), None)

    def nearest(row: dict[str, Any]) -> frozenset[Node] | None:
        mine = [other for other in rows if visitor(other) == visitor(row)]
        minutes = sorted({other["minute"] for other in mine})
        cuts = [late for early, late in pairwise(minutes) if late - early > 30]
        same = [o for o in mine if sum(o["minute"] >= c for c in cuts) == sum(row["minute"] >= c for c in cuts)]
        for scope in (same, mine):
            named = [other for other in scope if own(other) is not None]
            before = [other for other in named if other["minute"] <= row["minute"]]
            after = [other for other in named if other["minute"] > row["minute"]]
            # The last before; at one instant the last in the total order. The first after; there the first.
            if before:
                return own(before[-1])
            if after:
                return own(after[0])
        return None

    found: list[Any] = []
    for row in rows:
        seat = visitor(row)
        mine = group[seat] if seat else None
        found.append(own(row) or mine or (nearest(row) if seat else None))
    return found


# ---------------------------------------------------------------- what is drawn

values = st.sampled_from(["1", "2", "3"])
maybe = st.none() | values
rows = st.fixed_dictionaries(
    {
        "minute": st.integers(0, 12).map(lambda tens: tens * 10),
        "event": st.sampled_from(["page_view", "login", "identify", "alias", "manual", "lead_converted"]),
        "object": st.sampled_from([None, None, "lead"]),
        "user_id": maybe,
        "crm_contact_id": maybe,
        "crm_lead_id": st.none() | st.sampled_from(["1"]),
        "email": maybe,
        "phone": st.none() | st.sampled_from(["1"]),
        "anonymous_id": maybe,
        "device_id": st.none() | st.sampled_from(["1"]),
    }
)
timelines = st.lists(rows, max_size=14)
kinds = st.sampled_from([("merge", 2), ("login", 3), ("crm_record", 4), ("form", 5)])
nodes = st.tuples(st.sampled_from(["user_id", "crm_contact_id", "email", "phone", "anonymous_id"]), values)
links = st.lists(st.tuples(kinds, nodes, nodes, st.none() | st.integers(0, 3)), max_size=24)


def events(timeline: list[dict[str, Any]]) -> pl.LazyFrame:
    filled = [
        {**row, "source": "web", "event_id": f"e{number:02}", "occurred_at": START + timedelta(minutes=row["minute"])}
        for number, row in enumerate(timeline)
    ]
    frame = pl.DataFrame(filled, infer_schema_length=None) if filled else RAW_WEB_EVENTS.empty()
    return RAW_WEB_EVENTS.conform(frame.lazy())


def ledger(drawn: list[tuple[tuple[str, int], Node, Node, int | None]]) -> pl.DataFrame:
    rows = [
        {
            "kind": kind,
            "from_namespace": left[0],
            "from_value": left[1],
            "to_namespace": right[0],
            "to_value": right[1],
            "occurred_at": None if minute is None else START + timedelta(minutes=minute),
            "source": "web",
            "event_id": "e",
            "received_at": None,
            "evidence_count": 1,
        }
        for (kind, _), left, right, minute in drawn
        if left != right and not (is_visitor(left) and is_visitor(right))
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None) if rows else CORE_IDENTITY_EDGES.empty()
    return merge_evidence([CORE_IDENTITY_EDGES.conform(frame.lazy())]).collect()


def group_of(resolution: Resolution) -> dict[Node, frozenset[Node] | None]:
    rows = list(resolution.identity_map.select("namespace", "value", "customer_id").iter_rows())
    members: dict[str, set[Node]] = {}
    for namespace, value, customer in rows:
        members.setdefault(customer, set()).add((namespace, value))
    return {(name, value): frozenset(members[customer]) if customer else None for name, value, customer in rows}


def resolved(web: pl.LazyFrame) -> Resolution:
    edges = collect_evidence(web, NO_RECORDS, identity=IDENTITY)
    return resolve_identity(edges, collect_identifiers(web, NO_RECORDS), identity=IDENTITY)


def tables(resolution: Resolution) -> list[pl.DataFrame]:
    return [
        resolution.edges.sort("edge_id"),
        resolution.identity_map.sort("namespace", "value"),
        resolution.aliases.sort("alias_id"),
    ]


# ---------------------------------------------------------------- the laws


@settings(deadline=None, max_examples=MANY)
@given(links)
def test_customers_and_fates_are_those_of_a_naive_union_find(drawn):
    edges = ledger(drawn)
    group, fates = naive(edges, set())

    resolution = resolve_identity(edges, collect_identifiers(events([]), NO_RECORDS), identity=IDENTITY)

    assert group_of(resolution) == group
    assert dict(resolution.edges.select("edge_id", "status").iter_rows()) == fates


@settings(deadline=None, max_examples=SOME)
@given(timelines)
def test_customers_are_named_after_the_naive_anchor(timeline):
    web = events(timeline)
    resolution = resolved(web)
    identifiers = collect_identifiers(web, NO_RECORDS).collect()
    seen = {(row["namespace"], row["value"]): row["first_seen_at"] for row in identifiers.iter_rows(named=True)}
    first_seen = {node: None if time is None else int(time.timestamp()) for node, time in seen.items()}

    group, _ = naive(resolution.edges, set(first_seen))

    anchors = {naive_anchor(members, first_seen) for members in group.values() if members}
    named = pl.DataFrame(list(anchors), schema=["namespace", "value"], orient="row")
    ids = named.select(digest_id(pl.col("namespace").cast(pl.String), pl.col("value").cast(pl.String))).to_series()
    assert set(ids) == set(resolution.identity_map["customer_id"].drop_nulls())
    assert set(resolution.aliases["customer_id"]) == set(ids)


@settings(deadline=None, max_examples=SOME)
@given(timelines)
def test_every_event_belongs_to_the_customer_a_naive_reading_gives_it(timeline):
    people = [row for row in timeline if not row["device_id"] or row["anonymous_id"]]
    web = events(people)
    resolution = resolved(web)
    group = group_of(resolution)
    identity_map = resolution.identity_map.lazy()
    numbered = sorted(enumerate(people), key=lambda item: (item[1]["minute"], item[0]))

    owned = assign_customers(
        web,
        identity_map,
        identity=IDENTITY,
        visit_timeout=HALF_HOUR,
        identifications=shared_identifications(resolution.edges.lazy(), identity_map),
    )

    customers = dict(owned.select("event_id", "customer_id").collect().iter_rows())
    members: dict[str, set[Node]] = {}
    for namespace, value, customer in resolution.identity_map.select("namespace", "value", "customer_id").iter_rows():
        members.setdefault(customer, set()).add((namespace, value))
    expected = naive_owners([row for _, row in numbered], group)
    assert len(customers) == len(people)
    for (number, _), owner in zip(numbered, expected, strict=True):
        assert owner is None or members[customers[f"e{number:02}"]] == owner


@settings(deadline=None, max_examples=SOME)
@given(timelines, st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_and_parts_change_nothing(timeline, random, count):
    web = events(timeline).collect()
    order = list(range(web.height))
    random.shuffle(order)
    shuffled = web[order]
    parts = [shuffled[start::count].lazy() for start in range(count)]

    edges = merge_evidence([collect_evidence(part, NO_RECORDS, identity=IDENTITY) for part in parts])
    identifiers = merge_identifiers([collect_identifiers(part, NO_RECORDS) for part in parts])
    in_parts = resolve_identity(edges, identifiers, identity=IDENTITY)

    for whole, together in zip(tables(resolved(web.lazy())), tables(in_parts), strict=True):
        assert whole.equals(together)


@settings(deadline=None, max_examples=SOME)
@given(links)
def test_retracting_a_pair_equals_never_having_seen_it(drawn):
    edges = ledger(drawn)
    gone = edges.sort("edge_id").head(2).select(pair_id=pair_id()).unique()
    of_them = pair_id().is_in(gone["pair_id"].implode())
    nodes = pl.concat(
        [edges.select(namespace=f"{end}_namespace", value=f"{end}_value") for end in ("from", "to")]
    ).unique()
    identifiers = nodes.with_columns(
        pl.lit(None, pl.Datetime("us", "UTC")).alias(name) for name in ("first_seen_at", "valid_from", "known_from")
    )

    retracted = resolve_identity(edges, identifiers, identity=IDENTITY, retracted=gone)
    never = resolve_identity(edges.filter(~of_them), identifiers, identity=IDENTITY)

    assert tables(retracted)[1].equals(tables(never)[1])
    taken_back = retracted.edges.filter(pl.col("status") == "retracted")["edge_id"]
    assert set(taken_back) == set(edges.filter(of_them)["edge_id"])
