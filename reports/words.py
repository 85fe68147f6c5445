"""Words: how numbers, times and names read on a page."""

import html
import re
import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta

from transforms.canonical import MINOR_UNITS
from transforms.statistics import FEW

TOO_FEW = "too few to say"
NONE = "–"

DIRECTION_MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = ("Cc", "Cs", "Zl", "Zp")
JOINERS = "\u200d\ufe0e\ufe0f"
UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


# ---------------------------------------------------------------- names


def name(text: object, *, limit: int = 80) -> str:
    """A name from the data as it is shown: `plain`, and kept apart from the text around it when it runs right to left."""
    shown = plain(text, limit=limit)
    if any(unicodedata.bidirectional(mark) in ("R", "AL", "AN") for mark in shown):
        return f"\u2068{shown}\u2069"
    return shown


def plain(text: object, *, limit: int) -> str:
    """The text on one line, nothing invisible in it, its middle left out where it has more than `limit` characters."""
    visible = (
        "" if mark in DIRECTION_MARKS else " " if unicodedata.category(mark) in CONTROLS else mark for mark in str(text)
    )
    shown = " ".join("".join(visible).split()) or "(no name)"
    if len(shown) <= limit:
        return shown
    head, tail = limit - limit // 4 - 1, limit // 4
    return shown[:head].rstrip(JOINERS + " ") + "…" + shown[-tail:].lstrip(JOINERS + " ")


def quoted(text: object, *, limit: int = 80) -> str:
    """A name in quotation marks, for sentences."""
    return f"“{name(text, limit=limit)}”"


def chart_name(text: object, *, limit: int = 36) -> str:
    """A name as a chart's label: Plotly reads a little HTML in text, so what looks like HTML is escaped."""
    return html.escape(name(text, limit=limit), quote=False)


def slug(text: str, taken: Iterable[str] = ()) -> str:
    """A part of a file name made of a–z, 0–9 and hyphens, at most 48 characters, different from those taken."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "unnamed"
    used, found, number = set(taken), stem, 2
    while found in used:
        found, number = f"{stem}-{number}", number + 1
    return found


def plural(number: int, noun: str, many: str | None = None) -> str:
    """A count with its noun: '1 customer', '2 customers'."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def listed(parts: list[str], joint: str = "and") -> str:
    """Parts as in a sentence: 'a', 'a and b', 'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {joint} {parts[-1]}" if parts else ""


def sentence(text: str) -> str:
    """The text with a capital letter at its start."""
    return text[:1].upper() + text[1:]


# ---------------------------------------------------------------- numbers


def count(number: int | None) -> str:
    """A whole number with thousands separators; a dash for none."""
    return NONE if number is None else f"{number:,}"


def percent(value: float | None) -> str:
    """A share with one decimal; never 0 or 100 when it is not."""
    if value is None:
        return NONE
    if 0 < value < 0.0005:
        return "under 0.1%"
    if 0.9995 <= value < 1:
        return "over 99.9%"
    return f"{value * 100:.1f}%"


def share(part: int | None, whole: int | None) -> str:
    """Part of whole as a percentage; in words where the whole is too small (semantics.md §9)."""
    if part is None or not whole:
        return NONE
    return percent(part / whole) if whole >= FEW else TOO_FEW


def interval(low: float | None, high: float | None) -> str:
    """The ends of an interval of shares: '31.6–36.9%'."""
    return NONE if low is None or high is None else f"{low * 100:.1f}–{high * 100:.1f}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, signed."""
    return f"{difference * 100:+.1f} points".replace("-", "−")


def net(score: float) -> str:
    """A net score, from −100 to 100, signed: '+42', '−7'."""
    return f"{score:+.0f}".replace("-", "−")


def change(now: int, before: int) -> str:
    """How much a count moved: '+12%', '−3%', 'no change'; in words where the first is too small."""
    if now == before:
        return "no change"
    if before < FEW:
        return TOO_FEW
    moved = (now - before) / before
    return f"{'+' if moved > 0 else '−'}{abs(moved) * 100:.0f}%" if abs(moved) >= 0.005 else "under ±1%"


def money(minor: int | None, currency: str | None) -> str:
    """An amount in minor units as 'EUR 1,234.50', by the currency's ISO digits."""
    if minor is None or not currency:
        return NONE
    return f"{name(currency, limit=12)} {amount(minor, currency)}"


def amount(minor: int, currency: str) -> str:
    """An amount in minor units as a number in major units: '1,234.50'."""
    units = int(MINOR_UNITS.get(currency, 100))
    whole, rest = divmod(abs(minor), units)
    digits = len(str(units)) - 1
    return f"{'−' if minor < 0 else ''}{whole:,}{f'.{rest:0{digits}d}' if digits else ''}"


# ---------------------------------------------------------------- times


def duration(seconds: float | None) -> str:
    """A length of time by its two largest units: '2 h 10 min', '3 days 4 h', '45 s'; a dash for none."""
    if seconds is None:
        return NONE
    rest, parts = round(seconds), list[str]()
    for unit, size in UNITS:
        amount, rest = divmod(rest, size)
        if amount or parts:
            parts.append(f"{amount}\u00a0{unit}{'s' if unit == 'day' and amount != 1 else ''}" if amount else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or ("0\u00a0s" if seconds == 0 else "under 1 s")


def window(length: timedelta | None) -> str:
    """A window as in a sentence: 'within 14 days', 'at any time'."""
    return "at any time" if length is None else f"within {duration(length.total_seconds())}"


def day(value: date | None) -> str:
    """A day as '31 January 2026'; a dash for none."""
    return NONE if value is None else f"{value.day} {value:%B %Y}"


def short_day(value: date) -> str:
    """A day as '31 Jan'."""
    return f"{value.day} {value:%b}"
