"""Which groups a run looks at: all of them, or those touched by new, changed, expired or withdrawn evidence.

A group is everything that was ever stated to belong together. Groups only grow: old ones and new identifiers are nodes
of a small graph, so a day's work follows the day's evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from identity.business_time import DAY_MS, day_end_ms
from identity.decision import Decision
from identity.identifier import Identifier, key64, parse_identifier
from identity.policy import Policy
from pipelines.jobs.s3_compact import LinkingRules
from pipelines.jobs.s3_components import ComponentsRun, find_components
from pipelines.jobs.s3_marker import Marker
from pipelines.jobs.s3_observed import Observed, anchored, pairs_of
from pipelines.spec import Table
from pipelines.store.lake import Lake
from pipelines.store.versions import dataset
from pipelines.tables import ALL

MAP = ALL["identity.oneid_map"]
HOMES = ALL["identity.homes"]
ONEIDS = ALL["identity.oneids"]
DECISIONS = ALL["identity.steward_decisions"]
PAIR = "src bigint, dst bigint"


@dataclass(frozen=True)
class Work:
    """One stitch: what it reads, under which policy, for which business day.

    `run`: its number; `last`: the last finished run; `trigger`: what causes every change of it (empty: evidence and
    decisions do); `full`: all groups are looked at; `staging`: a folder of its own for staged files; `before`: versions
    of the stitcher's tables at its begin.
    """

    lake: Lake
    policy: Policy
    identity_key: str
    as_of: str
    run: int
    staging: Path
    last: Marker | None = None
    full: bool = False
    trigger: str = ""
    components: ComponentsRun = field(default_factory=ComponentsRun)
    decisions: tuple[Decision, ...] = ()
    new_decisions: frozenset[str] = frozenset()
    before: Mapping[str, int] = field(default_factory=dict)

    def read(self, table: Table) -> DataFrame:
        """A table as it was before this run, also after the run has written it."""
        version = self.before.get(table.full_name, -1)
        return self.lake.read(table).limit(0) if version < 0 else self.lake.read(table, version=version)

    def existed(self, table: Table) -> bool:
        """Whether a table was there before this run."""
        return self.before.get(table.full_name, -1) >= 0

    @cached_property
    def rules(self) -> LinkingRules:
        """What links under the policy; whatever a decision names ties in every role."""
        return LinkingRules(self.policy, sorted({key64(*end) for one in self.decisions for end in decision_ends(one)}))

    @property
    def everything(self) -> bool:
        """Whether all groups are looked at: asked for, the first run, or another policy than the last one's."""
        return self.full or self.last is None or self.last.policy != self.policy.digest()


def decisions_of(lake: Path, version: int | None = None) -> tuple[Decision, ...]:
    """All decisions of the lake in a folder, at a version of their table if given; needs no JVM."""
    if version is not None and version < 0:
        return ()
    found = dataset(lake, DECISIONS.full_name, version)
    rows = [] if found is None else found.to_table().to_pylist()
    return tuple(
        Decision(
            decision_id=row["decision_id"],
            kind=row["kind"],
            a=parse_identifier(row["a"]),
            b=parse_identifier(row["b"]) if row["b"] else None,
            others=tuple(parse_identifier(text) for text in row["detached_from"] or ()),
            actor=row["actor"],
            reason=row["reason"],
            as_of=str(row["as_of"]),
            revoked_as_of=str(row["revoked_as_of"] or ""),
            revoked_by=row["revoked_by"] or "",
        )
        for row in sorted(rows, key=lambda row: row["decision_id"])
    )


def with_decisions(work: Work) -> Work:
    """The work with the lake's decisions, and which of them the last run did not know as they are now."""
    folder = Path(work.lake.root)
    now = decisions_of(folder)
    known = set(decisions_of(folder, work.last.version(DECISIONS))) if work.last else set()
    return replace(work, decisions=now, new_decisions=frozenset(one.decision_id for one in now if one not in known))


def decision_ends(decision: Decision) -> tuple[Identifier, ...]:
    """Every identifier a decision speaks about."""
    return (decision.a, *(other for _, other in decision.pairs))


def decision_pairs(work: Work, *, new_only: bool) -> DataFrame:
    """The ties that decisions make: `src`, `dst`."""
    chosen = [one for one in work.decisions if not new_only or one.decision_id in work.new_decisions]
    ties = {(key64(*one.a), key64(*end)) for one in chosen for end in decision_ends(one)}
    return work.lake.spark.createDataFrame(sorted(ties), PAIR)


def alias_pairs(aliases: DataFrame | None) -> list[DataFrame]:
    """The ties between hashed forms and their number."""
    return [] if aliases is None else [aliases.select(F.col("form_key").alias("src"), F.col("key").alias("dst"))]


def registry_pairs(work: Work) -> list[DataFrame]:
    """The ties of the registry: identifiers at home in one OneID, and OneIDs that redirect to another. They matter
    where the evidence that once tied them was erased."""
    if not work.existed(HOMES):
        return []
    homes = work.read(HOMES)
    heads = homes.groupBy("home").agg(F.min("identifier_key").alias("src"))
    records = work.read(ONEIDS).select("one_id", "merged_into", "founder_key")
    living = records.select(F.col("one_id").alias("merged_into"), F.col("founder_key").alias("dst"))
    redirects = records.where("merged_into IS NOT NULL").join(living, "merged_into")
    return [
        homes.join(heads, "home").select("src", F.col("identifier_key").alias("dst")),
        redirects.select(F.col("founder_key").alias("src"), "dst"),
    ]


def all_nodes(work: Work, pairs: Sequence[DataFrame]) -> DataFrame:
    """Every identifier with its group, from all ties there are: `key`, `component`."""
    ties = [*pairs, decision_pairs(work, new_only=False), *registry_pairs(work)]
    found = find_components(union(ties), run=work.components)
    return found.select(F.col("node").alias("key"), "component")


def touched_nodes(work: Work, ties: Sequence[DataFrame]) -> DataFrame | None:
    """The identifiers of the groups that the ties touch, each with its group after the run; None when there are none.

    Known identifiers stand for their whole group: ties join groups, and everybody in them goes along.
    """
    touching = union(ties).distinct().persist()
    if touching.isEmpty():
        return None
    known = work.read(MAP).where("valid_to IS NULL").select(F.col("identifier_key").alias("key"), "component")
    ends = touching.select(F.col("src").alias("key")).union(touching.select("dst")).distinct()
    group_of = ends.join(known, "key", "left").select("key", F.coalesce("component", "key").alias("group")).persist()
    contracted = (
        touching.join(group_of.select(F.col("key").alias("src"), F.col("group").alias("a")), "src")
        .join(group_of.select(F.col("key").alias("dst"), F.col("group").alias("b")), "dst")
        .select(F.col("a").alias("src"), F.col("b").alias("dst"))
    )
    after = find_components(contracted, run=work.components).withColumnRenamed("component", "after").persist()
    members = known.join(after, known["component"] == after["node"]).select("key", F.col("after").alias("component"))
    fresh = group_of.join(known, "key", "left_anti").join(after, F.col("group") == F.col("node"))
    return members.unionByName(fresh.select("key", F.col("after").alias("component")))


def touching_ties(work: Work, rows: Observed, aliases: DataFrame | None, unlinked: DataFrame | None) -> list[DataFrame]:
    """What happened since the last run, as ties: new and removed rows, unlinks, decisions, forms, ended validity."""
    ties = [
        pairs_of(rows.rows.where("is_new"), work.rules),
        decision_pairs(work, new_only=True),
        *alias_pairs(aliases),
    ]
    if rows.removed is not None:
        ties.append(pairs_of(rows.removed, work.rules))
    if unlinked is not None:
        ties.append(_loops(unlinked.where("is_new").select("anchor")))
        ties.append(_loops(_newly_retracted(rows, unlinked, work.rules)))
    return [*ties, *ended(work, rows), *_newly_decided(work, rows)]


def _newly_decided(work: Work, rows: Observed) -> list[DataFrame]:
    """Rows that name, in whatever role, what a new decision is about."""
    new = [one for one in work.decisions if one.decision_id in work.new_decisions]
    keys = sorted({key64(*end) for one in new for end in decision_ends(one)})
    if not keys:
        return []
    named = F.exists("ids", lambda stated: stated["key"].isin(keys))
    return [pairs_of(rows.rows.where(named), work.rules)]


def _new_forms(work: Work, aliases: DataFrame | None, stated: DataFrame) -> list[DataFrame]:
    """Forms that are not in the group of their number yet."""
    known = work.read(MAP).where("valid_to IS NULL").select("identifier_key", "component")
    ties = []
    for pairs in alias_pairs(aliases):
        there = [known.toDF(end, f"{end}_group") for end in ("src", "dst")]
        joined = pairs.join(there[0], "src", "left").join(there[1], "dst", "left").persist()
        apart = joined.where("coalesce(src_group, dst_group) IS NOT NULL AND NOT src_group <=> dst_group")
        unknown = joined.where("coalesce(src_group, dst_group) IS NULL")
        ends = stated.select("dst").distinct()
        ties += [apart.select("src", "dst")]
        ties += [unknown.join(ends.toDF(end), end, "left_semi").select("src", "dst") for end in ("src", "dst")]
    return ties


def _newly_retracted(rows: Observed, unlinked: DataFrame, rules: LinkingRules) -> DataFrame:
    """Rows that came after the unlink that withdraws them."""
    targets = unlinked.select("source", F.col("retracts").alias("observation_id")).distinct()
    new = anchored(rows.rows.where("is_new"), rules)
    return new.join(F.broadcast(targets), ["source", "observation_id"], "left_semi").select("anchor")


def ended(work: Work, rows: Observed) -> list[DataFrame]:
    """Identifiers whose validity ended since the last run, as loops."""
    if work.last is None:
        return []
    if work.last.as_of == work.as_of:
        return []
    end, before = day_end_ms(work.as_of), day_end_ms(work.last.as_of)
    stated = anchored(rows.rows.where(F.col("valid_to_ms").between(before + 1, end)), work.rules)
    current = work.read(MAP).where("valid_to IS NULL AND status = 'active'")
    ties = [_loops(stated.select("anchor"))]
    for name, spec in sorted(work.policy.namespaces.items()):
        if spec.valid_days is not None:
            over = F.unix_millis("last_seen") + spec.valid_days * DAY_MS <= end
            ties.append(_loops(current.where((F.col("namespace") == name) & over).select("identifier_key")))
    return ties


def _loops(keys: DataFrame) -> DataFrame:
    return keys.toDF("src").select("src", F.col("src").alias("dst"))


def union(frames: Iterable[DataFrame]) -> DataFrame:
    """The rows of all frames."""
    return reduce(DataFrame.unionByName, frames)
