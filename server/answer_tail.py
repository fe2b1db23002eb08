"""The end of an answer as it was relayed, for a canary's comparison: cut off? the same again and again?"""

import re

from server.canary import Observation, is_repetitive

KEPT_BYTES = 256 * 1024
"""A chunk of a stream has a few hundred bytes around its token."""

LENGTH = re.compile(rb'"finish_reason": ?"length"')
TEXT = re.compile(rb'"(?:content|text)": ?"((?:[^"\\]|\\.)*)"')


class AnswerTail:
    """Collects bytes while they pass."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        """Bytes that went to the client."""
        self._kept += data
        if len(self._kept) > 2 * KEPT_BYTES:
            del self._kept[:-KEPT_BYTES]

    def observation(
        self, *, is_failed: bool, first_seconds: float | None, token_seconds: float | None
    ) -> Observation:
        """What the answer was like."""
        text = b"".join(TEXT.findall(self._kept)).decode(errors="replace")
        return Observation(
            is_failed=is_failed,
            is_truncated=LENGTH.search(self._kept) is not None,
            is_repeated=is_repetitive(text),
            first_seconds=first_seconds,
            token_seconds=token_seconds,
        )
