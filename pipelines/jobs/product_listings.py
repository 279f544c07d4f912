"""Under which brand the product of an order line is listed: numbers of own channels count within the brand.

Lists and orders come by different ways, and either may leave the brand out.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

PRODUCT = ["platform", "product_id"]
SCOPE = "product_scope"


def with_listing(lines: DataFrame, listed: DataFrame) -> DataFrame:
    """The lines with the brand under which their product is listed as `product_scope`, empty without one.

    That is the line's own; where its brand lists no such number, the list without a brand; of a line without a brand
    the only one that lists the number. A product that is not listed so is its line's brand's.
    """
    own = listed.select(*PRODUCT, SCOPE).distinct().selectExpr("*", "true AS _own")
    numbers = listed.groupBy(*PRODUCT).agg(
        fn.expr("min(product_scope) = ''").alias("_bare"),
        fn.expr("CASE WHEN min(product_scope) = max(product_scope) THEN min(product_scope) END").alias("_only"),
    )
    stated = lines.withColumn(SCOPE, fn.expr("coalesce(product_scope, '')"))
    found = stated.join(own, [*PRODUCT, SCOPE], "left").join(numbers, PRODUCT, "left")
    listing = """
        CASE WHEN _own THEN product_scope WHEN _bare THEN '' WHEN product_scope = '' THEN coalesce(_only, '')
        ELSE product_scope END"""
    return found.withColumn(SCOPE, fn.expr(listing)).select(*lines.columns)
