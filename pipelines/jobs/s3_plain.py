"""Plain groups in columns: one person each, every link live, no Python per row.

What `identity.resolve` and `identity.registry` say of such a group, worked out for all of them at once; the parity
tests hold both to the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from identity.identifier import Identifier
from identity.pairs import LARGEST_FULL_ROW
from identity.policy import Policy
from identity.registry import derive_one_id
from pipelines.jobs.s3_screen import GROUP, Group, special_groups, stated_ids

NAMED = ("namespace", "scope", "value")
ORDER = ("strength", "priority", *NAMED)
LIVING = ("active", "visitor")


@dataclass(frozen=True)
class PlainSettings:
    """What a task needs to work out plain groups."""

    policy: Policy
    identity_key: str


class PlainResolver:
    """The task over whole groups: stages what plain groups give, and the rest as `special`."""

    def __init__(self, settings: PlainSettings) -> None:
        self._settings = settings

    def __call__(self, group: Group) -> dict[str, pl.DataFrame]:
        stated = stated_ids(group, self._settings.policy)
        special = special_groups(group, stated, self._settings.policy)
        members = _members(group.evidence, stated.join(special, on=GROUP, how="anti"))
        registry = _registry(group, members)
        special = pl.concat([special, registry.special, _orphans(group, stated)]).unique()
        members = members.join(special, on=GROUP, how="anti")
        stated = stated.join(special, on=GROUP, how="anti")
        pairs = _pairs(group.evidence, stated)
        kept = registry.kept.join(special, on=GROUP, how="anti")
        minted = self._mint(members.join(kept, on=GROUP, how="anti"))
        owners = pl.concat([kept.select(GROUP, "one_id"), minted.select(GROUP, "one_id")])
        return {
            "special": special.join(group.evidence.select(GROUP, "signature"), on=GROUP, how="left"),
            "map": _map_rows(members, owners, group.aliases),
            "edges": _edge_rows(pairs, members),
            "homes": _new_homes(members, owners, group.homes),
            "mints": minted,
            "people": _people(members, owners),
            "changes": _mint_changes(members, minted, _causes(group.evidence, stated, pairs)),
            "candidates": _candidates(group.evidence, stated, owners),
        }

    def _mint(self, members: pl.DataFrame) -> pl.DataFrame:
        """A OneID for every group without one, derived from its identifier that was seen first."""
        founders = _first(members, "first_ms", *ORDER)
        one_ids = [
            derive_one_id(self._settings.identity_key, Identifier(namespace, scope, value), value, 0)
            for namespace, scope, value in founders.select(NAMED).iter_rows()
        ]
        made = founders.with_columns(pl.Series("one_id", one_ids, dtype=pl.String))
        founder = pl.col("key").alias("founder_key")
        return made.select(GROUP, "one_id", founder, pl.lit(0).cast(pl.Int32).alias("ordinal"), "first_ms", *ORDER)


@dataclass(frozen=True)
class _Registry:
    """`special`: groups whose OneIDs need the registry's rules; `kept`: groups that keep the OneID they have."""

    special: pl.DataFrame
    kept: pl.DataFrame


def _members(evidence: pl.DataFrame, stated: pl.DataFrame) -> pl.DataFrame:
    """The linking identifiers of each group with their first and last sighting."""
    seen = evidence.with_row_index("row").select("row", "first_ms", "last_ms")
    linking = stated.filter("linking").join(seen, on="row")
    return linking.group_by(GROUP, "key").agg(
        *(pl.col(name).first() for name in (*ORDER, "anonymous")),
        pl.col("first_ms").min(),
        pl.col("last_ms").max(),
    )


def _orphans(group: Group, stated: pl.DataFrame) -> pl.DataFrame:
    """Groups the registry knows that no linking evidence is left of."""
    known = pl.concat([frame.select(GROUP) for frame in (group.homes, group.records, group.placed)]).unique()
    return known.join(stated.filter("linking").select(GROUP), on=GROUP, how="anti")


def _registry(group: Group, members: pl.DataFrame) -> _Registry:
    """Who keeps a OneID: groups all of whose homes lead to one living OneID already, and nothing else changed."""
    present = members.select(GROUP, "key")
    names = pl.concat([present, group.aliases.select(GROUP, pl.col("form_key").alias("key"))])
    homes = group.homes.join(present.select(GROUP).unique(), on=GROUP, how="semi")
    records = group.records.join(present.select(GROUP).unique(), on=GROUP, how="semi")
    placed = group.placed.join(present.select(GROUP).unique(), on=GROUP, how="semi")
    lost = pl.concat([homes.select(GROUP, "key"), placed.select(GROUP, "key")]).join(
        names, on=[GROUP, "key"], how="anti"
    )
    at_home = homes.select(GROUP, one_id="home").unique().join(records, on=[GROUP, "one_id"], how="left")
    kept = _first(at_home, "mint_seq").select(GROUP, "one_id", "status")
    unsettled = _unsettled_records(records, at_home, kept)
    moved = placed.join(kept.select(GROUP, kept="one_id"), on=GROUP, how="left").filter(
        ~pl.col("one_id").eq_missing(pl.col("kept"))
    )
    dead = kept.filter(~pl.col("status").is_in(LIVING).fill_null(value=False))
    special = pl.concat([frame.select(GROUP) for frame in (lost, unsettled, moved, dead)]).unique()
    return _Registry(special, kept.join(special, on=GROUP, how="anti"))


def _unsettled_records(records: pl.DataFrame, at_home: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """OneIDs of a group, other than the one it keeps, that do not redirect to it or rest in peace."""
    others = records.join(kept.select(GROUP, kept="one_id"), on=GROUP, how="left").filter(
        ~pl.col("one_id").eq_missing(pl.col("kept"))
    )
    homed = at_home.select(GROUP, "one_id", homed=pl.lit(value=True))
    joined = others.join(homed, on=[GROUP, "one_id"], how="left")
    settled = (pl.col("merged_into") == pl.col("kept")) | ((pl.col("status") == "retired") & pl.col("homed").is_null())
    return joined.filter(~settled.fill_null(value=False))


def _pairs(evidence: pl.DataFrame, stated: pl.DataFrame) -> pl.DataFrame:
    """Every pair of each row: all linking identifiers with each other, of a long row with the first in the order key.
    `label` is the rule that a role makes."""
    linking = stated.filter("linking").sort("row", *ORDER)
    linking = linking.with_columns(place=pl.int_range(pl.len()).over("row"), size=pl.len().over("row"))
    ends = linking.select("row", GROUP, "key", "place", "size", label=_role_label())
    links = ends.join(ends.select("row", other="key", other_place="place", other_label="label"), on="row")
    within = (pl.col("place") < pl.col("other_place")) & ((pl.col("size") <= LARGEST_FULL_ROW) | (pl.col("place") == 0))
    paired = links.filter(within).with_columns(label=pl.coalesce("label", "other_label"))
    facts = evidence.with_row_index("row").drop(GROUP, "ids")
    return paired.select("row", GROUP, "key", "other", "label").join(facts, on="row")


def _role_label() -> pl.Expr:
    return pl.concat_str(pl.col("role_label"), pl.lit("_"), pl.col("role"))


def _edge_rows(pairs: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    rule = pl.when(pl.col("rule") != "").then(pl.col("rule")).otherwise(pl.coalesce("label", "kind"))
    a, b = pl.min_horizontal("key", "other").alias("a_key"), pl.max_horizontal("key", "other").alias("b_key")
    ordered = pairs.with_columns(a, b, made=rule)
    begun = (
        ordered.sort("first_ms", "source", "first_observation")
        .group_by("a_key", "b_key")
        .agg(
            pl.col("made").first().alias("rule"),
            pl.col("source").unique().sort().alias("sources"),
            pl.col("first_ms").first(),
            pl.col("sightings").sum(),
            pl.concat_str("source", pl.lit("/"), "first_observation").first().alias("first_observation"),
        )
    )
    ended = (
        ordered.sort("last_ms", "source", "last_observation")
        .group_by("a_key", "b_key")
        .agg(
            pl.col("last_ms").last(),
            pl.concat_str("source", pl.lit("/"), "last_observation").last().alias("last_observation"),
        )
    )
    names = members.select("key", name=written())
    rows = begun.join(ended, on=["a_key", "b_key"]).with_columns(status=pl.lit("live"))
    rows = rows.join(names.rename({"key": "a_key", "name": "a_identifier"}), on="a_key")
    return rows.join(names.rename({"key": "b_key", "name": "b_identifier"}), on="b_key")


def written() -> pl.Expr:
    """An identifier as text, namespace:scope:value."""
    return pl.concat_str("namespace", pl.lit(":"), "scope", pl.lit(":"), "value")


def _map_rows(members: pl.DataFrame, owners: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    rows = members.join(owners, on=GROUP).select(
        pl.col("key").alias("identifier_key"),
        *NAMED,
        "one_id",
        pl.lit("active").alias("status"),
        pl.col("first_ms").alias("from_ms"),
        pl.lit(None, pl.Int64).alias("to_ms"),
        "first_ms",
        "last_ms",
        GROUP,
        pl.lit(None, pl.List(pl.String)).alias("candidates"),
    )
    return pl.concat([rows, alias_rows(rows, aliases)])


def alias_rows(rows: pl.DataFrame, aliases: pl.DataFrame) -> pl.DataFrame:
    """The rows of numbers once more under every hashed form that was seen of them."""
    forms = aliases.select(
        pl.col("key").alias("identifier_key"),
        pl.col("form_key"),
        *(pl.col(f"form_{name}") for name in NAMED),
    )
    joined = rows.join(forms, on="identifier_key")
    names = [pl.col(f"form_{name}").alias(name) for name in NAMED]
    return joined.with_columns(pl.col("form_key").alias("identifier_key"), *names).select(rows.columns)


def _new_homes(members: pl.DataFrame, owners: pl.DataFrame, homes: pl.DataFrame) -> pl.DataFrame:
    new = members.select(GROUP, "key").join(homes, on=[GROUP, "key"], how="anti").join(owners, on=GROUP)
    return new.select(pl.col("key").alias("identifier_key"), pl.col("one_id").alias("home"))


def _people(members: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Each living OneID with its status and the number of its identifiers."""
    counted = members.group_by(GROUP).agg(pl.len().cast(pl.Int64).alias("identifiers"), pl.col("anonymous").all())
    status = pl.when(pl.col("anonymous")).then(pl.lit("visitor")).otherwise(pl.lit("active"))
    return counted.join(owners, on=GROUP).select("one_id", status.alias("status"), "identifiers")


def _causes(evidence: pl.DataFrame, stated: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The record that caused each group: of its pair that was last seen earliest the least new record, else the first
    new record that links anybody in it."""
    dated = pairs.with_columns(last_ms=pl.col("last_ms").max().over("key", "other")).drop_nulls("new_least")
    paired = _first(dated, "last_ms", "source", "new_least").select(GROUP, "source", record="new_least")
    named = (
        stated.filter("linking")
        .select("row", GROUP)
        .unique()
        .join(evidence.with_row_index("row").drop(GROUP), on="row")
    )
    alone = _first(named.drop_nulls("new_ms"), "new_ms", "source", "new_observation")
    alone = alone.select(GROUP, "source", record="new_observation")
    return pl.concat([paired, alone.join(paired, on=GROUP, how="anti")])


def _first(rows: pl.DataFrame, *order: str) -> pl.DataFrame:
    """The first row of each group."""
    return rows.sort(GROUP, *order).unique(GROUP, keep="first", maintain_order=True)


def _mint_changes(members: pl.DataFrame, minted: pl.DataFrame, causes: pl.DataFrame) -> pl.DataFrame:
    named = members.sort(GROUP, *NAMED).group_by(GROUP, maintain_order=True).agg(written().alias("identifiers"))
    made = minted.select(GROUP, "one_id").join(named, on=GROUP).join(causes, on=GROUP, how="left")
    cause = pl.concat_str(pl.lit("observation:"), "source", pl.lit("/"), "record")
    return made.select(
        pl.lit("mint").alias("change"),
        "one_id",
        pl.lit([], pl.List(pl.String)).alias("others"),
        "identifiers",
        cause.fill_null("rule:evidence_withdrawn").alias("cause"),
    )


def _candidates(evidence: pl.DataFrame, stated: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """How often each number was seen in a candidate's role with each person that it does not belong to."""
    seen = stated.filter(~pl.col("linking") & ~pl.col("weak").fill_null(value=True))
    linked = stated.filter("linking").select("row").unique()
    own = stated.filter("linking").select(GROUP, "key").unique()
    rows = seen.join(linked, on="row", how="semi").join(own, on=[GROUP, "key"], how="anti")
    kind = pl.when(pl.col("role") == "staff").then(pl.lit("staff_phone")).otherwise(pl.lit("recipient"))
    rows = rows.with_columns(kind=kind).unique(["row", "key", "kind"])
    counted = rows.drop("source").join(
        evidence.with_row_index("row").select("row", "sightings", "first_ms", "last_ms"), on="row"
    )
    totals = counted.group_by(GROUP, "key", "kind").agg(
        *(pl.col(name).first() for name in NAMED),
        pl.col("sightings").sum(),
        pl.col("first_ms").min(),
        pl.col("last_ms").max(),
    )
    return totals.join(owners, on=GROUP).drop(GROUP)
