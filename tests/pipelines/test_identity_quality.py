"""The quality of stitching: the scores by hand, and what the sample business must reach."""

import polars as pl
import pytest

from benchmarks.identity_quality import measure, pairs_of, scored, stitch
from pipelines.demo import prepare_demo


def pairs(*rows):
    columns = ("is_true", "is_found", "near_namespace", "near_status", "near_people", "near_has_evidence")
    frame = pl.DataFrame(list(rows), schema=columns, orient="row")
    return frame.with_columns(
        far_namespace=pl.lit("user_id"), far_status=pl.lit("joined"), far_people=1, far_has_evidence=True
    )


def test_every_two_members_of_a_group_are_one_pair_and_a_member_of_two_groups_is_in_both():
    members = pl.DataFrame({"node": [1, 2, 3, 3, 4], "group": ["a", "a", "a", "b", "b"]})

    assert sorted(pairs_of(members).rows()) == [(1, 2), (1, 3), (2, 3), (3, 4)]


def test_precision_is_of_what_was_found_and_recall_of_what_is_true():
    told = scored(
        pairs(
            (True, True, "email", "joined", 1, True),
            (True, True, "email", "joined", 1, True),
            (False, True, "email", "joined", 1, True),
            (True, False, "anonymous_id", "alone", 1, False),
            (True, False, "anonymous_id", "shared", 2, True),
        )
    )

    assert (told["found"], told["true"], told["both"]) == (3, 4, 2)
    assert (told["precision"], told["recall"]) == (0.666667, 0.5)
    assert sorted(told["missed"]) == [
        "browser never identified", "shared device: it points at nobody, its events go to whoever was there",
    ]  # fmt: skip
    assert sum(told["mistaken"].values()) == 1


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    place = prepare_demo(tmp_path_factory.mktemp("quality"), events=20_000, seed=1, days=60, say=lambda _line: None)
    stitch(place)
    return measure(place)


def test_identifiers_with_evidence_are_stitched_as_they_truly_belong(measured):
    with_evidence = measured[1]

    assert with_evidence["true"] > 1_000
    assert with_evidence["precision"] >= 0.999
    assert with_evidence["recall"] >= 0.98


def test_what_is_missed_is_explained_by_shared_devices_and_browsers_that_nobody_signed_in_with(measured):
    kinds = {kind for way in measured for kind in way["missed"]}

    assert all(kind.startswith(("shared device", "browser never identified")) for kind in kinds)
