"""Whose features have to follow: the people touched by new facts or by a change of identity."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

LINE_ORDER = ["platform", "shop_id", "order_id"]


def touched_people(
    keys: Sequence[DataFrame], oneid_map: DataFrame, changes: DataFrame, former: Sequence[DataFrame] = ()
) -> DataFrame:
    """`one_id` of everyone whose facts or identity changed in the run, retired OneIDs included, each once.

    `keys`: frames of `identifier_key` with new facts; `changes`: rows of identity.oneid_changes of the run; `former`:
    frames of `one_id` that lost a fact.
    """
    parts = [people_in_changes(changes).select("one_id"), *former]
    if keys:
        changed = keys[0]
        for frame in keys[1:]:
            changed = changed.unionByName(frame)
        current = oneid_map.where("valid_to IS NULL AND one_id IS NOT NULL").select("identifier_key", "one_id")
        parts.append(current.join(changed.distinct(), "identifier_key", "left_semi").select("one_id"))
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part)
    return whole.where("one_id IS NOT NULL").distinct()


def changes_of_run(changes: DataFrame, *, run_id: str, as_of: str) -> DataFrame:
    """Changes of identity that this run made, or a run for the same business day that may have been cut off."""
    return changes.where((fn.col("run_id") == run_id) | (fn.col("as_of") == fn.lit(as_of).cast("date")))


def people_in_changes(changes: DataFrame) -> DataFrame:
    """`one_id`, `change` of everyone a change of identity names, on either side."""
    return changes.selectExpr("explode(array_append(coalesce(others, array()), one_id)) AS one_id", "change")


def former_owners(orders: DataFrame, facts: DataFrame) -> DataFrame:
    """`one_id` under which gold still holds the given orders: a corrected buyer takes an order from the former one."""
    held = facts.where("one_id IS NOT NULL").select(*LINE_ORDER, "one_id")
    return held.join(orders.select(*LINE_ORDER).distinct(), LINE_ORDER, "left_semi").select("one_id").distinct()
