"""Identity: which identifiers are the same person, told from the evidence alone.

Evidence is a ledger of edges between identifiers (`collect_evidence`); people and visitors are resolved from it in two
phases (`resolve_identity`); then every event is given to its customer (`assign_customers`). Contract: semantics.md §4.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from transforms.contracts import (
    CORE_CUSTOMER_ALIASES,
    CORE_IDENTITY_EDGES,
    CORE_IDENTITY_MAP,
    IDENTIFIERS,
    RAW_CRM_RECORDS,
    RAW_WEB_EVENTS,
    TIME,
    VISITOR_NAMESPACES,
    Table,
)
from transforms.hashing import digest_id
from transforms.journey import Identity

STRENGTHS = {
    "manual": 1,
    "merge": 2,
    "conversion": 2,
    "login": 3,
    "identify": 3,
    "alias": 3,
    "crm_record": 4,
    "form": 5,
}
FORCED_KINDS = ("manual", "merge", "conversion")
CONTACT_NAMESPACES = ("email", "phone")
MERGED_ID = r"[^\s,;\"\[\]]+"
NOT_PEOPLE = ("company", "deal", "ticket")
RECORD_NAMESPACES = {"contact": "crm_contact_id", "lead": "crm_lead_id", "user": "user_id"}

ENDS = ("from_namespace", "from_value", "to_namespace", "to_value")
EVIDENCE = ("occurred_at", "source", "event_id", "received_at")
IDENTIFIER = ("namespace", "value")
ORDER = ("strength", "occurred_at", "edge_id")
NOTHING_RETRACTED = pl.DataFrame(schema={"pair_id": pl.String})
POINTERS = tuple(f"{namespace}_customer" for namespace in IDENTIFIERS)

EVENT_COLUMNS = (
    "source",
    "event_id",
    "event",
    "occurred_at",
    "received_at",
    *IDENTIFIERS,
    "object",
    "record_id",
    "properties",
)
RECORD_COLUMNS = ("source", "object", "record_id", "evident_at", *IDENTIFIERS, "properties")


def person_namespaces(identity: Identity) -> tuple[str, ...]:
    """The configured namespaces that name people, strongest first."""
    return tuple(name for name in (*identity.strong, *identity.weak) if name not in VISITOR_NAMESPACES)


def identifier_namespaces(identity: Identity) -> tuple[str, ...]:
    """All configured namespaces, strongest first; browsers and devices always come after people."""
    return (*person_namespaces(identity), *(name for name in identity.weak if name in VISITOR_NAMESPACES))


# ---------------------------------------------------------------- the ledger


def collect_evidence(events: pl.LazyFrame, records: pl.LazyFrame, *, identity: Identity) -> pl.LazyFrame:
    """Read the edges between identifiers out of events and CRM records.

    In:  canonical events and rows of RAW_CRM_RECORDS (any of their columns; the missing count as null).
    Out: CORE_IDENTITY_EDGES without status, one row per kind and pair, with the earliest evidence; in no order.

    Every identifier of a row is tied to the strongest one on that row; two visitors are never tied. A row named `merge`
    or `manual` ties a record to `merged_into` of its properties (a `merge` also `record_id` to the record's own id
    column), a record or an `alias` that says `merged_into` does so too; a record that lists `merged_ids` is tied to each
    of them. `lead_converted`, and a lead record that names its contact, tie lead and contact. Evidence collected over
    parts of the rows is put together by `merge_evidence`.
    """
    rows = pl.concat([_event_rows(events), _record_rows(records)])
    order = identifier_namespaces(identity)
    tied = _earliest(_speaking_rows(rows, order, identity), by=("kind", *order, "is_conversion", *_MERGER))
    return merge_evidence(
        [_stars(tied, order), _conversions(tied, order), _mergers(tied, order), _absorbed(rows, order)]
    )


def merge_evidence(parts: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """Put ledgers of different rows together: the earliest evidence of each kind and pair wins, counts add up.

    In:  CORE_IDENTITY_EDGES (at least kind, ends, evidence and evidence_count), at least one part; no row in two parts.
    Out: CORE_IDENTITY_EDGES without status, one row per kind and pair; in no order.
    """
    columns = ("kind", *ENDS, *EVIDENCE, "evidence_count")
    links = pl.concat([part.select(columns) for part in parts]).select(*_smaller_end_first(), pl.exclude(ENDS))
    event_time = pl.col("occurred_at").cast(pl.Int64)
    edges = _earliest(links, by=("kind", *ENDS)).with_columns(
        edge_id=digest_id("kind", *ENDS, event_time, "source", "event_id"),
        strength=pl.col("kind").replace_strict(STRENGTHS, return_dtype=pl.UInt8),
    )
    return CORE_IDENTITY_EDGES.conform(edges)


def pair_id() -> pl.Expr:
    """Hash of the two identifiers of an edge, whatever its kind: retracting it retracts every edge of the pair."""
    return digest_id(*ENDS)


def collect_identifiers(events: pl.LazyFrame, records: pl.LazyFrame) -> pl.LazyFrame:
    """List every identifier seen, and since when.

    In:  canonical events and rows of RAW_CRM_RECORDS (any of their columns; the missing count as null).
    Out: namespace, value, first_seen_at (first event that carries it), valid_from (first event or record), known_from
         (first reception); one row per identifier, in no order. Parts are put together by `merge_identifiers`.
    """
    seen = _picked(events, EVENT_COLUMNS, RAW_WEB_EVENTS).select(
        *IDENTIFIERS,
        first_seen_at="occurred_at",
        valid_from="occurred_at",
        known_from="received_at",
    )
    recorded = _picked(records, RECORD_COLUMNS, RAW_CRM_RECORDS).select(
        *IDENTIFIERS,
        first_seen_at=pl.lit(None, TIME),
        valid_from="evident_at",
        known_from=pl.lit(None, TIME),
    )
    times = pl.col("first_seen_at", "valid_from", "known_from")
    together = pl.concat([seen, recorded]).group_by(IDENTIFIERS).agg(times.min())
    listed = together.unpivot(
        on=IDENTIFIERS,
        index=["first_seen_at", "valid_from", "known_from"],
        variable_name="namespace",
        value_name="value",
    )
    return merge_identifiers([listed.filter(pl.col("value").is_not_null())])


def merge_identifiers(parts: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """Put lists of identifiers together: the earliest times win. In and out: as `collect_identifiers` gives them."""
    times = pl.col("first_seen_at", "valid_from", "known_from")
    return pl.concat(list(parts)).group_by(IDENTIFIER).agg(times.min())


_MERGER = ("merger_namespace", "merger_from", "merger_to")


def _picked(frame: pl.LazyFrame, names: tuple[str, ...], table: Table) -> pl.LazyFrame:
    """The named columns of a table; a missing one is null, and a frame without columns has no rows."""
    present = set(frame.collect_schema().names())
    if not present:
        return table.empty().lazy().select(*names)
    return frame.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(table.schema[name]).alias(name) for name in names
    )


def _event_rows(events: pl.LazyFrame) -> pl.LazyFrame:
    return _picked(events, EVENT_COLUMNS, RAW_WEB_EVENTS).with_columns(is_record=pl.lit(False))


def _record_rows(records: pl.LazyFrame) -> pl.LazyFrame:
    """Records in the shape of event rows: their id within the source is object and record id."""
    rows = _picked(records, RECORD_COLUMNS, RAW_CRM_RECORDS).with_columns(
        event_id=pl.concat_str("object", "record_id", separator=":"),
        event=pl.lit(None, pl.String),
        occurred_at="evident_at",
        received_at=pl.lit(None, TIME),
        is_record=pl.lit(True),
    )
    return rows.select(*EVENT_COLUMNS, "is_record")


def _speaking_rows(rows: pl.LazyFrame, order: tuple[str, ...], identity: Identity) -> pl.LazyFrame:
    """Rows that tie identifiers together, with the kind of evidence they are."""
    people = [name for name in order if name not in VISITOR_NAMESPACES]
    given = [pl.col(name).is_not_null() for name in order]
    names_several = (pl.sum_horizontal(given) > 1) & pl.any_horizontal(pl.col(name).is_not_null() for name in people)
    mentions_merger = pl.col("properties").str.contains('"merged_into"', literal=True).fill_null(False)
    is_person = ~pl.col("object").is_in(NOT_PEOPLE).fill_null(False)
    is_merger = _says("merge", "manual") | (((pl.col("is_record") & is_person) | _says("alias")) & mentions_merger)
    is_conversion = _says("lead_converted") | (pl.col("is_record") & (pl.col("object") == "lead").fill_null(False))
    speaking = rows.filter(names_several | is_merger).with_columns(
        kind=_kind(identity),
        is_conversion=is_conversion & pl.col("crm_lead_id").is_not_null() & pl.col("crm_contact_id").is_not_null(),
        merged_into=pl.when(is_merger).then("properties").str.json_path_match("$.merged_into"),
        evidence_count=pl.lit(1, pl.Int64),
    )
    return _with_mergers(speaking, identity)


def _says(*events: str) -> pl.Expr:
    return pl.col("event").is_in(events).fill_null(False)


def _kind(identity: Identity) -> pl.Expr:
    """What kind of evidence a row is for the identifiers it carries."""
    is_crm = pl.col("is_record") | pl.col("object").is_not_null()
    is_strong = pl.any_horizontal(pl.lit(False), *(pl.col(name).is_not_null() for name in identity.strong))
    return (
        pl.when(_says("manual")).then(pl.lit("manual"))
        .when(_says("alias")).then(pl.lit("alias"))
        .when(is_crm).then(pl.lit("crm_record"))
        .when(_says("identify")).then(pl.lit("identify"))
        .when(_says("login", "signed_up") | is_strong).then(pl.lit("login"))
        .otherwise(pl.lit("form"))
    )  # fmt: skip


def _with_mergers(rows: pl.LazyFrame, identity: Identity) -> pl.LazyFrame:
    """Rows with the namespace and both values of two records made one (`_MERGER`); null for any other row."""
    by_object = pl.col("object").replace_strict(RECORD_NAMESPACES, default=None, return_dtype=pl.String)
    by_identifier = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in identity.strong]
    namespaces = dict.fromkeys((*RECORD_NAMESPACES.values(), *identity.strong))
    own = pl.coalesce(pl.when(pl.col("merger_namespace") == name).then(name) for name in namespaces)
    is_told, is_merge = pl.col("merged_into").is_not_null(), _says("merge")
    named, into = pl.col("merger_from"), pl.col("merger_to")
    is_pair = named.is_not_null() & into.is_not_null() & (named != into) & (into != "")
    return (
        rows.with_columns(merger_namespace=pl.coalesce(by_object, *by_identifier))
        .with_columns(own=own, record=pl.when(by_object.is_not_null()).then("record_id"))
        .with_columns(
            merger_from=pl.when(is_told).then(pl.coalesce("own", "record")).when(is_merge).then("record"),
            merger_to=pl.when(is_told).then("merged_into").when(is_merge).then("own"),
        )
        .with_columns(pl.when(is_pair).then(name).alias(name) for name in _MERGER)
    )


def _stars(tied: pl.LazyFrame, order: tuple[str, ...]) -> pl.LazyFrame:
    """Edges from the strongest identifier of a row to each of the others."""
    converted_lead = pl.when(~pl.col("is_conversion")).then("crm_lead_id").alias("crm_lead_id")
    centre = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in order)
    rows = tied.with_columns(converted_lead) if "crm_lead_id" in order else tied
    return (
        rows.with_columns(from_namespace=centre, from_value=pl.coalesce(order))
        .unpivot(
            on=order,
            index=["kind", "from_namespace", "from_value", *EVIDENCE, "evidence_count"],
            variable_name="to_namespace",
            value_name="to_value",
        )
        .filter(
            pl.col("to_value").is_not_null()
            & (pl.col("from_namespace") != pl.col("to_namespace"))
            & ~pl.col("from_namespace").is_in(VISITOR_NAMESPACES)
        )
    )


def _conversions(tied: pl.LazyFrame, order: tuple[str, ...]) -> pl.LazyFrame:
    """Edges from converted leads to the contacts they became."""
    known = {"crm_lead_id", "crm_contact_id"} <= set(order)
    return tied.filter(pl.col("is_conversion") if known else pl.lit(False)).select(
        *EVIDENCE,
        "evidence_count",
        kind=pl.lit("conversion"),
        from_namespace=pl.lit("crm_contact_id"),
        from_value="crm_contact_id" if known else "source",
        to_namespace=pl.lit("crm_lead_id"),
        to_value="crm_lead_id" if known else "source",
    )


def _mergers(tied: pl.LazyFrame, order: tuple[str, ...]) -> pl.LazyFrame:
    """Edges between records that the CRM, or a person, has made one."""
    is_manual = pl.col("kind") == "manual"
    return tied.filter(pl.col("merger_namespace").is_in(order)).select(
        *EVIDENCE,
        "evidence_count",
        kind=pl.when(is_manual).then(pl.lit("manual")).otherwise(pl.lit("merge")),
        from_namespace="merger_namespace",
        from_value="merger_from",
        to_namespace="merger_namespace",
        to_value="merger_to",
    )


def _absorbed(rows: pl.LazyFrame, order: tuple[str, ...]) -> pl.LazyFrame:
    """Edges from people's records to those that the CRM merged into them: `merged_ids`, a JSON list or text with separators."""
    namespace = pl.col("object").replace_strict(RECORD_NAMESPACES, default=None, return_dtype=pl.String)
    own = pl.coalesce(
        *(pl.when(pl.col("from_namespace") == name).then(name) for name in RECORD_NAMESPACES.values()), "record_id"
    )
    lists_some = pl.col("properties").str.contains('"merged_ids"', literal=True).fill_null(False)
    return (
        rows.filter(pl.col("is_record") & lists_some)
        .with_columns(from_namespace=namespace)
        .filter(pl.col("from_namespace").is_in(order))
        .select(
            *EVIDENCE,
            "from_namespace",
            evidence_count=pl.lit(1, pl.Int64),
            kind=pl.lit("merge"),
            from_value=own,
            to_namespace="from_namespace",
            to_value=pl.col("properties").str.json_path_match("$.merged_ids").str.extract_all(MERGED_ID),
        )
        .explode("to_value")
        .filter(pl.col("to_value").is_not_null() & (pl.col("to_value") != pl.col("from_value")))
    )


def _earliest(rows: pl.LazyFrame, *, by: Iterable[str]) -> pl.LazyFrame:
    """The earliest evidence of each group (undated last; ties by event key) and how many events show it."""
    undated = pl.col("occurred_at").is_null().alias("is_undated")
    first = pl.struct(EVIDENCE).min_by(pl.struct(undated, *EVIDENCE))
    return rows.group_by(by).agg(first.alias("first"), pl.col("evidence_count").sum()).unnest("first")


def _smaller_end_first() -> list[pl.Expr]:
    """The two identifiers of an edge in order of namespace and value."""
    near, near_value, far, far_value = (pl.col(name) for name in ENDS)
    is_ordered = (near < far) | ((near == far) & (near_value <= far_value))
    swapped = zip(ENDS, (*ENDS[2:], *ENDS[:2]), strict=True)
    return [pl.when(is_ordered).then(name).otherwise(other).alias(name) for name, other in swapped]


# ---------------------------------------------------------------- who is who


@dataclass(frozen=True)
class Resolution:
    """Who is who: the ledger with the fate of every edge, where every identifier points, and every id ever valid."""

    edges: pl.DataFrame
    identity_map: pl.DataFrame
    aliases: pl.DataFrame


def resolve_identity(
    edges: pl.DataFrame | pl.LazyFrame,
    identifiers: pl.DataFrame | pl.LazyFrame,
    *,
    identity: Identity,
    retracted: pl.DataFrame = NOTHING_RETRACTED,
) -> Resolution:
    """Decide every edge of the ledger, and the customer of every identifier.

    In:  CORE_IDENTITY_EDGES (status is ignored); identifiers as `collect_identifiers` gives them; `retracted` has
         the pair_id of identifiers that somebody has taken apart: every edge between the two is out, whatever its kind.
    Out: CORE_IDENTITY_EDGES with status, CORE_IDENTITY_MAP, CORE_CUSTOMER_ALIASES; in no order.

    Phase 1 joins people: edges in order of (strength, time, edge_id), never two values of one strong namespace unless
    by a merge, a conversion or by hand; an e-mail or phone of too many people (`_hubs`) joins nobody and has no
    customer. Phase 2 gives each visitor to the one person it is tied to. A visitor of several people, or one beyond the
    cap of some identifier's visitors, is shared and has no customer.
    """
    ledger = CORE_IDENTITY_EDGES.conform(edges.lazy().drop("status", strict=False)).collect()
    nodes, links = _graph(ledger, identifiers.lazy().collect(), identity, retracted)
    told = links.filter(~pl.col("is_retracted"))
    among_people = told.filter(pl.col("visitor").is_null())
    hubs = _hubs(among_people, nodes, identity)
    is_capped = _is_capped(hubs)
    person, refused = _people(among_people.filter(~is_capped), nodes)
    visits = told.filter(pl.col("visitor").is_not_null() & ~pl.col("is_void") & ~is_capped)
    visitors = _visitors(visits, person, limit=identity.visitors_per_identifier)
    shared = visitors.filter("is_shared")["visitor"]

    status = (
        pl.when("is_retracted")
        .then(pl.lit("retracted"))
        .when(is_capped | pl.col("is_void") | pl.col("visitor").is_in(shared.implode()))
        .then(pl.lit("capped"))
        .when(pl.col("edge_id").is_in(refused.implode()))
        .then(pl.lit("conflict"))
        .otherwise(pl.lit("applied"))
    )
    pointed = _pointed(nodes, person, visitors, hubs).lazy()
    return Resolution(
        edges=ledger.with_columns(links.select(status=status)["status"]),
        identity_map=CORE_IDENTITY_MAP.conform(pointed).collect(),
        aliases=CORE_CUSTOMER_ALIASES.conform(pointed.filter(pl.col("customer_id").is_not_null())).collect(),
    )


def _graph(
    ledger: pl.DataFrame, identifiers: pl.DataFrame, identity: Identity, retracted: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Identifiers as numbered nodes with the rank of their namespace; the ledger's edges between node numbers."""
    order = identifier_namespaces(identity)
    ends = [ledger.select(namespace=f"{end}_namespace", value=f"{end}_value") for end in ("from", "to")]
    listed = identifiers.filter(pl.col("namespace").is_in(order))
    numbers = _numbers(listed, ends)
    if any(number.has_nulls() for number in numbers):
        unlisted = pl.concat(ends).unique().join(listed, on=IDENTIFIER, how="anti")
        listed = pl.concat([listed, unlisted], how="diagonal")
        numbers = _numbers(listed, ends)

    ranks = {name: rank for rank, name in enumerate(order)}
    nodes = listed.with_columns(
        rank=pl.col("namespace").replace_strict(ranks, default=len(order), return_dtype=pl.UInt8),
        is_strong=pl.col("namespace").is_in(identity.strong),
        is_visitor=pl.col("namespace").is_in(VISITOR_NAMESPACES),
    )
    left, right = numbers
    by_left, by_right = nodes["is_visitor"].gather(left), nodes["is_visitor"].gather(right)
    is_taken_back = pl.lit(False) if retracted.is_empty() else pair_id().is_in(retracted["pair_id"].implode())
    links = ledger.select(
        "edge_id",
        "strength",
        "occurred_at",
        is_forced=pl.col("kind").is_in(FORCED_KINDS),
        is_retracted=is_taken_back,
        is_void=by_left & by_right,
        left=left,
        right=right,
        rank_left=nodes["rank"].gather(left),
        rank_right=nodes["rank"].gather(right),
        visitor=pl.when(by_left).then(left).when(by_right).then(right),
        identifier=pl.when(by_left).then(right).when(by_right).then(left),
    )
    return nodes, links


def _numbers(identifiers: pl.DataFrame, ends: list[pl.DataFrame]) -> list[pl.Series]:
    """The row of each end in the list of identifiers, in the order of the ends; null for one that is not listed."""
    numbered = identifiers.select(*IDENTIFIER).with_row_index("node")
    return [end.join(numbered, on=IDENTIFIER, how="left", maintain_order="left")["node"] for end in ends]


def _hubs(links: pl.DataFrame, nodes: pl.DataFrame, identity: Identity) -> pl.Series:
    """E-mails and phones of too many people.

    People are what the identifiers stronger than the contact make of themselves: so two ids of one user are one person,
    and a phone given with ten e-mail addresses of nobody else belongs to ten.
    """

    def many_people(column: str) -> pl.Expr:
        return pl.col(column).n_unique() > identity.people_per_contact

    hubs = pl.Series("node", [], pl.UInt32)
    for rank, namespace in enumerate(identifier_namespaces(identity)):
        if namespace not in CONTACT_NAMESPACES:
            continue
        ties = _ties_to_stronger(links, rank)
        crowded = ties.group_by("contact").agg(many_people("other")).filter("other")
        if crowded.is_empty():
            continue
        is_stronger = (pl.col("rank_left") < rank) & (pl.col("rank_right") < rank)
        person, _ = _people(links.filter(is_stronger & ~_is_capped(hubs)), nodes)
        suspects = ties.join(crowded, on="contact", how="semi")
        people = (
            suspects.with_columns(person=person.gather(suspects["other"]))
            .group_by("contact")
            .agg(many_people("person"))
        )
        found = people.filter("person")["contact"].rename("node")
        hubs = pl.concat([hubs, found])
    return hubs


def _is_capped(hubs: pl.Series) -> pl.Expr:
    """True for edges at a hub, those by hand or by the CRM's own decision aside."""
    at_hub = pl.col("left").is_in(hubs.implode()) | pl.col("right").is_in(hubs.implode())
    return ~pl.col("is_forced") & at_hub


def _ties_to_stronger(links: pl.DataFrame, rank: int) -> pl.DataFrame:
    """Pairs of a contact of this rank and a stronger identifier that it is tied to."""
    left = links.filter((pl.col("rank_left") == rank) & (pl.col("rank_right") < rank))
    right = links.filter((pl.col("rank_right") == rank) & (pl.col("rank_left") < rank))
    return pl.concat([left.select(contact="left", other="right"), right.select(contact="right", other="left")])


def _people(links: pl.DataFrame, nodes: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Phase 1: a number per node, equal for the nodes of one person; and the ids of the edges that were refused.

    Components of all edges at once; the ordered pass runs only inside those that hold two values of a strong namespace.
    """
    count = nodes.height
    person = components(links["left"], links["right"], count=count)
    strong = nodes.select("namespace", "is_strong", person=person).filter("is_strong")
    held = strong.group_by("person", "namespace").len().filter(pl.col("len") > 1)["person"].unique()
    in_question = person.is_in(held.implode())
    members = nodes.select("namespace", "is_strong").with_row_index("node").filter(in_question)
    disputed = links.filter(in_question.gather(links["left"])).sort(*ORDER, nulls_last=True)
    roots, refused = _join_in_order(members, disputed)
    parted = person.scatter(members["node"], pl.Series(roots, dtype=pl.UInt32) + count)
    return parted, disputed.filter(pl.Series(refused, dtype=pl.Boolean))["edge_id"]


def components(left: pl.Series, right: pl.Series, *, count: int) -> pl.Series:
    """A number per node, equal for the nodes of one component, of edges between nodes 0 to `count` - 1."""
    graph = coo_array((np.ones(len(left), dtype=np.bool_), (left.to_numpy(), right.to_numpy())), shape=(count, count))
    return pl.Series("person", connected_components(graph, directed=False)[1], pl.UInt32)


def _join_in_order(members: pl.DataFrame, disputed: pl.DataFrame) -> tuple[list[int], list[bool]]:
    """Union-find over edges in their order: the root of every member, and for every edge whether it was refused.

    Two components that both hold a strong namespace hold two values of it: a set of namespaces per component is enough.
    """
    bits = {name: 1 << bit for bit, name in enumerate(members.filter("is_strong")["namespace"].unique().sort())}
    held = [bits[name] if strong else 0 for name, strong in members.select("namespace", "is_strong").iter_rows()]
    place = {node: index for index, node in enumerate(members["node"])}
    parent = list(range(len(held)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    refused = []
    for left, right, is_forced in disputed.select("left", "right", "is_forced").iter_rows():
        near, far = root(place[left]), root(place[right])
        refused.append(near != far and not is_forced and bool(held[near] & held[far]))
        if near != far and not refused[-1]:
            parent[far] = near
            held[near] |= held[far]
    nodes = members["node"].to_list()
    return [nodes[root(index)] for index in range(len(nodes))], refused


def _visitors(ties: pl.DataFrame, person: pl.Series, *, limit: int) -> pl.DataFrame:
    """Phase 2: for every visitor tied to somebody, the one person it belongs to, or that it is shared."""
    beyond = _beyond_limit(ties, limit)
    return (
        ties.select("visitor", person=person.gather(ties["identifier"]))
        .group_by("visitor")
        .agg(owner=pl.col("person").min(), people=pl.col("person").n_unique())
        .with_columns(is_shared=(pl.col("people") > 1) | pl.col("visitor").is_in(beyond.implode()))
        .select("visitor", "is_shared", owner=pl.when(~pl.col("is_shared")).then("owner"))
    )


def _beyond_limit(ties: pl.DataFrame, limit: int) -> pl.Series:
    """Visitors that come after the first `limit` of some identifier, by their first edge to it."""
    crowded = ties.group_by("identifier").agg(pl.col("visitor").n_unique()).filter(pl.col("visitor") > limit)
    return (
        ties.join(crowded.select("identifier"), on="identifier", how="semi")
        .sort(*ORDER, nulls_last=True)
        .unique(["identifier", "visitor"], keep="first", maintain_order=True)
        .filter(pl.int_range(pl.len()).over("identifier") >= limit)["visitor"]
        .unique()
    )


def _pointed(nodes: pl.DataFrame, person: pl.Series, visitors: pl.DataFrame, hubs: pl.Series) -> pl.DataFrame:
    """Every identifier with its own id, the id of its customer and how it stands to it."""
    tied = (
        nodes.with_columns(person=person, alias_id=digest_id(*IDENTIFIER))
        .with_row_index("node")
        .join(visitors, left_on="node", right_on="visitor", how="left")
        .with_columns(person=pl.when("is_shared").then(None).otherwise(pl.coalesce("owner", "person")))
        .with_columns(size=pl.when(pl.col("person").is_not_null()).then(pl.len().over("person")))
    )
    is_alone = pl.col("size") == 1
    is_hub = is_alone & pl.col("node").is_in(hubs.implode())
    status = (
        pl.when("is_shared")
        .then(pl.lit("shared"))
        .when(is_hub)
        .then(pl.lit("capped"))
        .when(is_alone)
        .then(pl.lit("alone"))
        .otherwise(pl.lit("joined"))
    )
    return tied.join(_anchors(tied.filter(~is_alone)), on="person", how="left").with_columns(
        customer_id=pl.when(is_alone & ~is_hub).then("alias_id").otherwise("customer_id"), status=status
    )


def _anchors(members: pl.DataFrame) -> pl.DataFrame:
    """The strongest, then earliest, then smallest identifier of each person names the customer."""
    strongest = members.filter(pl.col("rank") == pl.col("rank").min().over("person"))
    is_only = pl.len().over("person") == 1
    contested = strongest.filter(~is_only).sort("person", "first_seen_at", *IDENTIFIER, nulls_last=True)
    first = contested.unique("person", keep="first", maintain_order=True)
    return pl.concat([strongest.filter(is_only), first]).select("person", customer_id="alias_id")


# ---------------------------------------------------------------- whose event it is


def assign_customers(
    events: pl.LazyFrame,
    identity_map: pl.LazyFrame,
    *,
    identity: Identity,
    visit_timeout: timedelta,
    passive: Iterable[str] = (),
    extending: Iterable[str] = (),
    identifications: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Give every event to its customer.

    In:  canonical events of whole visitors; CORE_IDENTITY_MAP; the other settings as in `assign_shared_visitors`.
    Out: the same rows and columns with customer_id and visitor_id; in no order.
    """
    owners = pointers(events, identity_map).select(
        *IDENTIFIERS, customer_id=_pointed_customer(identity), is_shared=pl.col("visitor_status") == "shared"
    )
    given = events.join(owners, on=IDENTIFIERS, how="left", nulls_equal=True).cache()
    is_shared = pl.col("is_shared").fill_null(False)
    owned = _with_own_customers(given.filter(~is_shared), identity)
    shared = _by_visit(given.filter(is_shared), identity, visit_timeout, passive, extending, identifications)
    return pl.concat([owned, shared]).drop("is_shared")


def pointers(events: pl.LazyFrame, identity_map: pl.LazyFrame) -> pl.LazyFrame:
    """Where the identifiers on events point.

    In:  canonical events; CORE_IDENTITY_MAP (namespace, value, customer_id, status).
    Out: IDENTIFIERS, <namespace>_customer of each, visitor_status; one row per combination on an event, in no order.
    """
    pointed = events.select(IDENTIFIERS).unique()
    for namespace, pointer in zip(IDENTIFIERS, POINTERS, strict=True):
        status = f"{namespace}_status"
        target = identity_map.filter(pl.col("namespace") == namespace).select(
            pl.col("value").alias(namespace), pl.col("customer_id").alias(pointer), pl.col("status").alias(status)
        )
        pointed = pointed.join(target, on=namespace, how="left")
    visitor_status = pl.coalesce(f"{namespace}_status" for namespace in VISITOR_NAMESPACES)
    return pointed.with_columns(visitor_status=visitor_status)


def own_events(events: pl.LazyFrame, *, identity: Identity) -> pl.LazyFrame:
    """Give events to the customer of their strongest identifier, else of their visitor.

    In:  canonical events, none of a shared visitor, with <namespace>_customer: the customer_id of each identifier in
         CORE_IDENTITY_MAP.
    Out: the same rows without those columns, with customer_id and visitor_id; in no order.

    An event whose identifiers have no customer (an e-mail of too many people; only a CRM record's id) gets one of its
    own: the hash of its strongest identifier, else of the record, else of the event key.
    """
    given = events.with_columns(customer_id=_pointed_customer(identity))
    return _with_own_customers(given.drop(*POINTERS, "visitor_status", strict=False), identity)


def assign_shared_visitors(
    events: pl.LazyFrame,
    *,
    identity: Identity,
    visit_timeout: timedelta,
    passive: Iterable[str] = (),
    extending: Iterable[str] = (),
    identifications: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Give each event of shared visitors to the person who most likely sat there.

    In:  all canonical events of shared visitors, with <namespace>_customer as for `own_events`; `passive` names events
         that are no activity of the visitor, `extending` those that only prolong it, as the sessions do (robots and
         internal traffic are none either); `identifications` adds evidence that is no event of the visitor, as `shared_identifications` gives it.
    Out: the same rows without the pointers, with customer_id and visitor_id; in no order.

    An event with a person's identifier is that person's. Any other goes to the last identification at or before it in
    the same visit, else to the first after it in that visit, else to the last before, else to the first after. Several
    at one instant: the last (before) or first (after) in the total order. A visit is cut like a session.
    """
    named = events.with_columns(customer_id=_named_customer(identity))
    named = named.drop(*POINTERS, "visitor_status", strict=False)
    return _by_visit(named, identity, visit_timeout, passive, extending, identifications)


def shared_identifications(edges: pl.LazyFrame, identity_map: pl.LazyFrame) -> pl.LazyFrame:
    """Who a shared visitor was seen to be, by the ledger: needed where only CRM records tie it to people.

    In:  CORE_IDENTITY_EDGES with status; CORE_IDENTITY_MAP.
    Out: visitor_id, customer_id, occurred_at, source, event_id: one row per edge that is not retracted between a shared
         visitor and an identifier that has a customer; in no order.
    """
    near = edges.select(*ENDS, "occurred_at", "source", "event_id", "status")
    turned = dict(zip(ENDS, (*ENDS[2:], *ENDS[:2]), strict=True))
    both = pl.concat([near, near.rename(turned).select(near.collect_schema().names())])
    shared = identity_map.filter(pl.col("status") == "shared").select(from_namespace="namespace", from_value="value")
    owners = identity_map.filter(pl.col("customer_id").is_not_null()).select(
        "customer_id", to_namespace="namespace", to_value="value"
    )
    return (
        both.filter(pl.col("status") != "retracted")
        .join(shared, on=ENDS[:2], how="semi")
        .join(owners, on=ENDS[2:])
        .select(_visitor_text("from_namespace", "from_value"), "customer_id", "occurred_at", "source", "event_id")
    )


def _with_own_customers(given: pl.LazyFrame, identity: Identity) -> pl.LazyFrame:
    """Events with a customer each: those that have none yet get one of their own."""
    schema = given.collect_schema()
    seated = given.map_batches(partial(_fill_customers, own=_own_customer(identity)), schema=schema)
    return seated.with_columns(visitor_id=_visitor_id())


def _fill_customers(given: pl.DataFrame, *, own: pl.Expr) -> pl.DataFrame:
    """Only the rows without a customer are hashed."""
    places = given["customer_id"].is_null().arg_true()
    if places.is_empty():
        return given
    alone = given.lazy().select(pl.all().gather(places)).select(own).collect(engine="in-memory").to_series()
    return given.with_columns(given["customer_id"].scatter(places, alone))


def _by_visit(
    named: pl.LazyFrame,
    identity: Identity,
    visit_timeout: timedelta,
    passive: Iterable[str],
    extending: Iterable[str],
    identifications: pl.LazyFrame | None,
) -> pl.LazyFrame:
    """Shared visitors' events, those with a person's identifier already given, with a customer each."""
    seated = named.with_columns(visitor_id=_visitor_id())
    columns = seated.collect_schema().names()
    is_mine = _is_own_doing(columns)
    timeline = seated.with_columns(
        is_event=pl.lit(True),
        is_active=is_mine & ~_is_listed([*passive, *extending]),
        is_extending=is_mine & _is_listed(extending),
    )
    if identifications is not None:
        told = identifications.join(timeline.select("visitor_id").unique(), on="visitor_id", how="semi")
        ghosts = told.with_columns(pl.lit(False).alias(name) for name in ("is_event", "is_active", "is_extending"))
        timeline = pl.concat([timeline, ghosts], how="diagonal")
    nobody = _own_customer(identity, *VISITOR_NAMESPACES)
    return (
        _with_visits(timeline, visit_timeout)
        .sort("visitor_id", _is_undated(), "occurred_at", "seq", "source", "event_id", nulls_last=False)
        .with_columns(customer_id=pl.coalesce("customer_id", *_nearest_identifications(), nobody))
        .filter("is_event")
        .select(columns)
    )


def _pointed_customer(identity: Identity) -> pl.Expr:
    """The customer of the strongest identifier of a person on the event, else of the browser, else of the device."""
    has_browser = pl.col("anonymous_id").is_not_null()
    visitor = pl.when(has_browser).then("anonymous_id_customer").otherwise("device_id_customer")
    return pl.coalesce(_named_customer(identity), visitor)


def _named_customer(identity: Identity) -> pl.Expr:
    """The customer of the strongest identifier of a person on the event."""
    return pl.coalesce(pl.lit(None, pl.String), *(f"{name}_customer" for name in person_namespaces(identity)))


def _visitor_id() -> pl.Expr:
    """The browser, else the device, as text; a device says that it is one, for both may count from 1."""
    return pl.coalesce("anonymous_id", pl.lit("device_id:") + pl.col("device_id"))


def _visitor_text(namespace: str, value: str) -> pl.Expr:
    """`_visitor_id` of an identifier in a ledger."""
    is_browser = pl.col(namespace) == "anonymous_id"
    return pl.when(is_browser).then(value).otherwise(pl.lit("device_id:") + pl.col(value)).alias("visitor_id")


def _own_customer(identity: Identity, *namespaces: str) -> pl.Expr:
    """The customer that an event is by itself: hash of its strongest identifier, else of its record, else its key."""
    order = namespaces or (*person_namespaces(identity), *IDENTIFIERS)
    given = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in order]
    is_record = pl.col("object").is_not_null() & pl.col("record_id").is_not_null()
    namespace = pl.coalesce(*given, pl.when(is_record).then("object"), "source")
    value = pl.coalesce(*order, pl.when(is_record).then("record_id"), "event_id")
    return digest_id(namespace, value)


def _is_own_doing(columns: list[str]) -> pl.Expr:
    """False for robots and internal traffic."""
    robots = [pl.col(name).fill_null(False) for name in ("is_bot", "is_internal") if name in columns]
    return ~pl.any_horizontal(pl.lit(False), *robots)


def _is_listed(events: Iterable[str]) -> pl.Expr:
    return pl.col("event").is_in(list(events)).fill_null(False)


def _is_undated() -> pl.Expr:
    return pl.col("occurred_at").is_null()


def _with_visits(timeline: pl.LazyFrame, timeout: timedelta) -> pl.LazyFrame:
    """Number the visits of each visitor; null for what happened outside of one.

    Events that follow each other within the timeout are one sitting; its first active event opens the visit.
    """
    moves = pl.col("is_active") | pl.col("is_extending")
    moved_at = pl.when(moves).then("occurred_at")
    gap = pl.col("occurred_at") - moved_at.forward_fill().shift().over("visitor_id")
    comes_late = moves & ((gap > timeout) | gap.is_null())
    acted = pl.col("is_active").cum_sum().over("visitor_id", "sitting")
    visit_end = pl.when("is_held").then("occurred_at").max().over("visitor_id", "visit")
    is_inside = pl.col("is_event") & (pl.col("visit") > 0) & (pl.col("occurred_at") <= visit_end)
    return (
        timeline.sort("visitor_id", _is_undated(), "occurred_at", ~pl.col("is_active"))
        .with_columns(sitting=comes_late.cum_sum().over("visitor_id"))
        .with_columns(is_held=moves & (acted > 0), opens=pl.col("is_active") & (acted == 1))
        .with_columns(visit=pl.col("opens").cum_sum().over("visitor_id"))
        .with_columns(visit=pl.when(is_inside).then("visit"))
    )


def _nearest_identifications() -> Iterator[pl.Expr]:
    """The candidates for an event's customer, best first, over rows in total order."""
    customer, is_in_visit = pl.col("customer_id").drop_nulls(), pl.col("visit").is_not_null()
    for scope, applies in ((("visitor_id", "visit"), is_in_visit), (("visitor_id",), pl.lit(True))):
        last_here = customer.last().over(*scope, "occurred_at")
        first_here = customer.first().over(*scope, "occurred_at")
        yield pl.when(applies).then(last_here.forward_fill().over(scope))
        yield pl.when(applies).then(first_here.backward_fill().over(scope))
