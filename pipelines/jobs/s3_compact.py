"""Observations as compact evidence: equal statements are one row with first and last sighting and their number.

What links is decided here again, by the policy of the run: a changed role must not wait for its row to come again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

from identity.namespace import DEFAULT_ROLE, Strength
from identity.policy import Policy

OBSERVED = (
    "source",
    "observation_id",
    "kind",
    "event_ms",
    "ids",
    "retracts",
    "valid_to_ms",
    "signature",
    "rule",
    "is_new",
)
STATED = ["signature", "source", "kind", "rule", "retracts", "valid_to_ms"]
EVERY_ROLE = ("unbind", "replace")


class LinkingRules:
    """Which sightings link, by namespace and role, as expressions over the fields of a stated identifier.

    `decided`: keys of identifiers that a decision names; they tie in every role.
    """

    def __init__(self, policy: Policy, decided: Sequence[int] = ()) -> None:
        self.decided = list(decided)
        strong = {name: spec for name, spec in policy.namespaces.items() if spec.strength < Strength.WEAK}
        self.strong = sorted(strong)
        self.always = sorted(name for name, spec in strong.items() if not spec.roles)
        self.by_role = sorted(
            f"{name}\x1f{role}"
            for name, spec in strong.items()
            for role, effect in spec.roles.items()
            if effect == "link"
        )
        self.candidates_tie = policy.promote_recipient_phone

    def links(self) -> pl.Expr:
        """Whether a sighting in a row of kind link or bind links."""
        role = pl.when(pl.col("role") == "").then(pl.lit(DEFAULT_ROLE)).otherwise(pl.col("role"))
        named = pl.concat_str(pl.col("namespace"), pl.lit("\x1f"), role)
        return pl.col("namespace").is_in(self.always) | named.is_in(self.by_role)

    def superseding(self) -> pl.Expr:
        """Whether both ends of a replace count: in every role."""
        return pl.col("namespace").is_in(self.strong)


class ObservationCompactor:
    """The task that compacts one partition: stages `evidence` and, as `pairs`, what must be looked at together."""

    def __init__(self, rules: LinkingRules) -> None:
        self._rules = rules

    def __call__(self, table: pa.Table) -> Mapping[str, pl.DataFrame]:
        evidence = compact(_frame(table.select(list(OBSERVED))), self._rules)
        tied = evidence.filter(pl.col("anchor").is_not_null()).select("anchor", "tied").explode("tied")
        return {"evidence": evidence.drop("tied"), "pairs": tied.select(src="anchor", dst="tied").unique()}


def compact(observations: pl.DataFrame, rules: LinkingRules) -> pl.DataFrame:
    """One row per statement of the frame.

    Adds `sightings`, the first and last one by time, and of the new ones the first by time (`new_ms`,
    `new_observation`) and the first by id (`new_least`); `tied`: keys of the identifiers that must be looked at
    together, the first of them as `anchor` (null for none).
    """
    at, name = pl.col("event_ms"), pl.col("observation_id")
    new = pl.col("is_new")
    grouped = observations.group_by(STATED, maintain_order=False).agg(
        pl.col("ids").first(),
        pl.len().cast(pl.Int64).alias("sightings"),
        at.min().alias("first_ms"),
        name.filter(at == at.min()).min().alias("first_observation"),
        at.max().alias("last_ms"),
        name.filter(at == at.max()).max().alias("last_observation"),
        at.filter(new).min().alias("new_ms"),
        name.filter(new & (at == at.filter(new).min())).min().alias("new_observation"),
        name.filter(new).min().alias("new_least"),
    )
    return _tie(grouped.sort("signature", "source", "rule"), rules)


def _tie(evidence: pl.DataFrame, rules: LinkingRules) -> pl.DataFrame:
    numbered = evidence.with_row_index("row")
    stated = numbered.select("row", "kind", "ids").explode("ids").unnest("ids").drop_nulls("key")
    linking = pl.when(pl.col("kind") == "replace").then(rules.superseding()).otherwise(rules.links())
    stated = stated.with_columns(linking.alias("linking"))
    every = pl.col("kind").is_in(EVERY_ROLE) | pl.lit(rules.candidates_tie) | pl.col("key").is_in(rules.decided)
    ties = pl.col("linking") | every
    fields = pl.struct("namespace", "scope", "value", "role", "linking", "key")
    by_row = stated.group_by("row", maintain_order=True).agg(
        fields.alias("ids"),
        pl.col("key").filter(ties & (pl.col("kind") != "unlink")).unique(maintain_order=True).alias("tied"),
    )
    joined = numbered.drop("ids").join(by_row, on="row", how="left", maintain_order="left")
    return joined.with_columns(anchor=pl.col("tied").list.min()).drop("row")


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.col("retracts").fill_null(""), pl.col("rule").fill_null(""))
