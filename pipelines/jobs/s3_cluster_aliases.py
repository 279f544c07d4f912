"""Hashed forms of a phone under their number: one node, whatever form it was seen in.

The vault knows the tokens of all forms of every number it holds; a form counts once both it and its number were seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from identity.identifier import key64
from identity.namespace import PHONE, PHONE_FORMS
from pipelines.jobs.s3_work import VAULT
from pipelines.store.lake import Lake

COLUMNS = (
    "form_key bigint, form_namespace string, form_scope string, form_value string,"
    " key bigint, namespace string, scope string, value string"
)


def find_aliases(lake: Lake, rows: DataFrame) -> DataFrame | None:
    """The forms seen in the rows whose number was seen too, each with its number; None when no form was seen."""
    stated = rows.select(F.explode("ids").alias("stated")).select("stated.namespace", "stated.value", "stated.key")
    family = stated.where(F.col("namespace").isin(PHONE, *PHONE_FORMS)).distinct().persist()
    forms = family.where(F.col("namespace") != PHONE).select(F.col("key").alias("form_key"))
    if forms.isEmpty():
        return None
    numbers = family.where(F.col("namespace") == PHONE).select(F.col("value").alias("token"))
    vault = lake.read(VAULT).where("kind = 'phone' AND size(forms) > 0").select("token", "forms")
    known = vault.join(numbers, "token", "left_semi")
    return known.mapInArrow(_form_batches, COLUMNS).join(forms, "form_key", "left_semi").dropDuplicates(["form_key"])


def _form_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    names = [part.split(" ")[0] for part in COLUMNS.split(", ")]
    types = [pa.int64() if "key" in name else pa.string() for name in names]
    for batch in batches:
        rows = [
            (key64(*form), *form, key64(*number), *number)
            for row in batch.to_pylist()
            for number in [(PHONE, "", row["token"])]
            for form in [(one["namespace"], one["scope"], one["value"]) for one in row["forms"]]
        ]
        columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(types)]
        yield pa.RecordBatch.from_arrays(columns, names=names)
