"""The one form in which identifiers are compared, and the rules that refuse values which identify nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from identity.identifier import Identifier
from identity.namespace import PHONE_FORMS, NamespaceSpec, Strength
from identity.phone import digit_runs, is_digit_run, normalise_phone
from identity.policy import Policy, RejectRules
from identity.token import phone_hashes

LONGEST_VALUE = 512
_MASK = re.compile(r"[*＊]{2}")
_HEX = {"sha256_hex": re.compile(r"[0-9a-f]{64}"), "md5_hex": re.compile(r"[0-9a-f]{32}")}


class Reading(NamedTuple):
    """An identifier in its one form, or as it was written with the rule that refuses it (else `refusal` is empty)."""

    identifier: Identifier
    refusal: str


def normalise_corp(scope: str) -> str:
    """A WeCom corp id: plain ones ignore case, encrypted ones (`wp...`) do not.

    >>> normalise_corp("WW0000000000000001"), normalise_corp("wpAbC")
    ('ww0000000000000001', 'wpAbC')
    """
    return scope if scope.startswith("wp") else scope.lower()


def normalise_scope(scope: str, spec: NamespaceSpec) -> str:
    """The scope as compared: empty for a global namespace, trimmed, a colon as %3A so that the text form stays unique.

    >>> normalise_scope(" shop:1 ", NamespaceSpec("tmall_ouid", scoped=True))
    'shop%3A1'
    >>> normalise_scope("anything", NamespaceSpec("phone"))
    ''
    """
    if not spec.scoped:
        return ""
    text = scope.strip().replace(":", "%3A")
    if spec.scope_normaliser == "corp":
        return normalise_corp(text)
    return text.lower() if spec.scope_normaliser == "lower" else text


def normalise_value(value: str, normaliser: str) -> tuple[str, str]:
    """The value as compared and the rule that refuses it, one of them empty.

    >>> normalise_value(" oAbC ", "exact")
    ('oAbC', '')
    >>> normalise_value("not hex", "md5_hex")
    ('', 'malformed')
    >>> normalise_value("138****5678", "exact")
    ('', 'masked')
    """
    text = value.strip()
    if normaliser == "phone_cn":
        return normalise_phone(text)
    if normaliser in _HEX:
        text = text.lower()
        return (text, "") if _HEX[normaliser].fullmatch(text) else ("", "malformed")
    if not text or len(text) > LONGEST_VALUE:
        return "", "malformed"
    if _MASK.search(text):
        return "", "masked"
    return (text.lower() if normaliser == "lower" else text), ""


def normalise_identifier(raw: Identifier, policy: Policy) -> Reading:
    """An identifier in its one form, or the rule that refuses it.

    Rules: `undeclared_namespace`, `never`, `reject_value`, `reject_pattern`, `digit_run`, `missing_scope`, `malformed`
    (empty or too long, a phone or hash that is none), `masked`, and for phones `landline`, `virtual_number`.
    """
    spec = policy.spec(raw.namespace)
    if spec is None:
        return Reading(raw, "undeclared_namespace")
    if spec.strength is Strength.NEVER:
        return Reading(raw, "never")
    rules = policy.reject_rules[spec.name]
    refusal = _refused_as_written(raw.value, rules)
    scope = normalise_scope(raw.scope, spec)
    value, malformed = ("", refusal) if refusal else normalise_value(raw.value, spec.normaliser)
    refusal = refusal or _refused_as_read(value, spec, rules) or malformed
    if refusal:
        return Reading(raw, refusal)
    if spec.scoped and (not scope or scope.casefold() in policy.reject.values):
        return Reading(raw, "missing_scope")
    return Reading(Identifier(raw.namespace, scope, value), "")


def _refused_as_written(value: str, rules: tuple[RejectRules, ...]) -> str:
    text = value.strip()
    if any(text.casefold() in rule.values for rule in rules):
        return "reject_value"
    if any(re.search(pattern, text) for rule in rules for pattern in rule.patterns):
        return "reject_pattern"
    return "digit_run" if any(rule.digit_runs and is_digit_run(text) for rule in rules) else ""


def _refused_as_read(value: str, spec: NamespaceSpec, rules: tuple[RejectRules, ...]) -> str:
    """What the written form hid: a listed number with a country code, or the hash of a listed number."""
    if not value:
        return ""
    if spec.name in PHONE_FORMS:
        return _refused_hashes(rules).get(value, "")
    if any(value.casefold() in rule.values for rule in rules):
        return "reject_value"
    return "reject_pattern" if any(re.search(pattern, value) for rule in rules for pattern in rule.patterns) else ""


@lru_cache(maxsize=64)
def _refused_hashes(rules: tuple[RejectRules, ...]) -> Mapping[str, str]:
    """Hashes of the numbers the lists refuse: a placeholder does not become a person by being hashed."""
    numbers = {run: "digit_run" for rule in rules if rule.digit_runs for run in digit_runs()}
    for value in sorted(value for rule in rules for value in rule.values):
        number = normalise_phone(value).number
        if number:
            numbers[number] = "reject_value"
    return {
        digest: rule
        for number, rule in numbers.items()
        for digests in phone_hashes(number).values()
        for digest in digests
    }
