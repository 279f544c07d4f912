"""A lake's observations for measuring the stitch: shoppers with orders, contacts and verified numbers, some shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from identity.identifier import key64
from pipelines.store.local import LocalLake
from pipelines.tables import ALL

OBSERVATIONS = ALL["silver.identity_observations"]
CHUNK = 200_000
SHARED = 0.02
VERIFIED = 0.7
ORDERS = 2
NEW_ACCOUNT = 0.3
FOREIGN_NUMBER = 0.05
MS_PER_DAY = 86_400_000
FIRST_MS = 1_735_660_800_000

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Kind:
    """A kind of identifier: how its namespace is scoped, and in which role it is seen."""

    namespace: str
    scope: str
    role: str = ""


DOUYIN = Kind("doudian_open_id", "app1")
SECOND = Kind("doudian_open_id", "app2")
BUYER = Kind("phone", "", "buyer")
VERIFIER = Kind("phone", "", "verified")
UNION = Kind("wx_unionid", "op1")
CONTACT = Kind("wecom_external_userid", "corp1")
OPENID = Kind("wx_openid", "wx0000000000000001")


def write_history(lake: LocalLake, people: int, interval: str) -> int:
    """The first evidence of so many people is in the lake; gives the number of observations.

    Everybody has two orders under one account and number, and is a contact; seven in ten verified the number in the
    mini-program; two in a hundred use the number of somebody else.
    """
    rng = np.random.default_rng(11)
    written = 0
    for start in range(0, people, CHUNK):
        who = np.arange(start, min(people, start + CHUNK), dtype=np.int64)
        number = np.where(rng.random(who.size) < SHARED, np.maximum(who - 1, 0), who)
        told = rng.random(who.size) < VERIFIED
        frames = [_rows("douyin_orders", f"o{order}", who, [(DOUYIN, who), (BUYER, number)]) for order in range(ORDERS)]
        frames.append(_rows("wecom_contacts", "c", who, [(UNION, who), (CONTACT, who)]))
        seen = [(OPENID, who[told]), (UNION, who[told]), (VERIFIER, number[told])]
        frames.append(_rows("miniprogram_phones", "p", who[told], seen))
        written += _append(lake, frames, interval, 0)
    return written


def write_day(lake: LocalLake, people: int, orders: int, day: int, interval: str) -> int:
    """So many of the people order again: some under a new account, some with the number of a stranger."""
    rng = np.random.default_rng(100 + day)
    who = np.sort(rng.choice(people, orders, replace=False)).astype(np.int64)
    moved, lent = rng.random(who.size) < NEW_ACCOUNT, rng.random(who.size) < FOREIGN_NUMBER
    number = np.where(lent, rng.integers(0, people, who.size), who)
    frames = [
        _rows("douyin_orders", f"n{day}", who[~moved], [(DOUYIN, who[~moved]), (BUYER, number[~moved])]),
        _rows("douyin_orders", f"m{day}", who[moved], [(SECOND, who[moved]), (BUYER, number[moved])]),
        _rows("miniprogram_phones", f"v{day}", who[lent], [(UNION, who[lent]), (VERIFIER, number[lent])]),
    ]
    return _append(lake, frames, interval, day)


def _rows(source: str, name: str, who: Numbers, stated: Sequence[tuple[Kind, Numbers]]) -> pl.DataFrame:
    """An observation of each person that states these identifiers."""
    ids = [_stated(kind, numbers) for kind, numbers in stated]
    frame = pl.DataFrame({"who": who, **{f"id{place}": column for place, column in enumerate(ids)}})
    places = [f"id{place}" for place in range(len(ids))]
    told = pl.struct(pl.lit(source).alias("source"), *places)
    return frame.select(
        source=pl.lit(source),
        observation_id=pl.lit(name) + pl.lit(":") + pl.col("who").cast(pl.String),
        kind=pl.lit("link"),
        ids=pl.concat_list(places),
        signature=told.hash(seed=7).reinterpret(signed=True),
    )


def _stated(kind: Kind, numbers: Numbers) -> pl.Series:
    values = [f"{number:024d}" for number in numbers.tolist()]
    keys = [key64(kind.namespace, kind.scope, value) for value in values]
    frame = pl.DataFrame({"value": values, "key": keys}, schema={"value": pl.String, "key": pl.Int64})
    return frame.select(
        namespace=pl.lit(kind.namespace),
        scope=pl.lit(kind.scope),
        value="value",
        role=pl.lit(kind.role),
        linking=pl.lit(value=True),
        key="key",
    ).to_struct()


def _append(lake: LocalLake, frames: list[pl.DataFrame], interval: str, day: int) -> int:
    rows = pl.concat(frames).with_columns(
        event_ms=pl.lit(FIRST_MS + day * MS_PER_DAY, pl.Int64),
        interval=pl.lit(interval).str.to_date(),
        retracts=pl.lit(None, pl.String),
        valid_to_ms=pl.lit(None, pl.Int64),
        clamped=pl.lit(value=False),
        content_hash=pl.lit("-"),
    )
    lake.append(OBSERVATIONS, rows.select(column.name for column in OBSERVATIONS.columns))
    return rows.height


def lake_in(folder: Path) -> LocalLake:
    """An empty lake in a folder."""
    return LocalLake(folder / "lake")
