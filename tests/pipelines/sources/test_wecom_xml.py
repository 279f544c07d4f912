"""XML of callbacks, as somebody else wrote it."""

from __future__ import annotations

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.wecom_xml import MAX_CHARACTERS, read_xml

BOMB = '<!DOCTYPE xml [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><xml><Event>&b;</Event></xml>'
READER = '<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/hostname">]><xml><Event>&f;</Event></xml>'


@pytest.mark.parametrize("document", [BOMB, READER, "<!DOCTYPE xml><xml/>"])
def test_a_document_type_is_refused_unparsed(document: str) -> None:
    with pytest.raises(RecordRefusedError, match="doctype_refused"):
        read_xml(document)


def test_a_document_type_in_lower_case_is_refused_as_well() -> None:
    with pytest.raises(RecordRefusedError):
        read_xml('<!doctype xml [<!ENTITY a "x">]><xml><Event>&a;</Event></xml>')


def test_a_cut_document_is_refused_without_its_text() -> None:
    with pytest.raises(RecordRefusedError, match="bad_xml") as refusal:
        read_xml("<xml><UserID>lisi</UserID><Exter")
    assert "lisi" not in str(refusal.value)


def test_an_endless_document_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="xml_too_long"):
        read_xml("<xml>" + "x" * MAX_CHARACTERS + "</xml>")


def test_the_declared_encoding_of_a_decoded_text_does_not_matter() -> None:
    assert read_xml('<?xml version="1.0" encoding="GBK"?><xml><State>门店</State></xml>') == {"State": "门店"}


def test_blanks_around_values_and_document_are_dropped() -> None:
    assert read_xml("\n <xml>\n <UserID> lisi </UserID></xml>\n") == {"UserID": "lisi"}
