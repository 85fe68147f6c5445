"""Printing: the one-file report as a PDF, by a browser that is on this machine."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import DataError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER_VARIABLE = "CHROMIUM"
SECONDS = 300
QUIET = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--no-pdf-header-footer", "--virtual-time-budget=60000",
)  # fmt: skip


def as_pdf(page: bytes) -> bytes:
    """A page that needs no other file, printed with all of its tables open.

    Raises DataError when there is no browser, or it does not print.
    """
    browser = find_browser()
    with TemporaryDirectory(prefix="print-") as folder:
        place, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        place.write_bytes(page)
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [
            browser,
            *QUIET,
            *sandbox,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            place.as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DataError(
                f"{browser} did not print the report within {SECONDS} seconds; print one page: --page stages"
            ) from error
        if not target.exists():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise DataError(f"{browser} did not print the report ({said})")
        return target.read_bytes()


def find_browser() -> str:
    """The browser that prints; raises DataError when there is none."""
    asked = os.environ.get(BROWSER_VARIABLE)
    found = shutil.which(asked) if asked else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        looked = f"{BROWSER_VARIABLE} names {asked}, which is not there" if asked else "none was found"
        raise DataError(
            f"a PDF is printed by Chromium or Chrome, and {looked}; install it (Debian: apt-get install chromium), or write HTML: "
            "--standalone report.html"
        )
    return found
