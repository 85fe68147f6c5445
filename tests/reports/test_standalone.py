import pytest

from reports.site import UnknownPage, build_standalone
from reports.words import slug
from tests.reports.small_site import facts, full_tables, journey
from tests.reports.test_site import HOSTILE, Skeleton


def one_file(page: str | None = None, funnel: str = "checkout") -> bytes:
    return build_standalone(full_tables(funnel), journey=journey(funnel), facts=facts(), page=page)


def test_all_pages_stand_in_the_file_and_the_menu_leads_to_them():
    file = one_file()

    skeleton = Skeleton(file)
    ids = [attributes["id"] for _, attributes in skeleton.seen if "id" in attributes]
    links = [attributes["href"] for tag, attributes in skeleton.seen if tag == "a"]
    assert skeleton.wrong == []
    assert len(ids) == len(set(ids))
    assert {"index", "journey-map", "funnel-checkout", "stages", "touchpoints", "data-quality", "definitions"} <= set(
        ids
    )
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_the_file_asks_for_no_other():
    for tag, attributes in Skeleton(one_file()).seen:
        assert not attributes.get("src") and (tag == "a" or not attributes.get("href")), (tag, attributes)


def test_one_page_alone_has_no_links_to_the_others():
    skeleton = Skeleton(one_file("index"))

    ids = {attributes["id"] for _, attributes in skeleton.seen if "id" in attributes}
    assert {attributes["href"] for tag, attributes in skeleton.seen if tag == "a"} <= {f"#{name}" for name in ids}
    assert [tag for tag, _ in skeleton.seen].count("h1") == 1


def test_a_page_without_charts_goes_without_plotly():
    assert len(one_file("definitions")) < 100_000 < 4_000_000 < len(one_file("stages"))


def test_an_unknown_page_is_refused_with_the_pages_there_are():
    with pytest.raises(
        UnknownPage,
        match="no page 'stage'; the pages are: index, journey-map, map-members, stages, stage-awareness, stage-purchase, touchpoints",
    ):
        one_file("stage")


def test_the_same_tables_give_the_same_file():
    assert one_file() == one_file()


@pytest.mark.parametrize("evil", HOSTILE, ids=range(len(HOSTILE)))
def test_names_that_mean_harm_stay_text(evil):
    skeleton = Skeleton(one_file("funnel-" + slug(evil), funnel=evil))

    assert skeleton.wrong == []
    assert not {tag for tag, _ in skeleton.seen} & {"img", "iframe", "object", "embed", "base", "link"}
    assert not [name for _, attributes in skeleton.seen for name in attributes if name.startswith("on")]
    assert [attributes for tag, attributes in skeleton.seen if tag == "script" and "type" not in attributes] == [{}, {}]
