"""Pictures of every page for the guides: light and dark, wide and narrow, side by side on one sheet a page.

    python -m tests.browser.pictures WORKSPACE FOLDER

Opens the report of the workspace, and writes FOLDER/<page>.webp; of the pages of single stages, funnels and segments one of each kind.
"""

import os
import shutil
import sys
from base64 import b64decode, b64encode
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

VIEWS = tuple(product((1280, 360), ("light", "dark")))
HEIGHT, SCALE, QUALITY, GAP = 1600, 0.5, 45, 12
KINDS = ("funnel-", "map-", "stage-")


def draw(site: Path, folder: Path) -> None:
    """One sheet for each kind of page."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        binary = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        for page in one_of_each_kind(sorted(site.glob("*.html"))):
            (folder / f"{kind(page)}.webp").write_bytes(sheet(browser, page))
            print(page.name)
        browser.close()


def one_of_each_kind(pages: list[Path]) -> list[Path]:
    """The pages, of those that differ only in what they are about the one that says most."""
    fullest = {kind(page): page for page in sorted(pages, key=lambda page: (page.stat().st_size, page.name))}
    return [fullest[name] for name in sorted(fullest)]


def kind(page: Path) -> str:
    """What kind of page it is: its name, without that of the funnel, stage or segment."""
    return next((start.rstrip("-") for start in KINDS if page.stem.startswith(start)), page.stem)


def sheet(browser: Any, page: Path) -> bytes:
    """The page in every width and scheme, side by side."""
    pictures = "".join(
        f'<img width="{int(width * SCALE)}" height="{int(HEIGHT * SCALE)}" src="data:image/png;base64,{b64encode(taken).decode()}">'
        for width, taken in ((width, shot(browser, page, width=width, scheme=scheme)) for width, scheme in VIEWS)
    )
    whole = int(sum(width for width, _ in VIEWS) * SCALE) + (len(VIEWS) + 1) * GAP
    tab = browser.new_page(viewport={"width": whole, "height": int(HEIGHT * SCALE) + 2 * GAP})
    tab.set_content(f'<body style="margin:{GAP}px;display:flex;gap:{GAP}px;background:#808080">{pictures}</body>')
    session = tab.context.new_cdp_session(tab)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    tab.close()
    return b64decode(taken["data"])


def shot(browser: Any, page: Path, *, width: int, scheme: str) -> bytes:
    """The upper part of a page, as it opens."""
    tab = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
    tab.goto(page.as_uri())
    tab.wait_for_load_state("load")
    if tab.locator("[data-figure]").count():
        tab.wait_for_selector("[data-figure] :is(.main-svg .trace, .main-svg .sankey)", state="attached")
    taken: bytes = tab.screenshot()
    tab.close()
    return taken


if __name__ == "__main__":
    workspace, target = sys.argv[1:]
    draw(Path(workspace, "reports", "latest"), Path(target))
