"""A stitch carried out in this process: the same rules and the same tables as on the cluster, without a JVM.

Chosen for every lake whose evidence fits into memory, and for the day's work of any lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import polars as pl

from identity.identifier import key64
from pipelines.jobs.s3_answers import Rows, answer_rows, frames
from pipelines.jobs.s3_compact import compact
from pipelines.jobs.s3_local_scope import (
    ROWS,
    Evidence,
    decision_pairs,
    ended,
    find_aliases,
    groups_of,
    pairs_of,
    registry_pairs,
    rows_of_groups,
    touched_groups,
    touching_ties,
    unlinks,
)
from pipelines.jobs.s3_plain import PlainResolver, PlainSettings
from pipelines.jobs.s3_screen import GROUP, Group
from pipelines.jobs.s3_special import GroupRows, SpecialResolver, SpecialSettings
from pipelines.jobs.s3_work import HOMES, MAP, ONEIDS, RECORD, Work, decision_ends
from pipelines.store.local import LocalLake

ROWS_PER_WORKER = 30_000
KINDS = ("evidence", "homes", "records", "placed", "aliases")


@dataclass(frozen=True)
class LocalAnswers:
    """The answers for the groups a run looked at, by name; `nodes`: their identifiers (`key`, `component`)."""

    work: Work
    frames: Mapping[str, pl.DataFrame]
    nodes: pl.DataFrame


def resolve_local(lake: LocalLake, work: Work, evidence: Evidence) -> LocalAnswers | None:
    """The answers for every group the work looks at; None when there is nothing to look at."""
    current = _current(lake, work)
    if not work.everything and _nothing_new(work, evidence, current):
        return None
    aliases = find_aliases(lake, evidence.rows)
    unlinked = unlinks(evidence.rows, work.rules)
    if work.everything:
        rows = evidence.rows.filter(pl.col("kind") != "unlink").collect()
        ties = [pairs_of(rows, work.rules), decision_pairs(work, new_only=False), *registry_pairs(lake, work)]
        nodes = groups_of([*ties, aliases.select(src="form_key", dst="key")])
    else:
        known = current.select("key", GROUP)
        nodes = touched_groups(known, touching_ties(work, evidence, current, aliases, unlinked))
        if not nodes.height:
            return None
        standing = [decision_pairs(work, new_only=False), aliases.select(src="form_key", dst="key")]
        rows, nodes = rows_of_groups(evidence.rows, nodes, known, standing, work.rules)
    return LocalAnswers(work, _resolve_groups(lake, work, nodes, rows, aliases, unlinked), nodes)


def _current(lake: LocalLake, work: Work) -> pl.DataFrame:
    """The present rows of the map before the run."""
    rows = lake.scan(MAP, work.before[MAP.full_name]).filter(pl.col("valid_to").is_null())
    columns = ("namespace", "status", "one_id", "last_seen", GROUP)
    return rows.select(pl.col("identifier_key").alias("key"), *columns).collect()


def _nothing_new(work: Work, evidence: Evidence, current: pl.DataFrame) -> bool:
    """Whether neither evidence nor decisions differ from those of the last run, and no validity ended since."""
    if work.new_decisions or evidence.new.height or evidence.removed.height:
        return False
    return not any(ties.height for ties in ended(work, evidence.rows, current))


def _resolve_groups(
    lake: LocalLake,
    work: Work,
    nodes: pl.DataFrame,
    rows: pl.DataFrame,
    aliases: pl.DataFrame,
    unlinked: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    state = _state(lake, work, nodes, aliases, unlinked)
    evidence = compact(rows.select(ROWS), work.rules).drop("tied")
    group = Group(evidence=evidence.join(nodes, left_on="anchor", right_on="key"), **state)
    answers = PlainResolver(PlainSettings(work.policy, work.identity_key))(group)
    special = answers.pop("special")
    groups = pl.concat([special.select(GROUP), state["marks"].select(GROUP)]).unique()
    wanted = rows.join(special.drop_nulls("signature").unique(), on="signature")
    withdrawing = unlinked.join(nodes, left_on="anchor", right_on="key").join(groups, on=GROUP, how="semi")
    given = {kind: frame.join(groups, on=GROUP, how="semi") for kind, frame in state.items() if kind != "marks"}
    columns = (GROUP, *ROWS)
    given["evidence"] = pl.concat([wanted.select(columns), withdrawing.unique([GROUP, *RECORD]).select(columns)])
    ruled = _by_rules(special_settings(work), given)
    return {name: _together(answers.get(name), ruled.get(name)) for name in {*answers, *ruled}}


def _together(plain: pl.DataFrame | None, ruled: pl.DataFrame | None) -> pl.DataFrame:
    if plain is None or ruled is None:
        return pl.concat([frame for frame in (plain, ruled) if frame is not None])
    return pl.concat([plain, ruled.select(plain.columns).cast(plain.schema)])


def _state(
    lake: LocalLake, work: Work, nodes: pl.DataFrame, aliases: pl.DataFrame, unlinked: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """What is known of the groups besides their evidence."""
    homes = lake.scan(HOMES, work.before[HOMES.full_name]).select(key="identifier_key", home="home").collect()
    homes = homes.join(nodes, on="key")
    current = lake.scan(MAP, work.before[MAP.full_name]).filter(pl.col("valid_to").is_null())
    placed = current.select(key="identifier_key", one_id="one_id").drop_nulls().collect().join(nodes, on="key")
    columns = ("one_id", "status", "merged_into", "mint_seq", "founder_key", "ordinal")
    records = lake.scan(ONEIDS, work.before[ONEIDS.full_name]).select(columns).collect()
    founded = records.select("one_id", key="founder_key").join(nodes, on="key").select("one_id", GROUP)
    owners = pl.concat([homes.select(pl.col("home").alias("one_id"), GROUP), founded]).unique()
    ends = pl.Series("key", sorted({key64(*end) for one in work.decisions for end in decision_ends(one)}), pl.Int64)
    marked = pl.concat([pl.DataFrame({"key": ends}), unlinked.select(key="anchor")]).unique()
    return {
        "homes": homes,
        "placed": placed,
        "records": records.join(owners, on="one_id"),
        "aliases": aliases.join(nodes, on="key"),
        "marks": marked.join(nodes, on="key").select(GROUP, reason=pl.lit("decided")),
    }


def special_settings(work: Work) -> SpecialSettings:
    """What the rules need to know of the run."""
    return SpecialSettings(
        policy=work.policy,
        identity_key=work.identity_key,
        run=work.run,
        as_of=work.as_of,
        last_as_of=work.last.as_of if work.last else work.as_of,
        decisions=work.decisions,
        new_decisions=work.new_decisions,
        trigger=work.trigger,
    )


def _by_rules(settings: SpecialSettings, given: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The groups that the rules look at one by one; many of them on two cores."""
    groups = group_rows(given)
    workers = min(2, 1 + given["evidence"].height // ROWS_PER_WORKER)
    if workers == 1:
        return frames(answer_groups(settings, groups))
    shares = [dict(list(groups.items())[start::workers]) for start in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(answer_groups, [settings] * workers, shares))
    names = {name for part in parts for name in part}
    return frames({name: [row for part in parts for row in part.get(name, ())] for name in names})


def group_rows(given: Mapping[str, pl.DataFrame]) -> dict[int, GroupRows]:
    """The rows of each group, by group in order."""
    groups: dict[int, GroupRows] = {}
    for kind in KINDS:
        for row in given[kind].iter_rows(named=True):
            component = row.pop(GROUP)
            getattr(groups.setdefault(component, GroupRows()), kind).append(row)
    return dict(sorted(groups.items()))


def answer_groups(settings: SpecialSettings, groups: Mapping[int, GroupRows]) -> Rows:
    """The answers of the rules for groups, as rows."""
    resolver = SpecialResolver(settings)
    rows: Rows = {}
    for component, group in groups.items():
        _extend(rows, answer_rows(component, group, resolver.answer(group)).items())
    return rows


def _extend(rows: Rows, more: Iterable[tuple[str, list[dict[str, object]]]]) -> None:
    for name, given in more:
        rows.setdefault(name, []).extend(given)
