"""Nearest: the known name that somebody who wrote an unknown one may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """ " (did you mean 'order_placed'?)" for the known name that is nearest; the empty text where none is near."""
    near = get_close_matches(str(name), list(known), 1)
    return f" (did you mean '{near[0]}'?)" if near else ""
