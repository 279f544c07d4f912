"""The documents the API takes and gives, as they stand in `openapi.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Text = Annotated[str, Field(max_length=512)]
OneId = Annotated[str, Field(description="A OneID")]
Millis = Annotated[int, Field(description="UTC epoch milliseconds")]
Status = Literal["active", "contested", "held", "hub", "expired", "ambiguous", "unowned", "unknown", "refused"]
AT = "Whose it was then: a business day YYYY-MM-DD (its end), RFC 3339, or epoch milliseconds; without: now"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class IdentifierParts(_Request):
    """An identifier in its three parts; the scope is empty for a global namespace such as `phone`."""

    namespace: Annotated[str, Field(min_length=1, max_length=64)]
    scope: Annotated[str, Field(max_length=128)] = ""
    value: Text
    at: Annotated[str | int | None, Field(description=AT)] = None


class IdentifierText(_Request):
    """What a user typed: `namespace:scope:value`, a phone, an order number, or any identifier's value."""

    identifier: Text
    at: Annotated[str | int | None, Field(description=AT)] = None


def _form(value: Any) -> str | None:
    """Which of the three forms a question has, by the names in it."""
    if isinstance(value, Mapping):
        return "many" if "identifiers" in value else "parts" if "namespace" in value else "text"
    forms: dict[type, str] = {ManyIdentifiers: "many", IdentifierParts: "parts", IdentifierText: "text", str: "plain"}
    return forms.get(type(value))


_FORM = Discriminator(
    _form,
    custom_error_type="lookup_form",
    custom_error_message="an identifier is an object with `namespace` and `value`, or with `identifier`",
)


class ManyIdentifiers(_Request):
    """Several identifiers at once; texts and parts may be mixed."""

    identifiers: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag("plain")]
                | Annotated[IdentifierText, Tag("text")]
                | Annotated[IdentifierParts, Tag("parts")],
                _FORM,
            ]
        ],
        Field(min_length=1, max_length=1_000),
    ]
    at: Annotated[str | int | None, Field(description=f"{AT}; for those without their own")] = None


LookupRequest = Annotated[
    Annotated[IdentifierParts, Tag("parts")]
    | Annotated[IdentifierText, Tag("text")]
    | Annotated[ManyIdentifiers, Tag("many")],
    _FORM,
]


class Found(BaseModel):
    """Whose an identifier is."""

    status: Annotated[Status, Field(description="Status in the identifier map, or why there is no single owner")]
    one_id: Annotated[str | None, Field(description="Living OneID; null when nobody owns the identifier")]
    candidates: Annotated[list[str], Field(description="OneIDs it may belong to, where contested or ambiguous")]
    matched_by: Annotated[Literal["identifier", "phone", "order"] | None, Field(description="How it was found")]
    namespace: str | None
    scope: str | None
    display: Annotated[str | None, Field(description="The identifier as it may be shown; personal data masked")]
    rule: Annotated[str | None, Field(description="Rule that refuses the value")]
    valid_from_ms: Millis | None
    valid_to_ms: Millis | None
    first_seen_ms: Millis | None
    last_seen_ms: Millis | None


class ManyFound(BaseModel):
    """Answers in the order of the question."""

    results: list[Found]


class Identity(BaseModel):
    """An identifier a person owns or owned."""

    namespace: str
    scope: str
    display: Annotated[str, Field(description="Platform ids as they are; personal data masked")]
    personal: bool
    status: str
    valid_from_ms: Millis | None
    valid_to_ms: Millis | None
    first_seen_ms: Millis | None
    last_seen_ms: Millis | None


class Identities(BaseModel):
    """All identifiers of a person."""

    one_id: OneId
    redirected_from: str | None
    identities: list[Identity]


class TagRow(BaseModel):
    """A tag with its reason."""

    tag: str
    value: str
    as_of: Annotated[str, Field(description="Business day since which it holds")]
    reason: str


class Tags(BaseModel):
    """All tags of a person."""

    one_id: OneId
    redirected_from: str | None
    tags: list[TagRow]


class Consent(BaseModel):
    """Consent in force for one purpose."""

    purpose: str
    status: str
    stated_at_ms: Millis | None
    source: str | None
    conflict: Annotated[bool, Field(description="Records of joined people disagree; the most restrictive is in force")]


class PlatformOrders(BaseModel):
    """Paid orders on one platform, or in all; fen."""

    platform: str
    orders: int
    paid_fen: int
    refunded_fen: int
    net_fen: int
    first_at_ms: Millis | None
    last_at_ms: Millis | None


class Orders(BaseModel):
    """Paid orders without internal ones; net is paid minus refunded, freight included."""

    total: PlatformOrders
    by_platform: list[PlatformOrders]


class ProfileDocument(BaseModel):
    """Everything known about a person at a glance."""

    one_id: OneId
    redirected_from: Annotated[str | None, Field(description="The retired OneID that was asked for")]
    status: Literal["active", "visitor"]
    layer: Annotated[str | None, Field(description="Relation layer")]
    minted_on: str | None
    features: Annotated[dict[str, dict[str, Any]], Field(description="Group -> feature -> value")]
    tags: list[TagRow]
    identities: list[Identity]
    consents: list[Consent]
    orders: Orders
    snapshot_id: str
    as_of: Annotated[str, Field(description="Business day the snapshot answers for")]


class TimelineEntry(BaseModel):
    """Something that happened to a person."""

    at_ms: Millis
    kind: str
    ref: str
    source: str | None
    amount_fen: int | None
    detail: dict[str, Any] | None


class Timeline(BaseModel):
    """A page of the timeline, newest first."""

    one_id: OneId
    redirected_from: str | None
    entries: list[TimelineEntry]
    next_cursor: Annotated[str | None, Field(description="Ask with it for the next page; null at the end")]


class SampleMember(BaseModel):
    """Somebody of a segment."""

    one_id: OneId
    layer: str | None


class SegmentPreview(BaseModel):
    """How many people fit, and some of them."""

    count: Annotated[int | str, Field(description="Number of people, or `<10` for a small group")]
    sample: Annotated[list[SampleMember], Field(description="Empty for a small group")]
    snapshot_id: str
    as_of: str


class TagValue(BaseModel):
    """A value of a tag and how many people carry it."""

    tag: str
    value: str
    count: int | str


class FeatureName(BaseModel):
    """A numeric feature that segments may ask ranges of."""

    feature: str
    group: str
    kind: Literal["int", "float", "bool", "time", "date"]


class Vocabulary(BaseModel):
    """What segments can be built from."""

    layers: list[str]
    tags: list[TagValue]
    features: list[FeatureName]


class Health(BaseModel):
    """Whether the process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Which snapshot is served; `problem` set means that a newer one could not be opened."""

    status: Literal["ready"]
    snapshot_id: str
    as_of: str
    built_at_ms: Millis
    problem: str | None


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    hint: str | None = None
    errors: list[dict[str, str]] | None = None
