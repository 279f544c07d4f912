"""WeCom callbacks on the wire: their signature, and the AES envelope around their XML.

Formulas: developer.work.weixin.qq.com, "callback encryption". AESKey = base64(EncodingAESKey + "="), 32 bytes;
AES-256-CBC with IV = key[:16]; PKCS#7 with a block of 32; plaintext = 16 random bytes + 4-byte big-endian length +
message + receive id (corp id, or the suite id of a service provider).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CIPHER_BLOCK = 16
PAD_BLOCK = 32
RANDOM_BYTES = 16
LENGTH_BYTES = 4
ENCODED_KEY_CHARACTERS = 43


WRONG_SIGNATURE = "the signature is wrong"


class CallbackRefusedError(Exception):
    """A callback that is not WeCom's, or not for us; the reason never repeats its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"callback refused: {reason}")
        self.reason = reason


def signature(token: str, timestamp: str, nonce: str, encrypt: str) -> str:
    """The `msg_signature` of a callback: SHA-1 over its sorted parts.

    >>> signature("tok3n", "1735700530", "n0nce", "ENCRYPT==")
    '968ab1bf1491b8ed091828641258f7c9bd62f8b4'
    """
    joined = "".join(sorted((token, timestamp, nonce, encrypt)))
    return hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class CallbackKeys:
    """What a corp (or suite) set up for its callbacks; `receive_id` is its corp id, or the suite id."""

    token: str
    encoding_aes_key: str
    receive_id: str

    def aes_key(self) -> bytes:
        """The 32 bytes of the key; a key of another form is refused."""
        if len(self.encoding_aes_key) != ENCODED_KEY_CHARACTERS:
            raise CallbackRefusedError(f"EncodingAESKey must have {ENCODED_KEY_CHARACTERS} characters")
        try:
            return base64.b64decode(self.encoding_aes_key + "=", validate=True)
        except binascii.Error:
            raise CallbackRefusedError("EncodingAESKey is no base64") from None

    def is_signed(self, *, timestamp: str, nonce: str, encrypt: str, msg_signature: str) -> bool:
        """Whether the signature is right, compared in constant time."""
        expected = signature(self.token, timestamp, nonce, encrypt)
        return hmac.compare_digest(expected.encode(), msg_signature.encode("utf-8", "surrogatepass"))

    def open(self, *, timestamp: str, nonce: str, encrypt: str, msg_signature: str) -> str:
        """The message of a callback, or the echo text of an address check, after its signature was found right."""
        if not self.is_signed(timestamp=timestamp, nonce=nonce, encrypt=encrypt, msg_signature=msg_signature):
            raise CallbackRefusedError(WRONG_SIGNATURE)
        return self.decrypt(encrypt)

    def decrypt(self, encrypt: str) -> str:
        """The message inside the envelope; padding, length and receiver are checked."""
        try:
            sealed = base64.b64decode(encrypt, validate=True)
        except (binascii.Error, ValueError):
            raise CallbackRefusedError("Encrypt is no base64") from None
        if not sealed or len(sealed) % CIPHER_BLOCK:
            raise CallbackRefusedError("Encrypt is no whole number of blocks")
        return self._unwrap(_unpad(self._run(sealed, encrypting=False)))

    def encrypt(self, message: str, random: bytes) -> str:
        """The envelope around a message; `random` are 16 unpredictable bytes, given by the caller."""
        if len(random) != RANDOM_BYTES:
            raise CallbackRefusedError(f"random must have {RANDOM_BYTES} bytes")
        body = message.encode()
        plain = random + len(body).to_bytes(LENGTH_BYTES, "big") + body + self.receive_id.encode()
        return base64.b64encode(self._run(_pad(plain), encrypting=True)).decode()

    def _run(self, content: bytes, *, encrypting: bool) -> bytes:
        key = self.aes_key()
        cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16]))
        worker = cipher.encryptor() if encrypting else cipher.decryptor()
        return worker.update(content) + worker.finalize()

    def _unwrap(self, plain: bytes) -> str:
        start = RANDOM_BYTES + LENGTH_BYTES
        length = int.from_bytes(plain[RANDOM_BYTES:start], "big")
        if len(plain) < start + length:
            raise CallbackRefusedError("the stated length does not fit")
        receiver = plain[start + length :]
        if not hmac.compare_digest(receiver, self.receive_id.encode()):
            raise CallbackRefusedError("it is for another receiver")
        try:
            return plain[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            raise CallbackRefusedError("the message is no UTF-8") from None


def _pad(content: bytes) -> bytes:
    missing = PAD_BLOCK - len(content) % PAD_BLOCK
    return content + bytes([missing]) * missing


def _unpad(content: bytes) -> bytes:
    missing = content[-1]
    if not 1 <= missing <= PAD_BLOCK or content[-missing:] != bytes([missing]) * missing:
        raise CallbackRefusedError("the padding is wrong")
    return content[:-missing]
