"""Evidence that needs two facts: decrypted order phones with their order's buyer, and claims with the order they claim.

A decrypted phone makes an observation, once and for all. What a claim says depends on all claims of its order, so
verdicts are worked out anew in every run and kept in identity.claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from identity.business_time import day_end_ms
from identity.claims import Claim, OrderFacts, Verdict, claim_verdict
from identity.identifier import Identifier, key64
from identity.namespace import PHONE
from identity.policy import Policy
from pipelines.keys import unseal
from pipelines.store.lake import Lake, WriteResult
from pipelines.tables import ALL

ORDERS = ALL["silver.orders"]
PHONES = ALL["silver.order_phones"]
ORDER_CLAIMS = ALL["silver.order_claims"]
VAULT = ALL["silver.pii_vault"]
OBSERVATIONS = ALL["silver.identity_observations"]
CLAIMS = ALL["identity.claims"]
ORDER = ["platform", "order_id"]
MASKED = 11
STATED_TYPE = CLAIMS.column("claimant").type
VERDICTS = CLAIMS.ddl().replace(" NOT NULL", "").replace("`interval` date", "`interval` string")
Row = dict[str, Any]


@dataclass(frozen=True)
class Days:
    """The arrival intervals whose facts are looked at, both ends included; None: all."""

    first: str | None = None
    last: str | None = None

    def within(self) -> Column:
        """Whether a row arrived in these days."""
        return F.col("interval").between(self.first or "0001-01-01", self.last or "9999-12-31")


def observe_order_phones(lake: Lake, policy: Policy, days: Days) -> WriteResult | None:
    """Every decrypted phone of a known order is an observation of its buyer; None when there is no such phone.

    An order that arrives after its phone makes the observation then.
    """
    if not lake.exists(PHONES):
        return None
    orders = lake.read(ORDERS).where("subject_key IS NOT NULL")
    phones = lake.read(PHONES).where("event_at IS NOT NULL")
    if days.first is not None:
        known = phones.where(days.within()).select(*ORDER).union(orders.where(days.within()).select(*ORDER)).distinct()
        orders, phones = (frame.join(known, ORDER, "left_semi") for frame in (orders, phones))
    buyer = orders.select(*ORDER, *[f"subject_{name}" for name in ("namespace", "scope", "value", "key")])
    seen = phones.join(buyer, ORDER).select(
        *(*ORDER, "feed", "phone_token", "role"),
        F.col("interval").cast("string").alias("interval"),
        F.unix_millis("event_at").alias("event_ms"),
        *[f"subject_{name}" for name in ("namespace", "scope", "value")],
    )
    schema = OBSERVATIONS.ddl().replace(" NOT NULL", "").replace("`interval` date", "`interval` string")
    made = seen.mapInArrow(PhoneObserver(policy), schema)
    return lake.append_new(OBSERVATIONS, made, order=["interval"])


class PhoneObserver:
    """The task that turns phones with their buyers into observations."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema(
            [(c.name, _arrow(c.type)) for c in OBSERVATIONS.columns],
        )
        for batch in batches:
            yield pa.RecordBatch.from_pylist([self.observation(row) for row in batch.to_pylist()], schema)

    def observation(self, row: Row) -> Row:
        """One phone of one order as a row of silver.identity_observations."""
        ids = [
            self.stated((row["subject_namespace"], row["subject_scope"], row["subject_value"]), ""),
            self.stated((PHONE, "", row["phone_token"]), row["role"]),
        ]
        latest = day_end_ms(row["interval"])
        keys = [one["key"] for one in ids]
        named = key64("order_phone", row["role"], f"{keys[0]}/{keys[1]}")
        return {
            "source": row["feed"],
            "observation_id": f"phone:{row['platform']}:{row['order_id']}:{named & 0xFFFFFFFFFFFFFFFF:016x}",
            "kind": "link",
            "event_ms": min(row["event_ms"], latest),
            "interval": row["interval"],
            "ids": ids,
            "retracts": "",
            "valid_to_ms": None,
            "clamped": row["event_ms"] > latest,
            "content_hash": f"{named & 0xFFFFFFFFFFFFFFFF:016x}",
            "signature": key64(row["feed"], "order_phone", str(named)),
        }

    def stated(self, identifier: tuple[str, str, str], role: str) -> Row:
        """An identifier as an observation states it."""
        namespace, scope, value = identifier
        spec = self._policy.spec(namespace)
        return {
            "namespace": namespace,
            "scope": scope,
            "value": value,
            "role": role,
            "linking": spec is not None and spec.links(role),
            "key": key64(namespace, scope, value),
        }


_STATED = pa.list_(
    pa.struct(
        [(name, pa.string()) for name in ("namespace", "scope", "value", "role")]
        + [("linking", pa.bool_()), ("key", pa.int64())]
    )
)


def _arrow(spark_type: str) -> pa.DataType:
    known = {"bigint": pa.int64(), "boolean": pa.bool_(), STATED_TYPE: _STATED}
    return known.get(spark_type, pa.string())


def judge_claims(lake: Lake, policy: Policy, vault_key: str) -> WriteResult | None:
    """identity.claims holds the verdict on every claim, by all claims and facts of today; None without any claim."""
    if not lake.exists(ORDER_CLAIMS):
        return None
    claims = lake.read(ORDER_CLAIMS).persist()
    try:
        clear = _clear_phones(lake, vault_key)
        orders = _order_rows(lake, claims, clear)
        made = _claim_rows(lake, claims, clear).join(orders, ORDER, "left")
        grouped = made.groupBy(*ORDER).agg(F.collect_list(F.struct(*made.columns)).alias("rows"))
        return lake.replace(CLAIMS, grouped.mapInArrow(ClaimJudge(policy), VERDICTS))
    finally:
        claims.unpersist()


def _clear_phones(lake: Lake, vault_key: str) -> DataFrame:
    """Phones of the vault by token, for comparing visible digits; they never leave the tasks."""
    sealed = lake.read(VAULT).where("kind = 'phone'").select("token", "cipher")

    def opened(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            tokens, ciphers = batch.column(0).to_pylist(), batch.column(1).to_pylist()
            numbers = [unseal(vault_key, token, cipher) for token, cipher in zip(tokens, ciphers, strict=True)]
            yield pa.RecordBatch.from_arrays(
                [batch.column(0).cast(pa.string()), pa.array(numbers)], ["token", "number"]
            )

    wanted = _wanted_tokens(lake)
    return sealed.join(wanted, "token", "left_semi").mapInArrow(opened, "token string, number string")


def _wanted_tokens(lake: Lake) -> DataFrame:
    """Phones typed in claims, decrypted for claimed orders, or verified by claimants."""
    claims = lake.read(ORDER_CLAIMS)
    typed = claims.select(F.col("phone_token").alias("token"))
    decrypted = lake.read(PHONES).join(claims, ORDER, "left_semi").select(F.col("phone_token").alias("token"))
    verified = _verified(lake, claims).select("token")
    return typed.union(decrypted).union(verified).where("token IS NOT NULL").distinct()


def _verified(lake: Lake, claims: DataFrame) -> DataFrame:
    """Numbers that were verified in one row with a claimant's identifier, in rows that were not withdrawn: `openid` or
    unionid as `name`, `token`."""
    rows = lake.read(OBSERVATIONS)
    withdrawn = rows.where("kind = 'unlink'").select("source", F.col("retracts").alias("observation_id"))
    phones = F.filter("ids", lambda one: (one["namespace"] == PHONE) & (one["role"] == "verified"))
    linking = rows.where(F.col("kind").isin("link", "bind") & (F.size(phones) > 0))
    standing = linking.join(withdrawn, ["source", "observation_id"], "left_anti")
    seen = standing.select(F.explode("ids").alias("one"), phones.alias("phones")).select(
        _name(F.col("one.namespace"), F.col("one.scope"), F.col("one.value")).alias("name"),
        F.explode("phones.value").alias("token"),
    )
    names = claims.select(_claimant_name().alias("name")).union(claims.select(_openid_name().alias("name")))
    return seen.join(names.distinct(), "name", "left_semi").distinct()


def _name(namespace: Column, scope: Column, value: Column) -> Column:
    return F.concat_ws(":", namespace, scope, value)


def _claimant_name() -> Column:
    return _name(F.col("subject_namespace"), F.col("subject_scope"), F.col("subject_value"))


def _openid_name() -> Column:
    return _name(F.lit("wx_openid"), F.col("openid_scope"), F.col("openid"))


def _order_rows(lake: Lake, claims: DataFrame, clear: DataFrame) -> DataFrame:
    """What is known of each claimed order: its buyer, the end of its mask, and its decrypted numbers."""
    claimed = claims.select(*ORDER).distinct()
    buyers = (
        lake.read(ORDERS)
        .join(claimed, ORDER, "left_semi")
        .groupBy(*ORDER)
        .agg(
            F.collect_set(
                F.when(
                    F.col("subject_key").isNotNull(),
                    F.struct("subject_namespace", "subject_scope", "subject_value"),
                )
            ).alias("buyers"),
            F.collect_set("phone_tail").alias("tails"),
        )
    )
    phones = lake.read(PHONES).join(claimed, ORDER, "left_semi").join(clear, F.col("phone_token") == F.col("token"))
    numbers = phones.groupBy(*ORDER).agg(F.collect_set("number").alias("numbers"))
    return buyers.join(numbers, ORDER, "full_outer")


def _claim_rows(lake: Lake, claims: DataFrame, clear: DataFrame) -> DataFrame:
    """Each claim with the number typed in it and those its claimant verified."""
    typed = clear.select(F.col("token").alias("phone_token"), F.col("number").alias("typed"))
    verified = (
        _verified(lake, claims).join(clear, "token").groupBy("name").agg(F.collect_set("number").alias("verified"))
    )
    by_openid = verified.toDF("openid_name", "verified_openid")
    named = claims.withColumns({"name": _claimant_name(), "openid_name": _openid_name()})
    joined = (
        named.join(typed, "phone_token", "left").join(verified, "name", "left").join(by_openid, "openid_name", "left")
    )
    nothing = F.array().cast("array<string>")
    return joined.select(
        *ORDER,
        *(
            "claim_id",
            "subject_namespace",
            "subject_scope",
            "subject_value",
            "openid_scope",
            "openid",
            "status",
            "typed",
        ),
        F.unix_millis("claimed_at").alias("claimed_ms"),
        F.col("interval").cast("string").alias("interval"),
        F.array_union(F.coalesce("verified", nothing), F.coalesce("verified_openid", nothing)).alias("verified"),
    )


class ClaimJudge:
    """The task that decides all claims of one order together, by the rule of `identity.claims`."""

    def __init__(self, policy: Policy) -> None:
        self._observer = PhoneObserver(policy)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(column.name, _arrow(column.type)) for column in CLAIMS.columns])
        for batch in batches:
            rows = [verdict for order in batch.to_pylist() for verdict in self.verdicts(order["rows"])]
            yield pa.RecordBatch.from_pylist(rows, schema)

    def verdicts(self, rows: list[Row]) -> list[Row]:
        """The verdicts on the claims of one order, as rows of identity.claims."""
        claims = [_claim(row) for row in rows]
        facts = _facts(claims[0].order_key, rows[0])
        verified: dict[Identifier, set[str]] = {}
        for claim, row in zip(claims, rows, strict=True):
            for name in claim.claimant:
                verified.setdefault(name, set()).update(row["verified"] or ())
        judged = {one.claim.claim_id: one for one in claim_verdict(claims, facts, verified)}
        return [self._row(claim, facts, judged.get(claim.claim_id)) for claim in claims]

    def _row(self, claim: Claim, facts: OrderFacts, verdict: Verdict | None) -> Row:
        linked = verdict is not None and verdict.outcome == "link" and facts.buyer
        return {
            "claim_id": claim.claim_id,
            "order_key": claim.order_key,
            "verdict": "none" if verdict is None or (verdict.outcome == "link" and not linked) else verdict.outcome,
            "rule": "superseded" if verdict is None else verdict.rule,
            "claimant": [self._observer.stated(name, "") for name in claim.claimant],
            "buyer": [self._observer.stated(name, "") for name in facts.buyer],
            "event_ms": claim.event_ms,
            "interval": claim.interval,
        }


def _claim(row: Row) -> Claim:
    names = {Identifier(row["subject_namespace"], row["subject_scope"], row["subject_value"])}
    if row["openid"]:
        names.add(Identifier("wx_openid", row["openid_scope"] or "", row["openid"]))
    latest = day_end_ms(row["interval"])
    return Claim(
        claim_id=row["claim_id"],
        order_key=f"{row['platform']}:{row['order_id']}",
        claimant=tuple(sorted(names)),
        status=row["status"],
        event_ms=min(row["claimed_ms"] or latest, latest),
        interval=row["interval"],
        observation_id=row["claim_id"],
        phone=row["typed"] or "",
    )


def _facts(order_key: str, row: Mapping[str, Any]) -> OrderFacts:
    buyers = sorted(Identifier(*one.values()) for one in row["buyers"] or () if one)
    masks = sorted(f"{'*' * (MASKED - len(tail))}{tail}" for tail in row["tails"] or () if tail)
    return OrderFacts(order_key, tuple(buyers), tuple(masks), tuple(sorted(row["numbers"] or ())))
