"""What the lake holds, declared once: tables with their columns, keys, grain, owners and checks.

A declaration is a value without behaviour: the store creates tables from it, the quality step builds its suites from
it, the documentation and the Delta metadata take their words from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Pii = Literal["none", "token", "pseudonym", "clear"]
Severity = Literal["block", "warn"]
WriteMode = Literal["append_new", "upsert_latest", "replace", "replace_keys", "append"]


@dataclass(frozen=True)
class Column:
    """One column: its Spark type, what it means in business words, and how personal it is.

    `pii`: `none`; `token` a keyed digest of personal data; `pseudonym` a platform account id; `clear` personal data
    itself (bronze payloads and the encrypted vault only).
    """

    name: str
    type: str
    doc: str
    pii: Pii = "none"
    required: bool = False


@dataclass(frozen=True)
class Check:
    """A rule every row of a table obeys: a SQL predicate that is true for a good row."""

    name: str
    predicate: str
    severity: Severity = "block"


@dataclass(frozen=True)
class Table:
    """One Delta table of the lake: `lake/<layer>/<name>`.

    `key` columns identify a row; `version` (if any) orders the versions of one key, greatest wins; columns in
    `keep_min` hold the smallest value any version had; columns in `fill` that a version leaves null keep what the
    newest other version says (an event tells a part, a pull the rest); `published` tables are named in the snapshot
    manifest; files of a table with `cluster_by` hold a range of that column each.
    """

    layer: str
    name: str
    doc: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str = "data-platform"
    partition_by: tuple[str, ...] = ()
    cluster_by: str | None = None
    version: str | None = None
    keep_min: tuple[str, ...] = ()
    fill: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    published: bool = False
    schema_version: int = 1

    @property
    def full_name(self) -> str:
        """The table's name as users write it: `layer.name`."""
        return f"{self.layer}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """All column names in declared order."""
        return tuple(column.name for column in self.columns)

    def ddl(self) -> str:
        """The Spark DDL schema of the table: `name type COMMENT '...'` for each column."""
        return ", ".join(
            f"`{column.name}` {column.type}{' NOT NULL' if column.required else ''}" for column in self.columns
        )

    def column(self, name: str) -> Column:
        """The declared column of that name; KeyError names the table when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.full_name} has no column {name!r}; it has {', '.join(self.column_names)}")


@dataclass(frozen=True)
class TableSet:
    """All declared tables by full name; a duplicate fails, naming both sides."""

    tables: tuple[Table, ...]
    by_name: dict[str, Table] = field(init=False)

    def __post_init__(self) -> None:
        index: dict[str, Table] = {}
        for table in self.tables:
            if table.full_name in index:
                raise ValueError(
                    f"table {table.full_name} is declared twice: {index[table.full_name].doc!r}, {table.doc!r}"
                )
            index[table.full_name] = table
        object.__setattr__(self, "by_name", index)

    def __getitem__(self, full_name: str) -> Table:
        try:
            return self.by_name[full_name]
        except KeyError:
            raise KeyError(
                f"no table {full_name!r} is declared; declared are {', '.join(sorted(self.by_name))}"
            ) from None

    def layer(self, layer: str) -> tuple[Table, ...]:
        """The tables of one layer in declared order."""
        return tuple(table for table in self.tables if table.layer == layer)


def columns(*groups: Column | Iterable[Column]) -> tuple[Column, ...]:
    """Columns and groups of columns as one flat tuple, in the order given."""
    flat: list[Column] = []
    for group in groups:
        if isinstance(group, Column):
            flat.append(group)
        else:
            flat.extend(group)
    return tuple(flat)
