"""The SHA-256 checksum at the end of an exported file, which reveals damage."""

from __future__ import annotations

import hashlib

KEY = "augan.sha256"  # in the metadata
N_DIGITS = 64
# In protobuf: another metadata property of the model (field 14) with a key (1) of twelve bytes and
# a value (2) of 64 bytes, the digits, which follow.
LEAD = b"\x72\x50\x0a\x0c" + KEY.encode() + b"\x12\x40"


def with_checksum(model: bytes) -> bytes:
    """Return a serialised model with the checksum of its bytes appended as metadata."""
    lead = model + LEAD
    return lead + hashlib.sha256(lead).hexdigest().encode()


def is_intact(content: bytes) -> bool | None:
    """Return whether the checksum matches; None if there is no checksum."""
    end = len(content) - N_DIGITS
    if end < len(LEAD) or not content.startswith(LEAD, end - len(LEAD)):
        return None
    digest = hashlib.sha256(memoryview(content)[:end]).hexdigest().encode()
    return content[end:] == digest
