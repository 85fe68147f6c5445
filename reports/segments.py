"""Segments: what a page asks of the customers of one segment, or of everybody."""

from reports.page import Query

EVERYBODY = "(everybody)"
MOST_MAPS = 12
"""Segments of journey.yaml that get a map of their own, in their order."""


def of_segment(file: str, segment: str = EVERYBODY) -> str:
    """The name of the answer of a file of sql/reports that is asked of a segment."""
    return f"reports.{file}" if segment == EVERYBODY else f"reports.{file} of {segment}"


def segment_query(file: str, segment: str = EVERYBODY) -> Query:
    """A file of sql/reports asked of the customers of a segment."""
    return Query(file, (("segment", segment),))
