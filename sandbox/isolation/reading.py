"""The host's end of a pipe that a program writes to: keeps the beginning, and notices when it is too much."""

import os


class Reading:
    """inside: the descriptor that the program writes to. content: what came, at most `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_truncated = False
        self.outside, self.inside = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.outside, False)

    @property
    def content(self) -> bytes:
        """What came, in order."""
        return b"".join(self._pieces)

    def leave_to_writer(self) -> None:
        """Let go of the end that is inside, so that the pipe ends with its last writer."""
        os.close(self.inside)
        self.inside = -1

    def read(self) -> bool:
        """Take what is there. Returns False when nothing more will come."""
        try:
            piece = os.read(self.outside, 1 << 16)
        except BlockingIOError:
            return True
        room = self._most_bytes - self._size
        if len(piece) > room:
            self.is_truncated = True
        if room > 0 and piece:
            self._pieces.append(piece[:room])
            self._size += len(self._pieces[-1])
        return bool(piece)

    def drain(self) -> None:
        """Take what is left when every writer has ended."""
        while True:
            try:
                piece = os.read(self.outside, 1 << 16)
            except BlockingIOError:
                return
            if not piece:
                return
            room = self._most_bytes - self._size
            self.is_truncated |= len(piece) > room
            if room > 0:
                self._pieces.append(piece[:room])
                self._size += len(self._pieces[-1])

    def close(self) -> None:
        """Let go of both ends."""
        os.close(self.outside)
        if self.inside >= 0:
            os.close(self.inside)
            self.inside = -1
