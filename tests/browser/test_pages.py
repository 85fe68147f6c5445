"""The report in a real browser: it opens from a folder, draws, reads well on any screen, and says what the warehouse says.

Chromium is Debian's; axe-core lies where `make test-browser` puts it. Screenshots are kept in tests/browser/screenshots.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.printing import as_pdf
from pipelines.publish import stage_site
from pipelines.report_inputs import standalone
from pipelines.run import run_in_process
from pipelines.sample import configuration_text, generate
from pipelines.settings import Workspace
from pipelines.warehouse import PublishedWarehouse, sql_text
from reports.rates import Rate
from reports.site import build_site
from tests.reports.small_site import facts, full_tables, journey
from tests.reports.test_site import HOSTILE, hostile_site

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = Path(__file__).parent / "screenshots"
WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE, DESK, WIDE = 360, 1280, 1920
SCHEMES = ("light", "dark")
MARKS = ".main-svg .trace, .main-svg .sankey"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace after one small night."""
    folder = tmp_path_factory.mktemp("shop")
    generate(folder, events=6_000, seed=3, days=100, stories=False, start=date(2026, 3, 1))
    (folder / "journey.yaml").write_text(configuration_text(days=100))
    (folder / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        assert run_in_process(Workspace(folder), say=lambda _line: None) == []
    return Workspace(folder)


@pytest.fixture(scope="module")
def pages(place: Workspace) -> list[Path]:
    """Every kind of page of its site: of the pages of single stages, and of the maps of single segments, the first."""
    every = sorted((place.reports / "latest").glob("*.html"))
    alike = [
        page for kind in ("stage-*.html", "map-*.html") for page in sorted((place.reports / "latest").glob(kind))[1:]
    ]
    found = [place.reports / "index.html", *(page for page in every if page not in alike)]
    assert len(found) > 5
    assert max(path.stat().st_size for path in found) < 300_000
    return found


@pytest.fixture(scope="module")
def chromium(place: Workspace) -> Iterator[Any]:
    """The browser; it starts after the night, because each brings an event loop."""
    from playwright.sync_api import sync_playwright

    binary = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert binary, "chromium is missing; `make test-browser` installs it, or CHROMIUM names another"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit:
    """A page as it was opened, and what happened meanwhile."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.reached: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("requestfinished", lambda request: self.reached.append(request.url))


@contextmanager
def opened(chromium: Any, page: Path | str, *, width: int = DESK, scheme: str = "light") -> Iterator[Visit]:
    """Open a file or an address in a fresh context, until its charts are drawn."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visit = Visit(context.new_page())
    visit.page.goto(page if isinstance(page, str) else page.as_uri())
    visit.page.wait_for_load_state("load")
    if visit.page.locator("[data-figure]").count():
        visit.page.wait_for_selector(f"[data-figure] :is({MARKS})", state="attached")
    try:
        yield visit
    finally:
        context.close()


def test_no_page_complains_or_asks_for_anything_but_its_own_files(chromium: Any, pages: list[Path]) -> None:
    complaints, elsewhere = {}, {}
    for path in pages:
        with opened(chromium, path) as visit:
            complaints[str(path.relative_to(path.parents[1]))] = visit.complaints
            elsewhere[str(path.relative_to(path.parents[1]))] = [
                url for url in visit.asked if not url.startswith(path.parent.as_uri() + "/")
            ]

    assert {name: said for name, said in complaints.items() if said} == {}
    assert {name: urls for name, urls in elsewhere.items() if urls} == {}


def test_every_link_leads_to_a_file(chromium: Any, pages: list[Path]) -> None:
    lost = []
    for path in pages:
        with opened(chromium, path) as visit:
            links = visit.page.evaluate("() => [...document.links].map((link) => link.getAttribute('href'))")
        targets = ((path.parent / link.split("#")[0], link.partition("#")[2]) for link in links)
        lost += [
            (path.name, str(target), anchor)
            for target, anchor in targets
            if (target != path.parent and not target.is_file())
            or (
                anchor
                and f'id="{anchor}"' not in (path if target == path.parent else target).read_text(encoding="utf-8")
            )
        ]

    assert lost == []


@pytest.fixture
def served(place: Workspace) -> Iterator[str]:
    """The reports on a web server, as the address of `latest`."""
    handler = partial(QuietHandler, directory=str(place.reports))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/latest"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_page_draws_its_charts_from_a_server_too(chromium: Any, served: str) -> None:
    with opened(chromium, f"{served}/index.html") as visit:
        charts = visit.page.locator("[data-figure]").count()

        assert visit.page.locator(f"[data-figure]:has({MARKS})").count() == charts > 0
        assert visit.complaints == []
        assert [url for url in visit.asked if not url.startswith(served)] == []


@pytest.mark.parametrize(
    "planted",
    [
        "<script>window.ran = true</script>",
        "<script src='planted.js'></script>",
        "<img src='x' onerror='window.ran = true'>",
        "<img src='https://example.com/x.png'>",
        "<link rel='stylesheet' href='https://example.com/x.css'>",
        "<iframe src='data:text/html,<script>parent.ran = true</script>'></iframe>",
        "<base href='https://example.com/'>",
        "<style>body { background: url(https://example.com/x.png) }</style>",
    ],
)
def test_the_policy_stops_what_should_ever_slip_into_a_page(
    chromium: Any, pages: list[Path], tmp_path: Path, planted: str
) -> None:
    (tmp_path / "planted.js").write_text("window.ran = true")
    page = next(page for page in pages if page.name == "definitions.html").read_text(encoding="utf-8")
    path = tmp_path / "page.html"
    path.write_text(page.replace("<main", planted + "<main", 1), encoding="utf-8")

    with opened(chromium, path.as_uri()) as visit:
        assert visit.page.evaluate("() => window.ran") is None
        assert [url for url in visit.reached if url != path.as_uri()] == []
        assert "example.com" not in visit.page.evaluate("() => document.baseURI")


@pytest.fixture(scope="module")
def alone(place: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole report as one file, far from any other."""
    path = tmp_path_factory.mktemp("alone") / "report.html"
    path.write_bytes(standalone(place, None))
    return path


def test_the_report_in_one_file_draws_everything_by_itself(chromium: Any, alone: Path) -> None:
    with opened(chromium, alone) as visit:
        visit.page.wait_for_function(
            f"() => document.querySelectorAll('[data-figure]:not(:has({MARKS}))').length === 0"
        )

        assert visit.page.locator("[data-figure]").count() > 10
        assert visit.complaints == []
        assert visit.asked == [alone.as_uri()]


def test_a_finding_in_one_file_leads_to_its_figure(chromium: Any, alone: Path) -> None:
    with opened(chromium, alone, width=PHONE) as visit:
        link = visit.page.locator(".findings a").first
        link.click()

        target = visit.page.locator(link.get_attribute("href"))
        assert target.bounding_box()["y"] < 900
        assert visit.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_archive_leads_to_the_report_of_the_day(chromium: Any, place: Workspace) -> None:
    with opened(chromium, place.reports / "index.html") as visit:
        visit.page.locator("tbody a").first.click()
        visit.page.wait_for_load_state("load")
        visit.page.get_by_role("link", name="Archive").click()
        visit.page.wait_for_load_state("load")

        assert visit.page.url == (place.reports / "index.html").as_uri()
        assert visit.complaints == []


@pytest.mark.parametrize("evil", HOSTILE, ids=[f"hostile {number}" for number in range(len(HOSTILE))])
def test_names_that_mean_harm_are_text_on_a_phone(chromium: Any, tmp_path: Path, evil: str) -> None:
    stage_site(hostile_site(evil), tmp_path)
    done, wider = [], {}
    for path in sorted(tmp_path.glob("*.html")):
        with opened(chromium, path, width=PHONE) as visit:
            wider[str(path.relative_to(path.parents[1]))] = visit.page.evaluate(
                "() => document.documentElement.scrollWidth - innerWidth"
            )
            done += [*visit.complaints, *visit.dialogs]

    assert done == []
    assert {name: extra for name, extra in wider.items() if extra > 0} == {}


@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_every_chart_is_drawn_inside_its_frame(chromium: Any, pages: list[Path], width: int) -> None:
    drawn, wrong = 0, []
    for path in pages:
        with opened(chromium, path, width=width) as visit:
            charts = visit.page.evaluate(
                """() => [...document.querySelectorAll("[data-figure]")].map((place) => {
                    const frame = place.getBoundingClientRect(), figure = place.closest("figure").id;
                    const texts = [...place.querySelectorAll("svg text")].filter((text) => text.textContent.trim() && text.getBBox().width);
                    const outside = texts.filter((text) => {
                        const box = text.getBoundingClientRect();
                        return box.left < frame.left - 2 || box.right > frame.right + 2;
                    });
                    const named = outside.map((text) => text.textContent);
                    return { figure, marks: place.querySelectorAll(".main-svg .trace, .main-svg .sankey").length, outside: named };
                })"""
            )
        drawn += len(charts)
        wrong += [(path.name, chart) for chart in charts if not chart["marks"] or chart["outside"]]

    assert drawn > 5
    assert wrong == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_no_page_scrolls_sideways(chromium: Any, pages: list[Path], width: int, scheme: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    wider = {}
    for path in pages:
        with opened(chromium, path, width=width, scheme=scheme) as visit:
            wider[str(path.relative_to(path.parents[1]))] = visit.page.evaluate(
                "() => document.documentElement.scrollWidth - innerWidth"
            )
            visit.page.screenshot(path=SHOTS / f"{path.parent.name}-{path.stem}-{width}-{scheme}.png", full_page=True)

    assert {name: extra for name, extra in wider.items() if extra > 0} == {}


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_no_page_breaks_wcag_2_2_aa(chromium: Any, pages: list[Path], width: int, scheme: str) -> None:
    assert AXE.exists(), f"{AXE} is missing; `make test-browser` installs axe-core"
    axe = AXE.read_text(encoding="utf-8")
    broken = {}
    for path in pages:
        with opened(chromium, path, width=width, scheme=scheme) as visit:
            visit.page.evaluate(
                "() => document.querySelectorAll('details').forEach((details) => (details.open = true))"
            )
            visit.page.evaluate(axe)
            found = visit.page.evaluate("(tags) => axe.run({ runOnly: tags })", WCAG_2_2_AA)
            broken[str(path.relative_to(path.parents[1]))] = [
                (rule["id"], node["html"][:200], node["failureSummary"])
                for rule in found["violations"]
                for node in rule["nodes"]
            ]

    assert {name: nodes for name, nodes in broken.items() if nodes} == {}


def test_the_charts_follow_the_colour_scheme(chromium: Any, pages: list[Path]) -> None:
    path = next(page for page in pages if page.match("latest/index.html"))
    with opened(chromium, path) as visit:
        ink = "() => getComputedStyle(document.querySelector('[data-figure] svg text')).fill"
        light = visit.page.evaluate(ink)
        visit.page.emulate_media(color_scheme="dark")
        visit.page.wait_for_function(f"(before) => ({ink})() !== before", arg=light)


def test_a_funnel_page_shows_the_counts_of_the_warehouse(chromium: Any, place: Workspace, pages: list[Path]) -> None:
    steps = PublishedWarehouse(place.published).read("mart.funnel_steps").sort("funnel", "step_number")
    expected = {
        name: [f"{reached:,}" for reached in rows["reached"]]
        for (name,), rows in steps.group_by("funnel", maintain_order=True)
    }

    found = {}
    for path in (page for page in pages if page.name.startswith("funnel-")):
        with opened(chromium, path) as visit:
            cells = visit.page.locator("#steps .numbers tbody tr td:nth-child(2)").all_inner_texts()
            found[visit.page.locator(".menu [aria-current]").text_content().strip()] = cells

    assert found == expected


def test_a_printed_page_shows_its_numbers(chromium: Any, pages: list[Path]) -> None:
    path = next(page for page in pages if page.match("latest/index.html"))
    with opened(chromium, path) as visit:
        visit.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")

        assert visit.page.locator("details.numbers:not([open])").count() == 0


def test_a_page_is_printed_with_all_its_tables_and_charts(place: Workspace) -> None:
    content = as_pdf(standalone(place, "stages"))

    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page") > 5
    assert b"/Title (Stages" in content or "Stages".encode("utf-16-be").hex().encode().upper() in content.upper()


# ---------------------------------------------------------------- what a reader chooses in the page


PARTS = """
    SELECT reached, still_open FROM (SELECT step_number, sum(reached) AS reached, sum(still_open) AS still_open FROM answer
    WHERE funnel = 'checkout' AND coalesce(breakdown || '=' || value, '') = $group AND ($month = '' OR strftime(month, '%Y-%m') = $month)
    GROUP BY step_number) ORDER BY step_number
"""


def told(visit: Visit) -> list[tuple[str, str]]:
    """How many reached each step, and how many still have time, as the page says."""
    rows = visit.page.locator("#parts tbody tr").all()
    return [(row.locator("td").nth(0).inner_text(), row.locator("td").nth(4).inner_text()) for row in rows]


def in_the_warehouse(place: Workspace, month: str, group: str) -> list[tuple[str, str]]:
    """The same from the SQL under the figure."""
    answer = PublishedWarehouse(place.published).query(sql_text("reports/funnel_parts.sql"))
    with duckdb.connect() as connection:
        connection.register("answer", answer.to_arrow())
        rows = connection.execute(PARTS, {"group": group, "month": month}).fetchall()
    return [(f"{int(reached):,}", f"{int(waiting):,}") for reached, waiting in rows]


@pytest.fixture
def funnel_page(place: Workspace) -> Path:
    return place.reports / "latest" / "funnel-checkout.html"


def test_what_is_chosen_changes_the_numbers_to_those_of_the_warehouse(
    chromium: Any, place: Workspace, funnel_page: Path
) -> None:
    with opened(chromium, funnel_page) as visit:
        at_first = told(visit)
        visit.page.select_option("#parts [name=group]", "device=mobile")
        of_phones = told(visit)
        visit.page.select_option("#parts [name=period]", "2026-04")
        of_april = told(visit)
        heading, complaints = visit.page.locator("#parts h3").inner_text(), visit.complaints

    assert at_first == in_the_warehouse(place, "", "")
    assert of_phones == in_the_warehouse(place, "", "device=mobile") != at_first
    assert of_april == in_the_warehouse(place, "2026-04", "device=mobile") != of_phones
    assert heading.startswith(f"device: mobile, April 2026: {of_april[-1][0]} of {of_april[0][0]} completed")
    assert complaints == []


def test_an_address_keeps_what_is_chosen_and_back_takes_it_back(
    chromium: Any, place: Workspace, funnel_page: Path
) -> None:
    with opened(chromium, f"{funnel_page.as_uri()}#period=2026-04&group=device%3Dmobile") as visit:
        linked = told(visit)
        visit.page.select_option("#parts [name=group]", "")
        everybody = told(visit)
        visit.page.go_back()
        visit.page.wait_for_function("() => document.querySelector('#parts [name=group]').value === 'device=mobile'")
        again = told(visit)

    assert linked == again == in_the_warehouse(place, "2026-04", "device=mobile")
    assert everybody == in_the_warehouse(place, "2026-04", "")


def test_another_funnel_opens_with_the_same_choice(chromium: Any, funnel_page: Path) -> None:
    with opened(chromium, f"{funnel_page.as_uri()}#period=2026-04&group=device%3Dmobile") as visit:
        with visit.page.expect_navigation():
            visit.page.select_option("#parts [name=funnel]", "funnel-search.html")
        visit.page.wait_for_load_state("load")
        heading, address = visit.page.locator("#parts h3").inner_text(), visit.page.url

    assert heading.startswith("device: mobile, April 2026:")
    assert address.endswith("funnel-search.html#period=2026-04&group=device%3Dmobile")


def test_a_choice_that_the_funnel_does_not_have_is_told(chromium: Any, place: Workspace, funnel_page: Path) -> None:
    with opened(chromium, f"{funnel_page.as_uri()}#period=1999-01&group=device%3Dmobile") as visit:
        said, numbers = visit.page.locator("#parts output").inner_text(), told(visit)

    assert said == "Not in this funnel: “1999-01”; shown is device: mobile, All time."
    assert numbers == in_the_warehouse(place, "", "device=mobile")


def test_a_page_with_a_choice_breaks_no_rule_of_wcag_2_2_aa(chromium: Any, funnel_page: Path) -> None:
    with opened(chromium, f"{funnel_page.as_uri()}#period=2026-04&group=nobody", width=PHONE, scheme="dark") as visit:
        visit.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = visit.page.evaluate("(tags) => axe.run({ runOnly: tags })", WCAG_2_2_AA)

    assert [rule["id"] for rule in found["violations"]] == []


def test_shares_and_intervals_counted_in_the_page_are_those_of_the_rest(chromium: Any, tmp_path: Path) -> None:
    pairs = [
        (part, whole)
        for whole in (1, 7, 19, 20, 40, 80, 160, 400, 997, 2_000, 12_345)
        for part in range(0, whole + 1, max(1, whole // 80))
    ]
    tables = full_tables()
    rows = tables["reports.funnel_parts"].head(3)
    tables["reports.funnel_parts"] = pl.concat(
        rows.with_columns(
            value=pl.lit(f"{number:04}"), breakdown=pl.lit("n"), entered=pl.lit(whole), still_open=pl.lit(0),
            reached=pl.Series([whole, part, part], dtype=pl.Int64),
        ).select(rows.columns).cast(dict(rows.schema))
        for number, (part, whole) in enumerate(pairs)
    )  # fmt: skip
    site = build_site(tables, journey=journey(), facts=facts())
    page = tmp_path / "funnel-checkout.html"
    page.write_bytes(site["funnel-checkout.html"])
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "plotly.min.js").write_bytes(site["assets/plotly.min.js"])
    with opened(chromium, page) as visit:
        said = visit.page.evaluate(
            """() => {
                const group = document.querySelector("#parts [name=group]"), cells = document.querySelectorAll("#parts tbody tr")[2].cells;
                return [...group.options].slice(1).map((option) => {
                    location.hash = new URLSearchParams([["group", option.value]]); dispatchEvent(new HashChangeEvent("hashchange"));
                    return [cells[3].textContent, cells[4].textContent];
                });
            }"""
        )

    assert len(said) == len(pairs)
    expected = [[rate.text, rate.interval] for rate in (Rate.of(part, whole) for part, whole in pairs)]
    assert [(pair, *both) for pair, *both in zip(pairs, said, expected, strict=True) if both[0] != both[1]] == []
