"""Evidence that needs two facts: decrypted order phones with their order's buyer, and claims with the order they claim.

A decrypted phone makes an observation, once and for all. What a claim says depends on all claims of its order, so
verdicts are worked out anew in every run and kept in identity.claims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from identity.business_time import day_end_ms
from identity.claims import Claim, OrderFacts, Verdict, claim_record, claim_verdict
from identity.identifier import Identifier, key64
from identity.namespace import PHONE
from identity.normalise import normalise_identifier
from identity.policy import Policy
from pipelines.keys import unseal
from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.creation import WriteResult
from pipelines.store.local import LocalLake
from pipelines.tables import ALL

ORDERS = ALL["silver.orders"]
PHONES = ALL["silver.order_phones"]
ORDER_CLAIMS = ALL["silver.order_claims"]
VAULT = ALL["silver.pii_vault"]
OBSERVATIONS = ALL["silver.identity_observations"]
CLAIMS = ALL["identity.claims"]
ORDER = ["platform", "order_id"]
MASKED = 11
DRAWN = "phone:"
"""How the observations begin that are drawn from decrypted phones."""

SUBJECT = ["subject_namespace", "subject_scope", "subject_value"]
Row = dict[str, Any]
OrderKey = tuple[str, str]


@dataclass(frozen=True)
class Days:
    """The arrival intervals whose facts are looked at, both ends included; None: all."""

    first: str | None = None
    last: str | None = None

    def within(self) -> pl.Expr:
        """Whether a row arrived in these days."""
        first, last = self.first or "0001-01-01", self.last or "9999-12-31"
        return pl.col("interval").is_between(date.fromisoformat(first), date.fromisoformat(last))


def observe_order_phones(lake: LocalLake, policy: Policy, days: Days) -> WriteResult | None:
    """Every decrypted phone of a known order is an observation of its buyer; None when there is no such phone.

    An order that arrives after its phone makes the observation then.
    """
    if not lake.exists(PHONES):
        return None
    orders = lake.scan(ORDERS).drop_nulls("subject_key")
    phones = lake.scan(PHONES).drop_nulls("event_at")
    if days.first is not None:
        arrived = [frame.filter(days.within()).select(ORDER) for frame in (phones, orders)]
        known = pl.concat(arrived).unique()
        orders, phones = (frame.join(known, on=ORDER, how="semi") for frame in (orders, phones))
    buyer = orders.select(*ORDER, *SUBJECT)
    seen = phones.join(buyer, on=ORDER).select(
        *(*ORDER, "feed", "phone_token", "role", *SUBJECT),
        pl.col("interval").cast(pl.String),
        event_ms=pl.col("event_at").dt.epoch("ms"),
    )
    observer = PhoneObserver(policy)
    made = [observer.observation(row) for row in seen.collect().iter_rows(named=True)]
    return lake.append_new(OBSERVATIONS, _frame(OBSERVATIONS, made), order=["interval"])


class PhoneObserver:
    """Turns phones with their buyers into observations."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

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
            "observation_id": f"{DRAWN}{row['platform']}:{row['order_id']}:{named & 0xFFFFFFFFFFFFFFFF:016x}",
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


def _frame(table: Table, rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(arrow_table(table, rows))


def judge_claims(lake: LocalLake, policy: Policy, vault_key: str) -> WriteResult | None:
    """identity.claims holds the verdict on every claim, by all claims and facts of today; None without any claim."""
    if not lake.exists(ORDER_CLAIMS):
        return None
    claims = lake.scan(ORDER_CLAIMS).sort(ORDER_CLAIMS.key).collect()
    facts = _claim_facts(lake, claims, vault_key)
    judge = ClaimJudge(policy)
    orders: dict[OrderKey, list[Row]] = {}
    for claim in claims.iter_rows(named=True):
        orders.setdefault((claim["platform"], claim["order_id"]), []).append(claim)
    verdicts = [verdict for order in sorted(orders) for verdict in judge.verdicts(orders[order], order, facts)]
    return lake.replace_all(CLAIMS, _frame(CLAIMS, verdicts))


@dataclass(frozen=True)
class ClaimFacts:
    """What is known around the claims: numbers in clear by token, numbers that an identifier's owner verified, buyers,
    ends of masks and decrypted numbers by order. It never leaves this process."""

    numbers: Mapping[str, str]
    verified: Mapping[Identifier, set[str]]
    buyers: Mapping[OrderKey, set[Identifier]]
    tails: Mapping[OrderKey, set[str]]
    phones: Mapping[OrderKey, set[str]]


def _claim_facts(lake: LocalLake, claims: pl.DataFrame, vault_key: str) -> ClaimFacts:
    claimed = claims.select(ORDER).unique().lazy()
    verified = _verified(lake, claims)
    orders = lake.scan(ORDERS).join(claimed, on=ORDER, how="semi").select(*ORDER, *SUBJECT, "phone_tail").collect()
    phones = lake.scan(PHONES).join(claimed, on=ORDER, how="semi").select(*ORDER, "phone_token").collect()
    tokens = pl.concat([claims["phone_token"], phones["phone_token"], verified["token"]]).drop_nulls().unique()
    numbers = _clear_phones(lake, tokens, vault_key)
    facts = ClaimFacts(numbers, {}, {}, {}, {})
    for namespace, scope, value, token in verified.iter_rows():
        _put(facts.verified, Identifier(namespace, scope, value), numbers.get(token))
    for platform, order_id, namespace, scope, value, tail in orders.iter_rows():
        _put(facts.buyers, (platform, order_id), Identifier(namespace, scope, value) if namespace else None)
        _put(facts.tails, (platform, order_id), tail)
    for platform, order_id, token in phones.iter_rows():
        _put(facts.phones, (platform, order_id), numbers.get(token))
    return facts


def _put(found: Any, key: Any, value: Any) -> None:
    if value:
        found.setdefault(key, set()).add(value)


def _clear_phones(lake: LocalLake, tokens: pl.Series, vault_key: str) -> dict[str, str]:
    """Phones of the vault by token, for comparing visible digits."""
    sealed = lake.scan(VAULT).filter(pl.col("kind") == "phone").select("token", "cipher")
    wanted = sealed.join(tokens.to_frame("token").lazy(), on="token", how="semi").collect()
    return {token: unseal(vault_key, token, cipher) for token, cipher in wanted.iter_rows()}


def _verified(lake: LocalLake, claims: pl.DataFrame) -> pl.DataFrame:
    """Numbers that were verified in one row with a claimant's identifier, in rows that were not withdrawn:
    `namespace`, `scope`, `value`, `token`."""
    record = ["source", "observation_id"]
    rows = lake.scan(OBSERVATIONS).select(*record, "kind", "ids", "retracts")
    withdrawn = rows.filter(pl.col("kind") == "unlink").select("source", observation_id="retracts")
    one = pl.element().struct
    phones = pl.col("ids").list.eval(
        one.field("value").filter((one.field("namespace") == PHONE) & (one.field("role") == "verified"))
    )
    linking = rows.filter(pl.col("kind").is_in(["link", "bind"])).with_columns(token=phones)
    standing = linking.filter(pl.col("token").list.len() > 0).join(withdrawn, on=record, how="anti")
    seen = standing.select("ids", "token").explode("ids").explode("token").unnest("ids")
    names = ["namespace", "scope", "value"]
    subjects = claims.select(pl.col(SUBJECT).name.replace("subject_", ""))
    openids = claims.select(pl.lit("wx_openid").alias("namespace"), scope="openid_scope", value="openid")
    claimants = pl.concat([subjects, openids.with_columns(pl.col("scope").fill_null(""))]).drop_nulls().unique()
    return seen.join(claimants.lazy(), on=names, how="semi").select(*names, "token").unique().sort("token").collect()


class ClaimJudge:
    """Decides all claims of one order together, by the rule of `identity.claims`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._observer = PhoneObserver(policy)

    def verdicts(self, rows: Sequence[Row], order: OrderKey, around: ClaimFacts) -> list[Row]:
        """The verdicts on the claims of one order, as rows of identity.claims."""
        claims = [_claim(row, self._claimant(row), around.numbers) for row in rows]
        facts = _facts(order, around)
        verified = {name: around.verified.get(name, set()) for claim in claims for name in claim.claimant}
        # A claim that names nobody has no claimant to weigh: it is listed, and no rival of the others.
        named = [claim for claim in claims if claim.claimant]
        judged = {one.claim.observation_id: one for one in claim_verdict(named, facts, verified)}
        return [
            {"claim_scope": row["claim_scope"], **self._row(claim, facts, judged.get(claim.observation_id))}
            for row, claim in zip(rows, claims, strict=True)
        ]

    def _claimant(self, row: Row) -> tuple[Identifier, ...]:
        """The identifiers that name the claimant; an openid that the policy refuses, or without its app, is none."""
        names = set()
        if row["subject_namespace"]:
            names.add(Identifier(row["subject_namespace"], row["subject_scope"], row["subject_value"]))
        if row["openid"]:
            reading = normalise_identifier(
                Identifier("wx_openid", row["openid_scope"] or "", row["openid"]), self._policy
            )
            if not reading.refusal:
                names.add(reading.identifier)
        return tuple(sorted(names))

    def _row(self, claim: Claim, facts: OrderFacts, verdict: Verdict | None) -> Row:
        linked = verdict is not None and verdict.outcome == "link" and facts.buyer
        return {
            "claim_id": claim.claim_id,
            "order_key": claim.order_key,
            "verdict": "none" if verdict is None or (verdict.outcome == "link" and not linked) else verdict.outcome,
            "rule": verdict.rule if verdict else "superseded" if claim.claimant else "no_claimant",
            "claimant": [self._observer.stated(name, "") for name in claim.claimant],
            "buyer": [self._observer.stated(name, "") for name in facts.buyer],
            "event_ms": claim.event_ms,
            "interval": claim.interval,
        }


def _claim(row: Row, claimant: tuple[Identifier, ...], numbers: Mapping[str, str]) -> Claim:
    interval = str(row["interval"])
    latest = day_end_ms(interval)
    claimed_ms = int(row["claimed_at"].timestamp() * 1000) if row["claimed_at"] else latest
    return Claim(
        claim_id=row["claim_id"],
        order_key=f"{row['platform']}:{row['order_id']}",
        claimant=claimant,
        status=row["status"],
        event_ms=min(claimed_ms, latest),
        interval=interval,
        observation_id=claim_record(row["claim_scope"], row["claim_id"]),
        phone=numbers.get(row["phone_token"] or "", ""),
    )


def _facts(order: OrderKey, around: ClaimFacts) -> OrderFacts:
    masks = sorted(f"{'*' * (MASKED - len(tail))}{tail}" for tail in around.tails.get(order, ()))
    buyers = sorted(around.buyers.get(order, ()))
    return OrderFacts(":".join(order), tuple(buyers), tuple(masks), tuple(sorted(around.phones.get(order, ()))))
