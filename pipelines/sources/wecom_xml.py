"""The fields of a WeCom callback, read from XML that somebody else wrote."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipelines.sources.base import RecordRefusedError

Fields = dict[str, str | list[str]]
MAX_CHARACTERS = 1_000_000


def read_xml(document: str) -> Fields:
    """The elements below the root by name: text, or for lists the texts of their items.

    A document type, entities or anything beyond the limit is refused before it is looked into.

    >>> read_xml("<xml><Id><![CDATA[a]]></Id><List><Item>b</Item><Item>c</Item></List></xml>")
    {'Id': 'a', 'List': ['b', 'c']}
    """
    if len(document) > MAX_CHARACTERS:
        raise RecordRefusedError("xml_too_long", f"more than {MAX_CHARACTERS} characters")
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        raise RecordRefusedError("doctype_refused", "a callback has no document type and no entities")
    try:
        root: Element = fromstring(document.strip(), forbid_dtd=True)
    except DefusedXmlException:
        raise RecordRefusedError("doctype_refused", "a callback has no document type and no entities") from None
    except (ParseError, ValueError) as error:
        place = getattr(error, "position", None)
        raise RecordRefusedError(
            "bad_xml", f"no valid XML at line, column {place}" if place else "no valid XML"
        ) from None
    return {child.tag: _content(child) for child in root}


def _content(element: Element) -> str | list[str]:
    if len(element):
        return [child.text or "" for child in element]
    return (element.text or "").strip()
