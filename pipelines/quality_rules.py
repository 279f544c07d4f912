"""What the rows of a table must be, as plain rules made from its declaration, and what a broken rule says.

Both quality gates work from here: the counts of `pipelines/quality.py` over whole tables, and the suites of
`pipelines/quality_docs.py` over the rows of an interval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.errors import IntegrityError
from pipelines.spec import Check, Severity, Table

Kind = Literal["present", "unique", "in_set", "between", "lengths", "holds", "rows"]
SAMPLES = 3

_MAYBE = r"^(?:(?P<maybe>\w+) IS NULL OR )?"
_IN = re.compile(_MAYBE + r"(?P<column>\w+) IN \((?P<values>[^()]*)\)$")
_BETWEEN = re.compile(_MAYBE + r"(?P<column>\w+) BETWEEN (?P<least>-?\d+) AND (?P<most>-?\d+)$")
_LEAST = re.compile(_MAYBE + r"(?P<column>\w+) (?P<sign>>=|>) (?P<least>-?\d+)$")
_LENGTH = re.compile(r"^length\((?P<column>\w+)\) (?P<sign>=|>) (?P<number>\d+)$")
_LITERAL = re.compile(r"'([^']*)'|(-?\d+)")


@dataclass(frozen=True)
class Rule:
    """One rule of a table: its kind with arguments, and the SQL predicate of a row that breaks it."""

    name: str
    kind: Kind
    columns: tuple[str, ...]
    severity: Severity
    broken: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """One check on one table: rows looked at, rows that broke the rule, and masked samples of their keys."""

    table: str
    check: str
    severity: str
    rows: int
    failed: int
    samples: tuple[dict[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {**self.__dict__, "samples": list(self.samples)}


def checks_of(table: Table) -> tuple[Check, ...]:
    """The declared checks, and that required columns and the key are present."""
    required = tuple(
        Check(f"{column.name}_present", f'"{column.name}" IS NOT NULL') for column in table.columns if column.required
    )
    return (*table.checks, *required)


def rules_of(table: Table) -> tuple[Rule, ...]:
    """The rules of a table: at least a row, a unique key, required columns, and every declared check."""
    quoted = ", ".join(f'"{name}"' for name in table.key)
    rules = [
        Rule("has_rows", "rows", (), "warn", "false", {"min_value": 1}),
        Rule("key_unique", "unique", table.key, "block", f"count(*) OVER (PARTITION BY {quoted}) > 1"),
    ]
    rules += [
        Rule(f"{column.name}_present", "present", (column.name,), "block", f'"{column.name}" IS NULL')
        for column in table.columns
        if column.required
    ]
    return (*rules, *(rule_of(check) for check in table.checks))


def rule_of(check: Check) -> Rule:
    """A declared check as the narrowest kind of rule that says the same; a null breaks none, as in the declaration.

    >>> rule_of(Check("known", "status IN ('a','b')")).arguments
    {'value_set': ['a', 'b']}
    >>> rule_of(Check("fits", "a IS NULL OR a >= 0")).kind, rule_of(Check("agrees", "a = b + c")).kind
    ('between', 'holds')
    """
    for pattern, kind, read in ((_IN, "in_set", _values), (_BETWEEN, "between", _range), (_LEAST, "between", _least)):
        match = pattern.match(check.predicate)
        if match and match["maybe"] in (None, match["column"]):
            return _rule(check, kind, match["column"], read(match))  # type: ignore[arg-type]  # one of the kinds
    if match := _LENGTH.match(check.predicate):
        return _rule(check, "lengths", match["column"], _lengths(match))
    return Rule(check.name, "holds", (), check.severity, f"NOT ({check.predicate})", {"predicate": check.predicate})


def mask(value: object) -> str:
    """A sample value with its middle hidden.

    >>> mask("6923456789012345678"), mask("ab")
    ('692***678', '***')
    """
    text = str(value)
    return f"{text[:3]}***{text[-3:]}" if len(text) > 8 else "***"


def refuse_broken(results: Iterable[CheckResult]) -> None:
    """No blocking rule is broken; else IntegrityError (exit 4) names rule, table, count and masked samples of one."""
    for result in results:
        if result.failed and result.severity == "block":
            raise IntegrityError(
                f"{result.table} breaks the rule {result.check} in {result.failed} of {result.rows} rows,"
                f" for example {json.dumps(result.samples)}",
                where=result.table,
                hint="nothing was published; look at the rows, mend their source and run again",
            )


def _rule(check: Check, kind: Kind, column: str, arguments: Mapping[str, Any]) -> Rule:
    return Rule(check.name, kind, (column,), check.severity, f"NOT ({check.predicate})", arguments)


def _values(match: re.Match[str]) -> dict[str, Any]:
    found = _LITERAL.findall(match["values"])
    return {"value_set": [int(number) if number else text for text, number in found]}


def _range(match: re.Match[str]) -> dict[str, Any]:
    return {"min_value": int(match["least"]), "max_value": int(match["most"])}


def _least(match: re.Match[str]) -> dict[str, Any]:
    return {"min_value": int(match["least"]), "strict_min": match["sign"] == ">"}


def _lengths(match: re.Match[str]) -> dict[str, Any]:
    number = int(match["number"])
    return {"min_value": number, "max_value": number} if match["sign"] == "=" else {"min_value": number + 1}
