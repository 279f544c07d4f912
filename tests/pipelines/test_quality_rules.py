"""Declared checks become the narrowest rules that say the same, and DuckDB understands each of them."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.errors import ExitCode, IntegrityError
from pipelines.quality_docs import SUITES, rows_query
from pipelines.quality_rules import CheckResult, Rule, checks_of, mask, refuse_broken, rule_of, rules_of
from pipelines.spec import Check, Column, Table
from pipelines.store.types import duckdb_type
from pipelines.tables import ALL


@pytest.mark.parametrize(
    ("predicate", "kind", "columns", "arguments"),
    [
        ("status IN ('in', 'left')", "in_set", ("status",), {"value_set": ["in", "left"]}),
        ("n IN (0, 1)", "in_set", ("n",), {"value_set": [0, 1]}),
        ("a IS NULL OR a IN ('x')", "in_set", ("a",), {"value_set": ["x"]}),
        ("n BETWEEN 1 AND 7", "between", ("n",), {"min_value": 1, "max_value": 7}),
        ("n IS NULL OR n >= 0", "between", ("n",), {"min_value": 0, "strict_min": False}),
        ("n > 0", "between", ("n",), {"min_value": 0, "strict_min": True}),
        ("length(a) = 32", "lengths", ("a",), {"min_value": 32, "max_value": 32}),
        ("length(a) > 0", "lengths", ("a",), {"min_value": 1}),
        ("b IS NULL OR a >= 0", "holds", (), {"predicate": "b IS NULL OR a >= 0"}),
        ("a IN ('x') AND b IN ('y')", "holds", (), {"predicate": "a IN ('x') AND b IN ('y')"}),
        ("n BETWEEN 0 AND m", "holds", (), {"predicate": "n BETWEEN 0 AND m"}),
    ],
)
def test_a_check_is_the_narrowest_rule_that_says_it(
    predicate: str, kind: str, columns: tuple[str, ...], arguments: dict[str, object]
) -> None:
    rule = rule_of(Check("c", predicate, "warn"))
    assert (rule.kind, rule.columns, dict(rule.arguments), rule.severity) == (kind, columns, arguments, "warn")


def test_a_table_has_rules_of_its_key_its_required_columns_and_its_checks() -> None:
    table = Table(
        "silver", "things", "Things.", "one", ("a", "b"),
        (Column("a", "string", "A", required=True), Column("b", "bigint", "B")),
        checks=(Check("known", "a IN ('x')"),),
    )  # fmt: skip
    assert [(rule.name, rule.kind) for rule in rules_of(table)] == [
        ("has_rows", "rows"),
        ("key_unique", "unique"),
        ("a_present", "present"),
        ("known", "in_set"),
    ]
    assert [check.name for check in checks_of(table)] == ["known", "a_present"]


def test_a_key_that_stands_twice_is_found_by_its_predicate() -> None:
    (unique,) = [rule for rule in rules_of(ALL["gold.dim_shop"]) if rule.kind == "unique"]
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t AS SELECT unnest(['a', 'b', 'b']) AS shop_key")
        found = connection.execute(f"SELECT shop_key FROM t QUALIFY {unique.broken}").fetchall()
    assert found == [("b",), ("b",)]


@pytest.mark.parametrize("name", SUITES)
def test_the_rows_of_every_suite_can_be_asked_for(name: str) -> None:
    table, rules = ALL[name], rules_of(ALL[name])
    columns = ", ".join(f'NULL::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f'CREATE TABLE "{name}" AS SELECT {columns}')
        frame = connection.execute(rows_query(table, rules)).df()
        broken = [rule for rule in rules if rule.kind not in ("unique", "rows")]
        for rule in broken:
            connection.execute(f'SELECT count(*) FROM "{name}" WHERE {rule.broken}')
    assert set(table.key) <= set(frame.columns)
    assert {rule.name for rule in rules if rule.kind == "holds"} <= set(frame.columns)


def test_suites_are_of_declared_tables_and_name_each_rule_once() -> None:
    for name in SUITES:
        names = [rule.name for rule in rules_of(ALL[name])]
        assert len(names) == len(set(names))
    assert len(SUITES) == len(set(SUITES)) >= 12


def result(failed: int, severity: str = "block") -> CheckResult:
    return CheckResult("silver.orders", "paid_has_time", severity, 10, failed, ({"order_id": "692***678"},))


def test_a_broken_blocking_rule_is_an_integrity_failure_that_says_which() -> None:
    with pytest.raises(IntegrityError, match=r"silver\.orders breaks the rule paid_has_time in 3 of 10 rows") as caught:
        refuse_broken([result(0), result(3)])
    assert (caught.value.code, caught.value.where) == (ExitCode.INTEGRITY, "silver.orders")
    assert "692***678" in caught.value.message


def test_warnings_and_kept_rules_let_a_run_go_on() -> None:
    refuse_broken([result(0), result(3, "warn")])


def test_a_result_is_plain_data() -> None:
    assert result(1).as_dict()["samples"] == [{"order_id": "692***678"}]


def test_samples_hide_the_middle_of_long_values_and_all_of_short_ones() -> None:
    assert (mask("13912345678"), mask(1234), mask(None)) == ("139***678", "***", "***")


def test_a_rule_that_compares_columns_says_which_rows_break_it() -> None:
    rule = rule_of(Check("agrees", "a = b"))
    assert rule == Rule("agrees", "holds", (), "block", "NOT (a = b)", {"predicate": "a = b"})
