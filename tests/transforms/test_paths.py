import polars as pl

from transforms.contracts import CORE_CUSTOMERS, CORE_STAGE_ENTRIES, MART_JOURNEY_PATHS
from transforms.paths import common_paths, stage_paths

STAGES = ["see", "try", "buy"]


def entries(**ways: str) -> pl.LazyFrame:
    """CORE_STAGE_ENTRIES of customers by name, each with its stages in order."""
    rows = [
        {"customer_id": who, "entry_number": number, "stage": stage}
        for who, way in ways.items()
        for number, stage in reversed(list(enumerate(way.split(), start=1)))
    ]
    return CORE_STAGE_ENTRIES.conform(pl.LazyFrame(rows))


def customers(**purchases: int) -> pl.LazyFrame:
    rows = {"customer_id": list(purchases), "purchase_count": list(purchases.values())}
    return CORE_CUSTOMERS.conform(pl.LazyFrame(rows))


def channel_paths(*paths: tuple[list[str], int, int]) -> pl.LazyFrame:
    schema = {"path": pl.List(pl.String), "conversions": pl.Int64, "nulls": pl.Int64}
    return pl.LazyFrame(list(paths), schema=schema, orient="row")


NO_STAGES = stage_paths(CORE_STAGE_ENTRIES.empty().lazy(), CORE_CUSTOMERS.empty().lazy(), stages=STAGES)


def test_the_way_through_the_first_stages_in_order_is_the_assumed_one():
    ways = entries(ann="see try buy", bob="see try", cai="try buy", dan="see buy", eve="see try see")

    found = stage_paths(ways, customers(ann=2, bob=0, cai=1, dan=1), stages=STAGES).collect()

    assert found.rows() == [
        (["see", "buy"], 1, 0, False),
        (["see", "try"], 0, 1, True),
        (["see", "try", "buy"], 1, 0, True),
        (["see", "try", "see"], 0, 1, False),
        (["try", "buy"], 1, 0, False),
    ]


def test_the_commonest_path_comes_first_and_ties_go_by_the_path():
    paths = channel_paths((["B"], 1, 0), (["A", "A"], 2, 3), (["A"], 0, 1))

    found = MART_JOURNEY_PATHS.check(common_paths(paths, NO_STAGES).collect())

    assert found.select("place", "path", "step_count", "journeys", "converted_journeys", "all_journeys").rows() == [
        (1, "A > A", 2, 5, 2, 7),
        (2, "A", 1, 1, 0, 7),
        (3, "B", 1, 1, 1, 7),
    ]


def test_what_is_beyond_the_commonest_paths_is_one_row_so_that_journeys_add_up():
    paths = channel_paths((["A"], 3, 0), (["B"], 1, 1), (["C"], 1, 0), (["D"], 0, 1))

    found = common_paths(paths, NO_STAGES, kept=2).collect()

    assert found.select("place", "path", "steps", "journeys", "converted_journeys").rows() == [
        (1, "A", ["A"], 3, 3),
        (2, "B", ["B"], 2, 1),
        (3, "(other paths)", None, 2, 1),
    ]


def test_nobody_has_no_path():
    assert common_paths(channel_paths(), NO_STAGES).collect().is_empty()
