"""The SHA-256 at the end of an exported file, by which damage is noticed."""

from __future__ import annotations

import hashlib

KEY = "augan.sha256"  # among the metadata
N_DIGITS = 64
# As protobuf writes it: one more of a model's metadata properties (field 14), a key (1) of twelve
# bytes and a value (2) of 64, of which only the digits are to follow.
LEAD = b"\x72\x50\x0a\x0c" + KEY.encode() + b"\x12\x40"


def with_checksum(model: bytes) -> bytes:
    """Return a serialised model with the digest of all that comes before it at its end."""
    lead = model + LEAD
    return lead + hashlib.sha256(lead).hexdigest().encode()


def is_intact(content: bytes) -> bool | None:
    """Whether a file is as it was written; None where no checksum tells."""
    end = len(content) - N_DIGITS
    if end < len(LEAD) or not content.startswith(LEAD, end - len(LEAD)):
        return None
    digest = hashlib.sha256(memoryview(content)[:end]).hexdigest().encode()
    return content[end:] == digest
