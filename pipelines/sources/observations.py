"""Identity observations of any other system, in the documented form; registrations of the CRM also become members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from identity.phone import is_mobile
from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import as_object, refuse_stated
from pipelines.sources.fields import integer, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import moment

FEED = "observations"
LEAST_IDS = {"link": 1, "unlink": 0, "bind": 2, "unbind": 2, "replace": 2}
"""The kinds of observations and how many identifiers each needs."""

SHAPE = Shape(
    "observation",
    (
        *("observation_id", "source", "kind", "event_time", "retracts", "valid_to", "attributes"),
        *(f"ids[].{name}" for name in ("namespace", "scope", "value", "role")),
    ),
)
MEMBER_ID = "member_id"


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """An observation is one record."""
    return split_pages(payload, [])


def parse(record: Record) -> Parsed:
    """The observation as it was stated, its form checked and its times in epoch ms."""
    value = as_object(record.value, "observation")
    refuse_stated(value)
    unknown = SHAPE.unknown(value, record.settings.ignored)
    beside = unknown.pop("rest", None)
    if isinstance(beside, Mapping):  # columns of a member list that its mapping does not name
        unknown |= {f"rest.{heading}": cell for heading, cell in beside.items()}
    parsed = Parsed(unknown=unknown)
    stated = _stated(value)
    parsed.observations.append(stated)
    if stated["kind"] == "link" and stated["source"] in record.settings.options.get("member_sources", ()):
        _add_member(parsed, record, stated)
    return parsed


def _stated(value: Mapping[str, Any]) -> dict[str, Any]:
    kind = required(text(value.get("kind")), "kind")
    if kind not in LEAST_IDS:
        raise RecordRefusedError("bad_value", f"kind: expected one of {', '.join(LEAST_IDS)}")
    event_ms = moment(value.get("event_time"), "event_time")
    if event_ms is None:
        raise RecordRefusedError("missing_field", "event_time is required and was absent or empty")
    stated: dict[str, Any] = {
        "observation_id": required(text(value.get("observation_id")), "observation_id"),
        "source": required(text(value.get("source")), "source"),
        "kind": kind,
        "event_time": event_ms,
        "ids": _ids(value.get("ids"), LEAST_IDS[kind]),
    }
    if kind == "unlink":
        stated["retracts"] = required(text(value.get("retracts")), "retracts")
    valid_to = moment(value.get("valid_to"), "valid_to")
    if valid_to is not None:
        stated["valid_to"] = valid_to
    attributes = value.get("attributes")
    if isinstance(attributes, Mapping):
        stated["attributes"] = {name: told for name, told in attributes.items() if told not in (None, "")}
    return stated


def _ids(value: Any, least: int) -> list[dict[str, str]]:
    listed = [] if value is None else value
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise RecordRefusedError("bad_shape", "ids: expected a list of objects with namespace, scope, value and role")
    if len(listed) < least:
        raise RecordRefusedError("missing_field", f"ids: {least} identifiers are required, {len(listed)} were given")
    return [_id(one) for one in listed]


def _id(one: Mapping[str, Any]) -> dict[str, str]:
    """One identifier; an empty value is kept, so that it is refused by the lists and counted there."""
    stated = {
        "namespace": required(text(one.get("namespace")), "ids[].namespace"),
        "scope": text(one.get("scope")) or "",
        "value": text(one.get("value")) or "",
    }
    role = text(one.get("role"))
    if role:
        stated["role"] = role
    return stated


def _add_member(parsed: Parsed, record: Record, stated: Mapping[str, Any]) -> None:
    """The membership that a registration states; level and points where its attributes have them."""
    member = next((one for one in stated["ids"] if one["namespace"] == MEMBER_ID and one["value"]), None)
    if member is None:
        return
    attributes = stated.get("attributes", {})
    number = member["value"]
    parsed.row(
        "silver.members",
        programme="crm",
        programme_scope=member["scope"],
        member_value=Clear("phone", number) if is_mobile(number) else number,
        subject=Subject(MEMBER_ID, member["scope"], number),
        status="member",
        level=text(attributes.get("level")),
        points=integer(attributes.get("points"), "attributes.points"),
        joined_at=moment(attributes.get("joined_at"), "attributes.joined_at") or stated["event_time"],
        updated_at=stated["event_time"],
        version_key=version_key(stated["event_time"], record.digest),
    )


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(feed=FEED, source="observations", split=split, parse=parse, tables=("silver.members",)),
)
