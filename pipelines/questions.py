"""Questions of the review queue as a steward decides them: per candidate what speaks for and against it, and how."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from identity.business_time import business_day
from identity.decision import Decision
from identity.identifier import Identifier, parse_identifier
from identity.resolution import Edge
from pipelines.group_evidence import LakeReader, read_groups

Plain = dict[str, Any]
SHOWN = 3


def with_choices(
    reader: LakeReader, decisions: Sequence[Decision], questions: Iterable[Plain], as_of: str
) -> list[Plain]:
    """The questions, each with a choice per candidate: the links that speak for it and against it (those to somebody
    else), and the commands that accept and reject it. `as_of`: business day of the last stitch."""
    return [one | {"choices": _choices(reader, decisions, one, as_of)} for one in questions]


def _choices(reader: LakeReader, decisions: Sequence[Decision], question: Plain, as_of: str) -> list[Plain]:
    asked = parse_identifier(question["identifier"])
    groups = read_groups(reader, (asked,), decisions)
    name = groups.names.get(asked, asked)
    edges = [edge for edge in groups.resolve(reader, as_of).edges if name in (edge.a, edge.b)]
    links = [(edge.b if edge.a == name else edge.a, edge) for edge in edges]
    placed = reader.current([asked, *(partner for partner, _ in links)])
    owner = {identifier: row["one_id"] for identifier, row in placed.items() if row["one_id"]}
    choices = []
    for one_id in question["candidates"] or ():
        speaking = [_shown(partner, edge) for partner, edge in links if owner.get(partner) == one_id]
        other = [
            _shown(partner, edge) | {"one_id": owner[partner]}
            for partner, edge in links
            if owner.get(partner) not in (None, one_id)
        ]
        partner = speaking[0]["identifier"] if speaking else _strongest(reader, one_id)
        if partner and owner.get(asked) != one_id:
            choices.append(
                {
                    "one_id": one_id,
                    "for": speaking,
                    "against": other,
                    "accept": shlex.join(["cdp", "steward", "must-link", question["identifier"], partner]),
                    "reject": shlex.join(["cdp", "steward", "cannot-link", question["identifier"], partner]),
                }
            )
    return choices


def _shown(partner: Identifier, edge: Edge) -> Plain:
    return {
        "identifier": str(partner),
        "rule": edge.rule,
        "refusal": edge.refusal,
        "observations": [f"{source}/{observation}" for source, observation in edge.observations],
        "first_seen": edge.first_ms,
        "last_seen": edge.last_ms,
    }


def _strongest(reader: LakeReader, one_id: str) -> str:
    """The strongest identifier of a person, empty when nothing is left of it."""
    rows = reader.rows("identity.oneid_map", "valid_to IS NULL AND one_id = $one_id", {"one_id": one_id})
    named = [Identifier(row["namespace"], row["scope"], row["value"]) for row in rows]
    return str(min(named, key=reader.order().key)) if named else ""


def question_text(question: Plain) -> str:
    """A question with its choices as lines."""
    lines = [f"{question['kind']:12s} {question['identifier']}  {question['evidence']}"]
    for choice in question["choices"]:
        lines.append(f"    {choice['one_id']}")
        lines += [f"        for      {_link_text(link)}" for link in choice["for"]]
        lines += [f"        against  {_link_text(link)} of {link['one_id']}" for link in choice["against"]]
        lines += [f"        {word}   {choice[word]}" for word in ("accept", "reject")]
    return "\n".join(lines)


def _link_text(link: Plain) -> str:
    records = link["observations"]
    more = f" (+{len(records) - SHOWN} more)" if len(records) > SHOWN else ""
    seen = "" if link["last_seen"] is None else f", last seen {business_day(link['last_seen'])}"
    return f"{link['identifier']}: {link['refusal'] or link['rule']}, {', '.join(records[:SHOWN])}{more}{seen}"
