"""Why refused values join nobody: what rows of the lake named with them, told without the values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from identity.identifier import Identifier, key64
from identity.masking import hide_numbers
from identity.token import pii_token
from pipelines.group_evidence import OBSERVATIONS, LakeReader, written

Link = dict[str, Any]
Record = tuple[str, str]
REJECTED = "rejected"
"""The family of the tokens in identity.rejections."""


def refused_links(reader: LakeReader, a: str, b: str) -> list[Link]:
    """Two names of which a rule refuses at least one: a link per refused end with its rule and the rows of both."""
    found = [_Named(reader, text) for text in (a, b)]
    both = found[0].records & found[1].records
    shown = [one.shown for one in found]
    return [
        {"link": shown, "rule": one.rule, "observations": sorted(name for _, name in both), "decision": None}
        for one in found
        if one.rule
    ]


def shared_refusals(reader: LakeReader, ends: tuple[Identifier, Identifier]) -> list[Link]:
    """Refused values that rows named with either of two identifiers: a link per end, by value and rule."""
    rows = [_rows_of(reader, end) for end in ends]
    refused = [_rejections(reader, records) for records in rows]
    return [
        {"link": [str(end), label], "rule": rule, "observations": sorted(by_end[label, rule]), "decision": None}
        for label, rule in sorted(refused[0].keys() & refused[1].keys())
        for end, by_end in zip(ends, refused, strict=True)
    ]


class _Named:
    """What a text names: the rule that refuses it (else empty), how it may be shown, and the rows that name it."""

    def __init__(self, reader: LakeReader, text: str) -> None:
        stored = reader.stored(text)
        self.rule = "" if stored else reader.refusal(text)
        if stored is not None:
            self.shown, self.records = str(stored), _rows_of(reader, stored)
            return
        meant = written(text)
        token = pii_token(reader.identity_key, REJECTED, meant.value)
        self.shown = hide_numbers(f"{meant.namespace}:{meant.scope}:") + token
        where = "namespace = $namespace AND value_token = $token"
        rows = reader.rows("identity.rejections", where, {"namespace": meant.namespace, "token": token})
        self.records = {(row["source"], row["observation_id"]) for row in rows}


def _rows_of(reader: LakeReader, identifier: Identifier) -> set[Record]:
    named = "list_contains(list_transform(ids, x -> x.key), $key)"
    rows = reader.rows(OBSERVATIONS, named, {"key": key64(*identifier)})
    return {(row["source"], row["observation_id"]) for row in rows}


def _rejections(reader: LakeReader, records: Iterable[Record]) -> dict[tuple[str, str], set[str]]:
    """By shown value and rule the observations among these records that named it."""
    known = set(records)
    names = sorted({name for _, name in known})
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in reader.rows("identity.rejections", "observation_id IN (SELECT unnest($names))", {"names": names}):
        if (row["source"], row["observation_id"]) in known:
            label = hide_numbers(f"{row['namespace']}:{row['scope']}:") + row["value_token"]
            found[label, row["rule"]].add(row["observation_id"])
    return found
