"""Every table is declared once and says enough to be created, checked, documented and joined."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipelines.spec import Check, Column, Table, TableSet
from pipelines.tables import ALL

LAYERS = ("bronze", "silver", "identity", "features", "gold", "ops")
NAME = re.compile(r"^[a-z][a-z0-9_]*$")
TYPE = re.compile(
    r"^(string|boolean|int|bigint|double|date|timestamp|binary|(array|map|struct)<.+>|decimal\(\d+,\d+\))$"
)
CLEAR_HOMES = ("bronze", "silver.quarantine", "silver.pii_vault")
"""Personal data in the clear (or encrypted) lies here only."""

WORD = re.compile(r"'[^']*'|\b[a-z_][a-z0-9_]*\b(?!\s*\()", re.IGNORECASE)
SQL_WORDS = {
    "and", "or", "not", "is", "null", "distinct", "from", "in", "between", "like", "rlike", "true", "false", "case",
    "when", "then", "else", "end", "as", "date", "timestamp", "interval", "bigint", "string", "int", "x", "exists",
    "days",
}  # fmt: skip
PROMISED = {
    "bronze": "douyin_orders douyin_refunds tmall_trades tmall_refunds tmall_members wecom_contacts wecom_group_chats "
    "wecom_staff_stats wecom_events miniprogram_users miniprogram_events douyin_members douyin_messages tmall_messages "
    "wecom_tags wecom_transfers id_conversions points_events order_claims consents shop_orders products staff "
    "observations orders_file",
    "silver": "orders order_lines refunds contacts contact_follows group_members group_daily staff_daily events "
    "points_ledger order_claims consents members products staff identity_observations pii_vault quarantine",
    "identity": "edges rejections oneid_map oneids oneid_changes steward_decisions hubs review_queue report",
    "features": "customer_features customer_tags tag_changes touchpoints",
    "gold": "dim_customer dim_product dim_shop dim_staff dim_group dim_date fact_order_line fact_refund fact_event "
    "fact_session fact_points fact_relation_daily bridge_customer_tag agg_funnel_daily agg_oneid_daily",
    "ops": "job_runs batches quality_results audit",
}
"""Table names other programs rely on."""


def words_of(predicate: str) -> set[str]:
    found = {word for word in WORD.findall(predicate) if not word.startswith("'")}
    return {word for word in found if word.lower() not in SQL_WORDS}


def faults(table: Table) -> list[str]:
    return [
        f"{table.full_name}: {fault}" for fault in (*_named(table), *_keyed(table), *_checked(table), *_worded(table))
    ]


def _named(table: Table) -> list[str]:
    found = [] if table.layer in LAYERS else [f"unknown layer {table.layer}"]
    names = list(table.column_names)
    found += [f"column {name} is declared twice" for name in sorted(set(names)) if names.count(name) > 1]
    found += [f"bad name {name}" for name in (table.name, *names) if not NAME.match(name)]
    return found + [f"{c.name} has the unknown type {c.type}" for c in table.columns if not TYPE.match(c.type)]


def _keyed(table: Table) -> list[str]:
    used = (*table.key, *table.partition_by, *table.keep_min, *table.fill, *((table.version,) if table.version else ()))
    found = [f"{name} is used but not declared" for name in used if name not in table.column_names]
    if table.fill and "filled_from" not in table.column_names:
        found.append("fills columns without filled_from, which the order of arrival could change")
    return found if table.key else [*found, "no key"]


def _checked(table: Table) -> list[str]:
    found = [] if table.checks else ["no check"]
    for check in table.checks:
        strangers = sorted(words_of(check.predicate) - set(table.column_names))
        found += [f"check {check.name} names {', '.join(strangers)}"] if strangers else []
    return found


def _worded(table: Table) -> list[str]:
    found = (
        []
        if (len(table.doc) >= 15 and table.doc.endswith((".", ")"))) or table.layer == "bronze"
        else ["no sentence as doc"]
    )
    found += [] if table.grain and table.owner else ["no grain or owner"]
    found += [f"{column.name} has no meaning" for column in table.columns if len(column.doc.strip()) < 2]
    clear = [column.name for column in table.columns if column.pii == "clear"]
    if clear and not (table.layer in CLEAR_HOMES or table.full_name in CLEAR_HOMES):
        found.append(f"personal data in the clear: {', '.join(clear)}")
    return found


def test_every_table_is_fully_declared() -> None:
    assert [fault for table in ALL.tables for fault in faults(table)] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_the_tables_other_programs_rely_on_are_declared(layer: str) -> None:
    assert sorted(set(PROMISED[layer].split()) - {table.name for table in ALL.layer(layer)}) == []


def test_a_table_declared_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"silver\.orders is declared twice"):
        TableSet((ALL["silver.orders"], ALL["silver.orders"]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"layer": "platinum"}, "unknown layer"),
        ({"key": ()}, "no key"),
        ({"key": ("nothing",)}, "nothing is used but not declared"),
        ({"version": "nothing"}, "nothing is used but not declared"),
        ({"fill": ("nothing",)}, "nothing is used but not declared"),
        ({"fill": ("a",)}, "without filled_from"),
        ({"checks": ()}, "no check"),
        ({"checks": (Check("c", "nothing > 0"),)}, "check c names nothing"),
        ({"grain": ""}, "no grain"),
        ({"doc": ""}, "no sentence"),
        ({"columns": (Column("a", "strin", "A"),)}, "unknown type"),
        ({"columns": (Column("a", "string", ""),)}, "a has no meaning"),
        ({"columns": (Column("a", "string", "A", pii="clear"),)}, "in the clear"),
        ({"columns": (Column("a", "string", "A"), Column("a", "string", "A"))}, "declared twice"),
    ],
)
def test_a_planted_fault_of_a_declaration_is_found(change: dict[str, object], fault: str) -> None:
    good = Table(
        layer="silver",
        name="things",
        doc="Things that are told apart.",
        grain="one thing",
        key=("a",),
        columns=(Column("a", "string", "The thing"),),
        checks=(Check("has_a", "length(a) > 0 AND a <> 'nothing'"),),
    )
    assert faults(good) == []
    assert any(fault in found for found in faults(replace(good, **change)))  # type: ignore[arg-type]  # test factory
