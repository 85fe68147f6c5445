"""Printing: the one-file report as a PDF or a picture, by a browser that is on this machine."""

import os
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import DataError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER_VARIABLE = "CHROMIUM"
SECONDS = 300
WIDTH = 1280
TALLEST = 16_384
"""The most pixels that a browser draws in one image; below, nothing but white would come."""
QUIET = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--virtual-time-budget=60000",
)  # fmt: skip
LIGHT = ("--blink-settings=preferredColorScheme=1", "--hide-scrollbars", "--force-device-scale-factor=1")
HEIGHT = re.compile(r'<html[^>]* data-height="(\d+)"')
MEASURE = (
    b"addEventListener('load', () => setTimeout(() => "
    b"document.documentElement.dataset.height = document.documentElement.scrollHeight, 2000))"
)


def as_pdf(page: bytes) -> bytes:
    """A page that needs no other file, printed with all of its tables open.

    Raises DataError when there is no browser, or it does not print.
    """
    with TemporaryDirectory(prefix="print-") as folder:
        target = Path(folder, "report.pdf")
        asked = ("--no-pdf-header-footer", f"--print-to-pdf={target}")
        return drawn(target, browse(page, asked, Path(folder)))


def as_png(page: bytes) -> bytes:
    """A page that needs no other file as one picture of its whole height: in light colours, its tables as they stand.

    Raises DataError when there is no browser, it does not draw, or the page is taller than one picture can be.
    """
    with TemporaryDirectory(prefix="print-") as folder:
        target = Path(folder, "report.png")
        height = height_of(page, Path(folder))
        if height > TALLEST:
            raise DataError(
                f"the report is {height:,} pixels tall, and a browser draws at most {TALLEST:,} in one picture; "
                "draw one page: --page stages, or print it: --standalone report.pdf"
            )
        asked = (*LIGHT, f"--window-size={WIDTH},{height}", f"--screenshot={target}")
        return drawn(target, browse(page, asked, Path(folder)))


def height_of(page: bytes, folder: Path) -> int:
    """How tall a page is once its figures are drawn, in pixels; raises DataError where the browser does not say."""
    known = b"script-src 'sha256-" + b64encode(sha256(MEASURE).digest()) + b"' "
    measured = page.replace(b"script-src ", known, 1).replace(
        b"</head>", b"<script>" + MEASURE + b"</script></head>", 1
    )
    said = browse(measured, (*LIGHT, f"--window-size={WIDTH},800", "--dump-dom"), folder)
    found = HEIGHT.search(said.stdout)
    if found is None:
        raise DataError(f"{find_browser()} did not draw the report ({last_words(said)})")
    return int(found[1])


def browse(page: bytes, asked: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """Open a page in a browser without a window; raises DataError when there is none, or it takes too long."""
    browser, place = find_browser(), folder / "report.html"
    place.write_bytes(page)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [browser, *QUIET, *sandbox, f"--user-data-dir={folder}/profile", *asked, place.as_uri()]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{browser} did not print the report within {SECONDS} seconds; print one page: --page stages"
        ) from error


def drawn(target: Path, said: subprocess.CompletedProcess[str]) -> bytes:
    """What the browser has written; raises DataError when that is nothing."""
    if not target.exists():
        raise DataError(f"{said.args[0]} did not print the report ({last_words(said)})")
    return target.read_bytes()


def last_words(said: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a browser complained of."""
    return (said.stderr.strip().splitlines() or ["it said nothing"])[-1]


def find_browser() -> str:
    """The browser that prints; raises DataError when there is none."""
    asked = os.environ.get(BROWSER_VARIABLE)
    found = shutil.which(asked) if asked else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        looked = f"{BROWSER_VARIABLE} names {asked}, which is not there" if asked else "none was found"
        raise DataError(
            f"a PDF or PNG is made by Chromium or Chrome, and {looked}; install it (Debian: apt-get install chromium), or write HTML: "
            "--standalone report.html"
        )
    return found
