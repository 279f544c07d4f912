"""Facts that a full snapshot states by silence: group members who are no longer in the list have left, and relations
with customers who are no longer in their guide's list have ended.

Every full listing is remembered, so that a member left at the first listing without them, whether the days came one by
one, all at once or out of order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from pipelines.spec import Table
from pipelines.store.local import LocalLake
from pipelines.store.versioning import FILLED
from pipelines.tables import ALL

FOLLOWS = ALL["silver.contact_follows"]
CHANGES = ALL["silver.contact_follow_changes"]
CONTACT_LISTINGS = ALL["silver.contact_listings"]
QUARANTINE = ALL["silver.quarantine"]
LISTINGS = ALL["silver.group_listings"]
MEMBERS = ALL["silver.group_members"]
MEMBER_CHANGES = ALL["silver.group_member_changes"]
MISSING = "01"
"""Refund rank of a version that says "and then a listing was without them": it sorts right behind the sighting."""

_PARTS = pl.col("version_key").str.split("|").list
_INFERRED = _PARTS.get(2, null_on_oob=True) == MISSING
_MOMENT = _PARTS.get(0).cast(pl.Int64).cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("us", "UTC"))
DELETED, ACTIVE = "deleted", "active"
BEGINNING, JOINING = ("add_way", "state", "oper_userid"), ("join_scene", "invitor_userid", "state")


def _version(rank: str) -> pl.Expr:
    """The version of a row with another refund rank."""
    return pl.concat_str(_PARTS.get(0), _PARTS.get(1), pl.lit(rank), _PARTS.get(3), separator="|")


def listings(groups: pl.DataFrame) -> pl.DataFrame:
    """When which group was listed in full, out of new rows of silver.groups."""
    return groups.drop_nulls("snapshot_at").select("corp_id", "chat_id", listed_at="snapshot_at").unique()


def members_who_left(lake: LocalLake, groups: pl.DataFrame) -> pl.DataFrame:
    """Members of these groups whom a listing leaves out, as rows that they left, where the lake does not say so yet.

    `left_at` is the time of the first listing after they were last seen in the group.
    """
    key = list(MEMBERS.key)
    inferred = (pl.col("status") == "left") & _INFERRED
    of_groups = groups.lazy().select("corp_id", "chat_id").unique()
    members = lake.scan(MEMBERS).join(of_groups, on=["corp_id", "chat_id"], how="semi")
    seen = members.filter((pl.col("status") == "in") | inferred).with_columns(__seen=_MOMENT)
    later = seen.select(*key, "__seen").join(lake.scan(LISTINGS), on=["corp_id", "chat_id"])
    first = later.filter(pl.col("listed_at") > pl.col("__seen")).group_by(key).agg(__left=pl.col("listed_at").min())
    stands = (pl.col("status") == "left") & pl.col("left_at").eq_missing(pl.col("__left"))
    left = seen.join(first, on=key).filter(~stands)
    return (
        left.with_columns(status=pl.lit("left"), left_at="__left", updated_at="__left", version_key=_version(MISSING))
        .select(MEMBERS.column_names)
        .collect()
    )


def relations_that_ended(lake: LocalLake, corps: Sequence[str]) -> pl.DataFrame:
    """Relations of these corps that ended although they were seen since, as rows that they did, where the lake does not
    say so yet; and relations it says ended so without anything to show for it.

    Whom a guide or customer deleted stays deleted until the relation begins anew: a guide's list goes on to show
    customers who deleted the guide, with the time at which they were added once.

    Of a relation that began anew, how it came about is what that beginning says, never what an earlier one said.

    Whom a complete listing of the guide's customers leaves out is gone then. A listing counts from the business day
    after the relation was last seen, since what is seen again unchanged on one day is kept once, and not where a record
    of its day lies in quarantine: the customer may be in that.
    """
    known = lake.scan(FOLLOWS).filter(pl.col("corp_id").is_in(list(corps)))
    stands = (pl.col("status") == ACTIVE) | _INFERRED
    day_end = _day_start(pl.col("interval") + pl.duration(days=1))
    seen = known.filter(stands).with_columns(__seen=pl.max_horizontal(_MOMENT, day_end)).sort("__seen").collect()
    first = _trusted(lake).sort("listed_at").collect()
    found = seen.join_asof(
        first.select("corp_id", "userid", "listed_at"),
        left_on="__seen",
        right_on="listed_at",
        by=["corp_id", "userid"],
        strategy="forward",
        check_sortedness=False,
    )
    changes = lake.scan(CHANGES).filter(pl.col("corp_id").is_in(list(corps)))
    told = found.join(_last_changes(changes, FOLLOWS, "began", BEGINNING).collect(), on=list(FOLLOWS.key), how="left")
    begun = pl.coalesce(pl.max_horizontal("__begun", "added_at"), _MOMENT)
    deleted = (pl.col("__over") >= begun).fill_null(value=False)
    ended_at = pl.when(deleted).then("__over").otherwise("listed_at")
    gone = ended_at.is_not_null()
    how = pl.when(deleted).then("__how").otherwise(pl.lit(DELETED))
    status = pl.when(gone).then(how).otherwise(pl.lit(ACTIVE))
    anew = _begun_anew(BEGINNING)
    differs = (status != pl.col("status")) | pl.col("ended_at").ne_missing(ended_at)
    for name, value in anew.items():
        differs |= pl.col(name).ne_missing(value)
    return (
        told.filter(differs)
        .with_columns(
            status=status,
            ended_at=ended_at,
            updated_at=pl.coalesce(ended_at, _MOMENT),
            version_key=pl.when(gone).then(_version(MISSING)).otherwise(_version("00")),
            **anew,
        )
        .select(FOLLOWS.column_names)
    )


def members_who_came_back(lake: LocalLake, groups: pl.DataFrame) -> pl.DataFrame:
    """Members of these groups who left and joined again, as rows with how they joined this time, where the lake does
    not say so yet."""
    of_groups = groups.lazy().select("corp_id", "chat_id").unique()
    changes = lake.scan(MEMBER_CHANGES).join(of_groups, on=["corp_id", "chat_id"], how="semi")
    last = _last_changes(changes, MEMBERS, "joined", JOINING)
    told = lake.scan(MEMBERS).join(last, on=list(MEMBERS.key)).collect()
    anew = _begun_anew(JOINING)
    differs = pl.any_horizontal(pl.col(name).ne_missing(value) for name, value in anew.items())
    return told.filter(differs).with_columns(**anew).select(MEMBERS.column_names)


def _begun_anew(beginning: Sequence[str]) -> dict[str, pl.Expr]:
    """The columns that say how something began, beside its `_last_changes`: of what ended and began again, as its last
    beginning says."""
    again = (pl.col("__begun") > pl.col("__over")).fill_null(value=False)

    def rest_of(filled: str) -> str | None:
        rest = {name: version for name, version in json.loads(filled).items() if name not in beginning}
        return json.dumps(rest, separators=(",", ":"), ensure_ascii=False) if rest else None

    anew = {name: pl.when(again).then(f"__{name}").otherwise(name) for name in beginning}
    rest = pl.col(FILLED).map_elements(rest_of, return_dtype=pl.String)
    return anew | {FILLED: pl.when(again).then(rest).otherwise(FILLED)}


def _last_changes(changes: pl.LazyFrame, of: Table, began: str, beginning: Sequence[str]) -> pl.LazyFrame:
    """Per key of a table's rows that ended once: how and when they did last (`__how`, `__over`), when they last began
    (`__begun`), and the columns that say how."""
    key = list(of.key)
    over = changes.filter(pl.col("change") != began).sort("changed_at", "change")
    last = over.unique(key, keep="last", maintain_order=True).select(*key, __how="change", __over="changed_at")
    begun = changes.filter(pl.col("change") == began).sort("changed_at").unique(key, keep="last", maintain_order=True)
    told = begun.select(*key, __begun="changed_at", **{f"__{name}": name for name in beginning})
    return last.join(told, on=key, how="left")


def _trusted(lake: LocalLake) -> pl.LazyFrame:
    """Listings of the day they arrived on, of days whose customers were all read."""
    start = _day_start(pl.col("interval"))
    same_day = pl.col("listed_at").is_between(start, start + pl.duration(days=1), closed="left")
    refused = lake.scan(QUARANTINE).filter((pl.col("feed") == "wecom_contacts") & (pl.col("status") != "replayed"))
    return lake.scan(CONTACT_LISTINGS).filter(same_day).join(refused, on="interval", how="anti")


def _day_start(day: pl.Expr) -> pl.Expr:
    """The instant a business day begins in Asia/Shanghai."""
    return day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") - pl.duration(hours=8)
