"""An explanation as a tree that a person can read, in English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from identity.business_time import business_day

SHOWN = 3
WORDS = {
    "linked": ("one person, by this chain:", "同一人，依据如下："),
    "apart": ("not one person:", "不是同一人："),
    "nothing": ("nothing ever joined the two", "从未有任何证据把两者联系在一起"),
    "same": ("both are the same identifier", "两者是同一个标识"),
    "rule": ("rule", "规则"),
    "seen": ("seen", "出现于"),
    "to": ("to", "至"),
    "observations": ("observations", "证据"),
    "more": ("more", "条更多"),
    "decision": ("decided by", "决定人"),
    "refused": ("refused by rule", "被规则拒绝"),
}


def explanation_text(answer: Mapping[str, Any], *, chinese: bool = False) -> str:
    """The answer of `explain` as lines; identifiers and records as they are."""
    words = {name: pair[int(chinese)] for name, pair in WORDS.items()}
    if answer["linked"]:
        steps = answer["path"]
        lines = [words["linked"]] if steps else [words["same"]]
        for depth, step in enumerate(steps):
            lines += _step(step, "   " * depth, words)
        return "\n".join(lines)
    if not answer["refused"]:
        return words["nothing"]
    lines = [words["apart"]]
    for one in answer["refused"]:
        lines += _refused(one, words)
    return "\n".join(lines)


def _step(step: Mapping[str, Any], indent: str, words: Mapping[str, str]) -> list[str]:
    lines = [f"{indent}{step['from']}", f"{indent}└─ {step['to']}"]
    detail = [f"{words['rule']} {step['rule']}"]
    if step["first_seen"] is not None:
        days = [business_day(step["first_seen"]), business_day(step["last_seen"])]
        detail.append(f"{words['seen']} {days[0]}" + (f" {words['to']} {days[1]}" if days[0] != days[1] else ""))
    lines.append(f"{indent}   · {', '.join(detail)}")
    if step["observations"]:
        lines.append(f"{indent}   · {words['observations']} {_some(step['observations'], words)}")
    return lines + _decided(step, f"{indent}   ", words)


def _refused(one: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    lines = [f"└─ {one['link'][0]} ✗ {one['link'][1]}", f"   · {words['refused']} {one['rule']}"]
    if one["observations"]:
        lines.append(f"   · {words['observations']} {_some(one['observations'], words)}")
    return lines + _decided(one, "   ", words)


def _decided(one: Mapping[str, Any], indent: str, words: Mapping[str, str]) -> list[str]:
    decision = one.get("decision")
    if not decision:
        return []
    return [f"{indent}· {words['decision']} {decision['actor']}: {decision['reason']} ({decision['id']})"]


def _some(records: list[str], words: Mapping[str, str]) -> str:
    shown = ", ".join(records[:SHOWN])
    rest = len(records) - SHOWN
    return f"{shown} (+{rest} {words['more']})" if rest > 0 else shown
