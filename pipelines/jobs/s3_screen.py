"""Which groups of identifiers are plain: everybody in them is one person and no rule has anything to decide.

Plain groups are worked out in columns; all others go to the rules of `identity` one by one. When in doubt a group is
not plain: the answer is the same, only slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.namespace import Strength
from identity.order import strength_of
from identity.policy import Policy
from pipelines.errors import IntegrityError

PLAIN_KINDS = ("link", "bind")
GROUP = "component"


@dataclass(frozen=True)
class Group:
    """The rows of some whole groups; every frame has the column `component`.

    `evidence`: compact evidence; `homes`: `key`, `home`; `records`: OneIDs with `status`, `merged_into`, `mint_seq`;
    `placed`: `key`, `one_id` before the run; `aliases`: `form_key` and the number it is a form of; `marks`: groups that
    must not be taken for plain.
    """

    evidence: pl.DataFrame
    homes: pl.DataFrame
    records: pl.DataFrame
    placed: pl.DataFrame
    aliases: pl.DataFrame
    marks: pl.DataFrame


def namespace_table(policy: Policy) -> pl.DataFrame:
    """What the rules need to know of each namespace: one row per declared one."""
    rows = [
        {
            "namespace": name,
            "strength": strength_of(spec)[0],
            "priority": strength_of(spec)[1],
            "limit": spec.max_per_person,
            "anchor": spec.strength is Strength.ANCHOR,
            "anonymous": spec.anonymous,
            "ends": spec.valid_days is not None,
            "role_label": ("phone" if spec.is_phone else name) if spec.roles else None,
            "weak": spec.strength is Strength.WEAK,
        }
        for name, spec in sorted(policy.namespaces.items())
    ]
    schema = {"limit": pl.Int64, "priority": pl.Int64, "strength": pl.Int64, "role_label": pl.String}
    return pl.DataFrame(rows, schema_overrides=schema)


def stated_ids(group: Group, policy: Policy) -> pl.DataFrame:
    """One row per identifier of each statement, hashed forms under their number, with what its namespace says.

    Raises IntegrityError when two identifiers share a surrogate key.
    """
    rows = group.evidence.with_row_index("row").select("row", GROUP, "source", "kind", "ids").explode("ids")
    stated = rows.unnest("ids").drop_nulls("key")
    check_keys(stated)
    if group.aliases.height:
        stated = _under_numbers(stated, group.aliases)
    return stated.join(namespace_table(policy), on="namespace", how="left", maintain_order="left")


def check_keys(stated: pl.DataFrame) -> None:
    """Every surrogate key stands for one identifier; IntegrityError where one stands for two."""
    distinct = stated.select("key", "namespace", "scope", "value").unique()
    shared = distinct.height - distinct.select(pl.col("key").n_unique()).item()
    if shared:
        raise IntegrityError(
            f"{shared} surrogate keys stand for two identifiers each",
            where="silver.identity_observations",
            hint="report this lake: 64-bit keys met a collision",
        )


def _under_numbers(stated: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    names = aliases.select(
        pl.col("form_key").alias("key"),
        *(pl.col(name).alias(f"to_{name}") for name in ("key", "namespace", "scope", "value")),
    ).unique("key")
    joined = stated.join(names, on="key", how="left", maintain_order="left")
    renamed = joined.with_columns(
        pl.coalesce(f"to_{name}", name).alias(name) for name in ("key", "namespace", "scope", "value")
    )
    return renamed.drop("to_key", "to_namespace", "to_scope", "to_value").unique(maintain_order=True)


def special_groups(group: Group, stated: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The groups that are not plain: one column, `component`."""
    found = [
        _odd_rows(group.evidence),
        _odd_sightings(stated, candidates=policy.promote_recipient_phone),
        _crowded(stated, policy),
        _hub_like(stated, policy),
        group.marks.select(GROUP),
    ]
    return pl.concat(found).unique()


def _odd_rows(evidence: pl.DataFrame) -> pl.DataFrame:
    odd = ~pl.col("kind").is_in(PLAIN_KINDS) | pl.col("valid_to_ms").is_not_null()
    return evidence.filter(odd).select(GROUP)


def _odd_sightings(stated: pl.DataFrame, *, candidates: bool) -> pl.DataFrame:
    """Validity by namespace, one identifier in two roles of a row, and numbers that may yet be inferred."""
    twice = stated.filter(pl.struct("row", "key").is_duplicated()).select(GROUP)
    ending = stated.filter(pl.col("linking") & pl.col("ends")).select(GROUP)
    inferred = stated.filter(~pl.col("linking") & pl.lit(candidates)).select(GROUP)
    return pl.concat([twice, ending, inferred])


def _crowded(stated: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """More values of a guarded namespace than a person has, two anchors of one scope, or more than the size cap."""
    members = stated.filter("linking").unique([GROUP, "key"])
    by_scope = members.group_by(GROUP, "namespace", "scope").agg(
        pl.len().alias("values"), pl.col("limit").first(), pl.col("anchor").first()
    )
    over = (pl.col("values") > pl.col("limit")) | (pl.col("anchor") & (pl.col("values") > 1))
    found = [by_scope.filter(over).select(GROUP)]
    if policy.size_cap:
        sizes = members.group_by(GROUP).agg(pl.len().alias("size"))
        found.append(sizes.filter(pl.col("size") > policy.size_cap).select(GROUP))
    return pl.concat(found)


def _hub_like(stated: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Groups where some identifier that is no anchor meets more partners in all than a hub may in a window."""
    least = min(policy.hub.max_accounts, policy.hub.max_total)
    members = stated.filter("linking")
    sizes = members.group_by(GROUP).agg(pl.col("key").n_unique().alias("size"))
    large = members.join(sizes.filter(pl.col("size") > least + 1), on=GROUP, how="semi")
    if not large.height:
        return large.select(GROUP)
    ends = large.select("row", GROUP, "key", "anchor")
    met = ends.join(ends.select("row", partner="key"), on="row").filter(pl.col("key") != pl.col("partner"))
    degrees = met.filter(~pl.col("anchor")).group_by(GROUP, "key").agg(pl.col("partner").n_unique().alias("met"))
    return degrees.filter(pl.col("met") > least).select(GROUP)
