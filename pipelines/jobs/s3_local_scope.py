"""What a run looks at, worked out in this process: new and changed evidence, and the groups it touches.

A group is everything that was ever stated to belong together. Groups only grow: old ones and new identifiers are nodes
of a small graph, so a day's work follows the day's evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from identity.business_time import DAY_MS, day_end_ms
from identity.claims import RULE as CLAIM_RULE
from identity.claims import SOURCE as CLAIM_SOURCE
from identity.components import connected_components
from identity.identifier import key64
from identity.namespace import PHONE, PHONE_FORMS
from pipelines.jobs.s3_compact import EVERY_ROLE, OBSERVED, LinkingRules
from pipelines.jobs.s3_marker import Marker
from pipelines.jobs.s3_screen import GROUP
from pipelines.jobs.s3_unlinks import root_targets
from pipelines.jobs.s3_work import CLAIMS, HOMES, OBSERVATIONS, ONEIDS, RECORD, VAULT, Work, decision_ends
from pipelines.memory import reused_memory
from pipelines.store.local import LocalLake

ROWS = (*OBSERVED, "interval")
PAIR = {"src": pl.Int64, "dst": pl.Int64}


@dataclass(frozen=True)
class Evidence:
    """All rows that state something (`rows`, lazily), those of them that are new, and rows of then that are gone."""

    rows: pl.LazyFrame
    new: pl.DataFrame
    removed: pl.DataFrame


def read_evidence_rows(lake: LocalLake, marker: Marker | None) -> Evidence:
    """The observations of the lake and what its claims say; `marker`: the last run, None before the first."""
    since = -1 if marker is None else marker.version(OBSERVATIONS)
    change = lake.added_since(OBSERVATIONS, since)
    before, now = lake.scan(OBSERVATIONS, since), lake.scan(OBSERVATIONS)
    if change.appended:
        added = change.rows
        removed = before.limit(0)
    else:
        added = now.join(before.select(RECORD), on=RECORD, how="anti")
        removed = before.join(now.select(RECORD), on=RECORD, how="anti")
        before = before.join(now.select(RECORD), on=RECORD, how="semi")
    claims = _claim_changes(lake, marker)
    new = pl.concat([_shaped(added, is_new=True).collect(), claims["new"]])
    known = pl.concat([_shaped(before, is_new=False), claims["kept"].lazy()])
    gone = pl.concat([_shaped(removed, is_new=False).collect(), claims["gone"]])
    return Evidence(pl.concat([known, new.lazy()]), new, gone)


def _shaped(rows: pl.LazyFrame, *, is_new: bool) -> pl.LazyFrame:
    return rows.with_columns(
        pl.col("retracts").fill_null(""),
        rule=pl.lit(""),
        is_new=pl.lit(is_new),
        interval=pl.col("interval").cast(pl.String),
    ).select(ROWS)


def _claim_changes(lake: LocalLake, marker: Marker | None) -> dict[str, pl.DataFrame]:
    now = claim_rows(lake.scan(CLAIMS).collect())
    before = claim_rows(lake.scan(CLAIMS, -1 if marker is None else marker.version(CLAIMS)).collect())
    key = [*RECORD, "signature", "rule", "event_ms"]
    return {
        "new": now.join(before, on=key, how="anti").with_columns(is_new=pl.lit(value=True)),
        "kept": now.join(before, on=key, how="semi"),
        "gone": before.join(now, on=key, how="anti"),
    }


def claim_rows(claims: pl.DataFrame) -> pl.DataFrame:
    """What claims state: every one its claimant's identifiers, a confirmed one also that the buyer is the same."""
    claimants = claims.with_columns(ids="claimant", rule=pl.lit(""))
    confirmed = claims.filter(pl.col("verdict") == "link").with_columns(
        ids=pl.col("claimant").list.concat("buyer"), rule=pl.lit(CLAIM_RULE)
    )
    both = pl.concat([claimants, confirmed])
    keys = both["ids"].to_list()
    scope = pl.when(pl.col("claim_scope") != "").then("claim_scope")  # what `claim_record` says, for columns
    signatures = [
        key64(CLAIM_SOURCE, rule, ",".join(str(one["key"]) for one in ids or ()))
        for rule, ids in zip(both["rule"].to_list(), keys, strict=True)
    ]
    return both.with_columns(
        pl.Series("signature", signatures, dtype=pl.Int64),
        source=pl.lit(CLAIM_SOURCE),
        observation_id=pl.concat_str(scope, "claim_id", separator=":", ignore_nulls=True),
        kind=pl.lit("link"),
        retracts=pl.lit(""),
        valid_to_ms=pl.lit(None, pl.Int64),
        is_new=pl.lit(value=False),
        interval=pl.col("interval").cast(pl.String),
    ).select(ROWS)


def anchor(rules: LinkingRules) -> pl.Expr:
    """The least key of a row's tied identifiers, null when it ties none; what `s3_compact` says, for whole rows."""
    stated = pl.element().struct
    role = pl.when(stated.field("role") == "").then(pl.lit("recipient")).otherwise(stated.field("role"))
    named = pl.concat_str(stated.field("namespace"), pl.lit("\x1f"), role)
    ties = (
        stated.field("namespace").is_in(rules.always)
        | named.is_in(rules.by_role)
        | stated.field("key").is_in(rules.decided)
        | pl.lit(rules.candidates_tie)
    )
    tied = pl.col("ids").list.eval(stated.field("key").filter(ties)).list.min()
    every = pl.col("ids").list.eval(stated.field("key")).list.min()
    chosen = pl.when(pl.col("kind").is_in(EVERY_ROLE)).then(every).otherwise(tied)
    return pl.when(pl.col("kind") != "unlink").then(chosen)


def tied_keys(rows: pl.LazyFrame, rules: LinkingRules) -> pl.LazyFrame:
    """Every row with every key it ties: the columns of a record, and `key`."""
    stated = rows.filter(pl.col("kind") != "unlink").select(*RECORD, "rule", "kind", "ids").explode("ids").unnest("ids")
    ties = rules.links() | pl.col("kind").is_in(EVERY_ROLE) | pl.col("key").is_in(rules.decided)
    return stated.filter(ties | pl.lit(rules.candidates_tie)).select(*RECORD, "rule", "key")


def rows_of_groups(
    rows: pl.LazyFrame, nodes: pl.DataFrame, known: pl.DataFrame, ties: Sequence[pl.DataFrame], rules: LinkingRules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that tie any of the nodes, and the nodes with whatever else belongs to their groups.

    `known`: `key`, `component` of every identifier of the map; `ties`: those of decisions and hashed forms. The map
    does not know identifiers that only withdrawn rows, candidates or decisions name; they are found here, over as many
    rows as it takes.
    """
    tied = tied_keys(rows, rules).collect()
    record = [*RECORD, "rule"]
    while True:
        inside = tied.join(nodes.select("key"), on="key", how="semi").select(record).unique()
        chosen = rows.join(inside.lazy(), on=record, how="semi").collect()
        present = nodes.select("key")
        members = known.join(known.join(present, on="key", how="semi").select(GROUP).unique(), on=GROUP, how="semi")
        around = [
            frame.join(present.rename({"key": end}), on=end, how="semi") for frame in ties for end in ("src", "dst")
        ]
        grown = groups_of(
            [nodes.select(src=GROUP, dst="key"), members.select(src=GROUP, dst="key"), pairs_of(chosen, rules), *around]
        )
        if grown.height == nodes.height:
            return chosen, grown
        nodes = grown


def pairs_of(rows: pl.DataFrame, rules: LinkingRules) -> pl.DataFrame:
    """The ties of rows as a star around the least key of each: `src`, `dst`; a key alone is a loop."""
    anchored = rows.with_columns(src=anchor(rules)).drop_nulls("src")
    stated = anchored.select("src", "kind", "ids").explode("ids").unnest("ids")
    ties = rules.links() | pl.col("kind").is_in(EVERY_ROLE) | pl.col("key").is_in(rules.decided)
    tied = stated.filter(ties | pl.lit(rules.candidates_tie))
    return tied.select("src", dst="key").unique()


def unlinks(rows: pl.LazyFrame, rules: LinkingRules) -> pl.DataFrame:
    """The unlinks of all rows with the `anchor` of what they finally withdraw; one whose row has not come has none."""
    found = rows.filter(pl.col("kind") == "unlink").collect()
    roots = root_targets(found.select("source", "observation_id", "retracts").iter_rows())
    links = pl.DataFrame(
        roots, schema={"source": pl.String, "observation_id": pl.String, "root": pl.String}, orient="row"
    )
    targets = rows.filter(pl.col("kind") != "unlink").join(
        links.lazy().select("source", observation_id="root").unique(), on=RECORD, how="semi"
    )
    anchored = targets.with_columns(anchor=anchor(rules)).drop_nulls("anchor")
    named = anchored.select("source", "anchor", root="observation_id").collect()
    return found.join(links, on=RECORD).join(named, on=["source", "root"]).drop("root")


def find_aliases(lake: LocalLake, rows: pl.LazyFrame) -> pl.DataFrame:
    """The hashed forms seen in the rows whose number was seen too, each with its number."""
    named = pl.element().struct.field("namespace")
    family = pl.col("ids").list.eval(pl.element().filter(named.is_in([PHONE, *PHONE_FORMS]))).alias("ids")
    seen = rows.select(family).filter(pl.col("ids").list.len() > 0).explode("ids").unnest("ids")
    stated = seen.select("namespace", "scope", "value", "key").unique().collect()
    forms = stated.filter(pl.col("namespace") != PHONE)
    numbers = stated.filter(pl.col("namespace") == PHONE)
    if not forms.height:
        return _alias_columns(forms.join(numbers, on="key", how="semi").with_columns(number=pl.lit("")), numbers)
    known = lake.scan(VAULT).filter(pl.col("kind") == "phone").select(number="token", forms="forms")
    held = known.join(numbers.lazy().select(number="value"), on="number", how="semi")
    vaulted = held.explode("forms").unnest("forms").drop("scope").unique(["namespace", "value"]).collect()
    return _alias_columns(forms.join(vaulted, on=["namespace", "value"]), numbers)


def _alias_columns(forms: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    named = forms.rename({name: f"form_{name}" for name in ("namespace", "scope", "value", "key")})
    return named.join(numbers.with_columns(number="value"), on="number").drop("number")


def decision_pairs(work: Work, *, new_only: bool) -> pl.DataFrame:
    """The ties that decisions make."""
    chosen = [one for one in work.decisions if not new_only or one.decision_id in work.new_decisions]
    ties = {(key64(*one.a), key64(*end)) for one in chosen for end in decision_ends(one)}
    return pl.DataFrame(sorted(ties), schema=PAIR, orient="row")


def registry_pairs(lake: LocalLake, work: Work) -> list[pl.DataFrame]:
    """The ties of the registry: identifiers at home in one OneID, and OneIDs that redirect to another. They matter
    where the evidence that once tied them was erased."""
    homes = lake.scan(HOMES, work.before[HOMES.full_name]).collect()
    records = lake.scan(ONEIDS, work.before[ONEIDS.full_name]).select("one_id", "merged_into", "founder_key").collect()
    heads = homes.group_by("home").agg(pl.col("identifier_key").min().alias("src"))
    living = records.select(merged_into="one_id", dst="founder_key")
    redirects = records.drop_nulls("merged_into").join(living, on="merged_into")
    return [
        homes.join(heads, on="home").select("src", dst="identifier_key"),
        redirects.select(src="founder_key", dst="dst"),
    ]


def groups_of(pairs: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Every key of the pairs with its group, named by its least key: `key`, `component`."""
    ties = pl.concat([frame.select("src", "dst") for frame in pairs])
    with reused_memory():
        found = connected_components(ties["src"].to_numpy(), ties["dst"].to_numpy())
    return pl.DataFrame({"key": found.nodes, GROUP: found.component})


def touched_groups(known: pl.DataFrame, ties: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The identifiers of the groups that the ties touch, each with its group after the run.

    `known`: `key`, `component` of every identifier of the map. Known identifiers stand for their whole group: ties join
    groups, and everybody in them goes along.
    """
    touching = pl.concat([frame.select("src", "dst") for frame in ties]).unique()
    group = pl.coalesce(GROUP, "key").alias("group")
    ends = pl.concat([touching.select(key="src"), touching.select(key="dst")]).unique()
    group_of = ends.join(known, on="key", how="left").select("key", group)
    contracted = touching.join(group_of.rename({"key": "src", "group": "a"}), on="src")
    contracted = contracted.join(group_of.rename({"key": "dst", "group": "b"}), on="dst").select(src="a", dst="b")
    after = groups_of([contracted]).select(group="key", after=GROUP)
    members = known.rename({GROUP: "group"}).join(after, on="group").select("key", pl.col("after").alias(GROUP))
    fresh = group_of.join(known, on="key", how="anti").join(after, on="group")
    return pl.concat([members, fresh.select("key", pl.col("after").alias(GROUP))])


def touching_ties(
    work: Work, evidence: Evidence, current: pl.DataFrame, aliases: pl.DataFrame, unlinked: pl.DataFrame
) -> list[pl.DataFrame]:
    """What happened since the last run, as ties: new and removed rows, unlinks, decisions, forms, ended validity."""
    stated = pairs_of(evidence.new, work.rules)
    retracted = unlinked.select("source", observation_id="retracts")
    late = evidence.new.join(retracted, on=RECORD, how="semi").with_columns(anchor=anchor(work.rules))
    return [
        stated,
        pairs_of(evidence.removed, work.rules),
        decision_pairs(work, new_only=True),
        *_new_forms(current, aliases, stated),
        _loops(unlinked.filter("is_new")["anchor"]),
        _loops(late["anchor"].drop_nulls()),
        *ended(work, evidence.rows, current),
        *_newly_decided(work, evidence.rows),
    ]


def _new_forms(current: pl.DataFrame, aliases: pl.DataFrame, stated: pl.DataFrame) -> list[pl.DataFrame]:
    """Forms that are not in the group of their number yet."""
    known = current.select("key", GROUP)
    pairs = aliases.select(src="form_key", dst="key")
    joined = pairs.join(known.rename({"key": "src", GROUP: "a"}), on="src", how="left")
    joined = joined.join(known.rename({"key": "dst", GROUP: "b"}), on="dst", how="left")
    apart = joined.filter(pl.col("a").is_not_null() | pl.col("b").is_not_null()).filter(
        ~pl.col("a").eq_missing(pl.col("b"))
    )
    unknown = joined.filter(pl.col("a").is_null() & pl.col("b").is_null())
    ends = stated.select("dst").unique()
    new = [unknown.join(ends.rename({"dst": end}), on=end, how="semi") for end in ("src", "dst")]
    return [frame.select("src", "dst") for frame in (apart, *new)]


def ended(work: Work, rows: pl.LazyFrame, current: pl.DataFrame) -> list[pl.DataFrame]:
    """Identifiers whose validity ended since the last run, as loops."""
    if work.last is None or work.last.as_of == work.as_of:
        return []
    end, before = day_end_ms(work.as_of), day_end_ms(work.last.as_of)
    over = rows.filter(pl.col("valid_to_ms").is_between(before + 1, end)).collect()
    ties = [_loops(over.select(anchor(work.rules).alias("key"))["key"].drop_nulls())]
    for name, spec in sorted(work.policy.namespaces.items()):
        if spec.valid_days is not None:
            last = pl.col("last_seen").dt.epoch("ms") + spec.valid_days * DAY_MS
            ending = current.filter((pl.col("namespace") == name) & (pl.col("status") == "active") & (last <= end))
            ties.append(_loops(ending["key"]))
    return ties


def _newly_decided(work: Work, rows: pl.LazyFrame) -> list[pl.DataFrame]:
    """Rows that name, in whatever role, what a new decision is about."""
    new = [one for one in work.decisions if one.decision_id in work.new_decisions]
    keys = sorted({key64(*end) for one in new for end in decision_ends(one)})
    if not keys:
        return []
    named = pl.col("ids").list.eval(pl.element().struct.field("key").is_in(keys)).list.any()
    return [pairs_of(rows.filter(named).collect(), work.rules)]


def _loops(keys: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"src": keys, "dst": keys}, schema=PAIR)
