"""One stitch of a lake: what it works with, whichever way it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from identity.decision import Decision
from identity.identifier import Identifier, key64, parse_identifier
from identity.policy import Policy
from pipelines.jobs.s3_compact import LinkingRules
from pipelines.jobs.s3_components import ComponentsRun
from pipelines.jobs.s3_marker import Marker
from pipelines.store.versions import dataset
from pipelines.tables import ALL

MAP = ALL["identity.oneid_map"]
HOMES = ALL["identity.homes"]
ONEIDS = ALL["identity.oneids"]
DECISIONS = ALL["identity.steward_decisions"]
EDGES = ALL["identity.edges"]
HUBS = ALL["identity.hubs"]
REVIEW = ALL["identity.review_queue"]
REJECTIONS = ALL["identity.rejections"]
CHANGES = ALL["identity.oneid_changes"]
CLAIMS = ALL["identity.claims"]
OBSERVATIONS = ALL["silver.identity_observations"]
VAULT = ALL["silver.pii_vault"]
RECORD = ["source", "observation_id"]
CHANGE_ORDER = ("mint", "merge", "split", "move")
ROW_RULES = ("two_anchor_values", "replace_cycle", "cannot_link", "detach")
"""Rules that refuse a row for what its group is, beside `limit:...`; they come and go with the group."""


@dataclass(frozen=True)
class Work:
    """One stitch: the lake's folder, under which policy, for which business day.

    `run`: its number; `last`: the last finished run; `trigger`: what causes every change of it (empty: evidence and
    decisions do); `full`: all groups are looked at; `staging`: a folder of its own for staged files; `before`: versions
    of the stitcher's tables at its begin.
    """

    root: Path
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
            revoked_reason=row.get("revoked_reason") or "",
        )
        for row in sorted(rows, key=lambda row: row["decision_id"])
    )


def with_decisions(work: Work) -> Work:
    """The work with the lake's decisions, and which of them the last run did not know as they are now."""
    now = decisions_of(work.root)
    known = set(decisions_of(work.root, work.last.version(DECISIONS))) if work.last else set()
    return replace(work, decisions=now, new_decisions=frozenset(one.decision_id for one in now if one not in known))


def decision_ends(decision: Decision) -> tuple[Identifier, ...]:
    """Every identifier a decision speaks about."""
    return (decision.a, *(other for _, other in decision.pairs))
