"""The history of relations between guides and customers, and of stays in groups: every beginning and end that a record
states, with its time.

The state of a relation is one row and its latest version; who was added, deleted and added again is told by these rows,
which no later record takes away. A callback, a pull and a hand-over that tell of one beginning give one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.sources.base import Parsed, Record, Subject, version_key

CHANGES, STAYS = "silver.contact_follow_changes", "silver.group_member_changes"
BEGAN, JOINED = "began", "joined"


def add_change(  # a relation, what happened to it, when, and who says so
    parsed: Parsed, record: Record, subject: Subject, userid: str, *, change: str, at_ms: int, **known: Any
) -> None:
    """A relation began, or ended as `change` says; `known`: how it began, where the record tells."""
    parsed.row(
        CHANGES,
        corp_id=subject.scope,
        external_userid=subject.value,
        subject=subject,
        userid=userid,
        change=change,
        changed_at=at_ms,
        # By its own time, not by when it was seen: pulled again unchanged it is the same row.
        version_key=version_key(at_ms, record.digest),
        **known,
    )


def add_stay(
    parsed: Parsed, record: Record, member: Mapping[str, Any], *, change: str, at_ms: int, **known: Any
) -> None:
    """The member of a group (a row of silver.group_members) joined or left it; `known`: how, where the record tells."""
    place = {name: member[name] for name in ("corp_id", "chat_id", "member_id")}
    version = version_key(at_ms, record.digest)
    parsed.row(STAYS, **place, change=change, changed_at=at_ms, version_key=version, **known)
