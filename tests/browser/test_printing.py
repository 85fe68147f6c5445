"""Pictures of the report, drawn by a real browser: whole pages, in light colours, or a sentence why not."""

from io import BytesIO

import pytest

from pipelines.errors import DataError
from pipelines.printing import TALLEST, WIDTH, as_png

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'none'; style-src 'unsafe-inline'">
<style>body {{ margin: 0; background: #fff }} @media (prefers-color-scheme: dark) {{ body {{ background: #000 }} }}
#end {{ background: #f00; height: 10px }}</style></head>
<body><div style="height: {before}px"></div><div id="end"></div></body></html>"""


def page(*, height: int) -> bytes:
    """A page of this height, white in light colours, with ten red lines at its end."""
    return PAGE.format(before=height - 10).encode()


@pytest.mark.parametrize("height", [2_345, TALLEST])
def test_a_picture_holds_the_page_from_top_to_end_in_light_colours(height: int) -> None:
    image = pytest.importorskip("PIL.Image", reason="`make test-browser` installs Pillow")
    picture = image.open(BytesIO(as_png(page(height=height)))).convert("RGB")

    assert picture.size == (WIDTH, height)
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert picture.getpixel((5, height - 5)) == (255, 0, 0)
    assert picture.getpixel((5, height - 15)) == (255, 255, 255)


def test_a_page_taller_than_a_picture_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(DataError, match=r"16,385 pixels tall.*--page stages.*--standalone report\.pdf"):
        as_png(page(height=TALLEST + 1))
