"""Pages: one module each, with `build(view) -> list[Page]`; the list of them is in reports/site.py."""
