"""What a model is asked: a chat, a text to go on with, or a gap to fill."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Turns for /v1/chat/completions."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Text:
    """Text for /v1/completions. stop: strings that end the completion."""

    text: str
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Infill:
    """A gap between two texts, for /v1/completions with a suffix."""

    prefix: str
    suffix: str
    stop: tuple[str, ...] = ()


Prompt = Chat | Text | Infill


def ask(user: str, *, system: str | None = None) -> Chat:
    """A chat of one user turn, after a system turn if there is one."""
    turns = [Message(role="user", content=user)]
    if system is not None:
        turns.insert(0, Message(role="system", content=system))
    return Chat(messages=tuple(turns))
