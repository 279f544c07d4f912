"""Who a change of identity is about."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn


def changes_of_run(changes: DataFrame, *, run_id: str, as_of: str) -> DataFrame:
    """Changes of identity that this run made, or a run for the same business day that may have been cut off."""
    return changes.where((fn.col("run_id") == run_id) | (fn.col("as_of") == fn.lit(as_of).cast("date")))


def people_in_changes(changes: DataFrame) -> DataFrame:
    """`one_id`, `change` of everyone a change of identity names, on either side."""
    return changes.selectExpr("explode(array_append(coalesce(others, array()), one_id)) AS one_id", "change")
