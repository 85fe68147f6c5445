"""Predicates: the `where` of journey.yaml as Polars expressions.

A predicate compares as text (1 equals "1", true equals "true"); a missing property equals nothing, so `ne` holds for it.
Source: semantics.md §8, predicates.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import polars as pl
from pydantic import BeforeValidator

OPERATORS = ("eq", "ne", "lt", "lte", "gt", "gte", "icontains", "is_set", "in", "glob")
PATTERNED = frozenset({"path", "url", "hostname", "referrer"})

Scalar = str | int | float | bool
PropertyOf = Callable[[str], pl.Expr]


def checked_where(value: Any) -> dict[str, Any]:
    """Refuse a `where` that no operator can read; say which ones there are.

    Raises ValueError with the offending key.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a mapping of property to value, found {value!r}")
    for name, condition in value.items():
        if not isinstance(name, str):
            raise ValueError(f"a property name is text, found {name!r}")
        _check_condition(name, condition)
    return dict(value)


Where = Annotated[dict[str, Any], BeforeValidator(checked_where)]


def where_expr(where: Mapping[str, Any], property_of: PropertyOf) -> pl.Expr:
    """One Boolean expression (never null) that is true where every key of `where` holds.

    `property_of` gives the text of a property by name, null where it is missing.
    """
    conditions = [
        _condition(property_of(name), operator, operand, name)
        for name, condition in sorted(where.items())
        for operator, operand in _operations(name, condition)
    ]
    return pl.all_horizontal(conditions) if conditions else pl.lit(True)


def json_property(name: str) -> pl.Expr:
    """The text of a key of the column `properties`; null where it is missing."""
    return pl.col("properties").str.json_path_match(json_property_path(name))


def json_property_path(name: str) -> str:
    """The JSON path of a property, whatever characters its name has."""
    return f"$[{json.dumps(name)}]"


def as_text(value: Scalar) -> str:
    """How a configured value is compared: true/false for booleans, 1 for 1.0, else its text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def glob_pattern(glob: str) -> str:
    """A glob on paths as a regular expression: `*` stays inside one segment, `**` crosses them, `?` is one character."""
    if glob.endswith("/**"):
        return f"^{_glob_body(glob[:-3])}(/.*)?$"
    return f"^{_glob_body(glob)}$"


def _glob_body(glob: str) -> str:
    pieces = re.split(r"(\*\*|\*|\?)", glob)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(piece, re.escape(piece)) for piece in pieces)


def _operations(name: str, condition: Any) -> list[tuple[str, Any]]:
    if isinstance(condition, Mapping):
        return sorted(condition.items())
    if isinstance(condition, list | tuple):
        return [("in", condition)]
    if name in PATTERNED and isinstance(condition, str) and re.search(r"[*?]", condition):
        return [("glob", condition)]
    return [("eq", condition)]


def _condition(text: pl.Expr, operator: str, operand: Any, name: str) -> pl.Expr:
    if operator == "is_set":
        return text.is_not_null() if operand else text.is_null()
    if operator in ("in", "ne") and isinstance(operand, list | tuple):
        held = _any_of(text, operand, name)
        return held if operator == "in" else ~held
    if operator in ("eq", "ne"):
        equal = (_as_written(text, operand) == as_text(operand)).fill_null(False)
        return equal if operator == "eq" else ~equal
    if operator == "glob":
        return text.str.contains(glob_pattern(str(operand))).fill_null(False)
    if operator == "icontains":
        found = text.str.to_lowercase().str.contains(str(operand).lower(), literal=True)
        return found.fill_null(False)
    return _ordered(text, operator, operand)


def _as_written(text: pl.Expr, operand: Scalar) -> pl.Expr:
    """The text as it is compared: beside a configured number 1.0 is 1; beside a configured text it is "1.0"."""
    is_number = isinstance(operand, int | float) and not isinstance(operand, bool)
    return text.str.replace(r"^(-?\d+)\.0+$", "$1") if is_number else text


def _any_of(text: pl.Expr, operands: list[Any] | tuple[Any, ...], name: str) -> pl.Expr:
    """True where the text is one of the values; a value with wildcards on a path is a glob."""
    conditions = [_condition(text, *_operations(name, operand)[0], name) for operand in operands]
    return pl.any_horizontal(conditions) if conditions else pl.lit(False)


def _ordered(text: pl.Expr, operator: str, operand: Any) -> pl.Expr:
    """Compare as numbers when the configured value is one or reads as one, else as text."""
    if re.fullmatch(r"-?\d+(\.\d+)?", as_text(operand)):
        left: pl.Expr = text.cast(pl.Float64, strict=False)
        right: pl.Expr = pl.lit(float(operand))
    else:
        left, right = text, pl.lit(as_text(operand))
    compared = {"lt": left < right, "lte": left <= right, "gt": left > right, "gte": left >= right}
    return compared[operator].fill_null(False)


def _check_condition(name: str, condition: Any) -> None:
    if isinstance(condition, Mapping):
        unknown = [key for key in condition if key not in OPERATORS]
        if unknown or not condition:
            raise ValueError(f"'{name}' asks for {unknown or 'nothing'}; there are: {', '.join(OPERATORS)}")
        if "is_set" in condition and not isinstance(condition["is_set"], bool):
            raise ValueError(f"'{name}': is_set is true or false, found {condition['is_set']!r}")
        values = [
            item
            for operand in condition.values()
            for item in (operand if isinstance(operand, list | tuple) else [operand])
        ]
    else:
        values = list(condition) if isinstance(condition, list | tuple) else [condition]
    wrong = [value for value in values if not isinstance(value, str | int | float | bool)]
    if wrong:
        raise ValueError(f"'{name}' is compared with text, a number, true or false, found {wrong[0]!r}")
