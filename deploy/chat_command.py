"""`codeloop chat`: the terminal around a conversation."""

import asyncio
import os
import stat
import sys
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console

from deploy.chat import Ask, ChatClient, Endpoint, Finish, Message, Voice
from deploy.errors import ChatError

HELP = """\
/reset  forget the conversation
/quit   leave (or Ctrl-D)
/help   show this
Ctrl-C  stop the answer"""

_UNSAFE = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)]) | {ord("\n"): "\n", ord("\t"): "\t"}
"""A model's text must not steer the terminal."""


def chat(
    url: Annotated[
        str, typer.Option(help="Address of an OpenAI-compatible API.")
    ] = "http://127.0.0.1:8000/v1",
    key: Annotated[
        str, typer.Option(envvar="CODELOOP_KEY", help="API key.", show_default=False)
    ] = "",
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model; else the server's first.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="System prompt; some models want none.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="Else the server decides.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Longest answer; else the server decides.")
    ] = None,
    once: Annotated[
        str | None, typer.Option(metavar="QUESTION", help="Ask this, print the answer, leave.")
    ] = None,
) -> None:
    """Talk to a model, here or on any OpenAI-compatible endpoint.

    Reasoning is shown dimmed; after each answer come its tokens, pace and time to first token.
    What is piped in is asked too, after the question of --once if there is one.

    codeloop chat

    codeloop chat --once "Reverse a linked list in Python"

    git diff | codeloop chat --once "Review this change"
    """
    question = _question(once)
    with asyncio.Runner() as runner:
        client, served = runner.run(_connect(Endpoint(url=url, key=key), model))
        talk = Conversation(
            client=client, model=served, system=system, temperature=temperature,
            max_tokens=max_tokens,
        )  # fmt: skip
        try:
            if question is not None:
                runner.run(talk.ask(question, Console(), only_answer=not sys.stdout.isatty()))
            else:
                _converse(talk, runner, Console())
        finally:
            runner.run(client.close())


@dataclass(kw_only=True)
class Conversation:
    """What was said so far, and to whom."""

    client: ChatClient
    model: str
    system: str | None
    temperature: float | None
    max_tokens: int | None
    turns: list[Message] = field(default_factory=list)

    async def ask(self, question: str, console: Console, *, only_answer: bool = False) -> None:
        """Print the answer as it comes, and remember as much of it as came.

        only_answer: leave out reasoning and figures, for output that goes to a program. Raises
        ChatError; then the question is forgotten, so that it can be asked again.
        """
        opening: list[Message] = (
            [] if self.system is None else [{"role": "system", "content": self.system}]
        )
        asked: Message = {"role": "user", "content": question}
        ask = Ask(
            model=self.model, messages=[*opening, *self.turns, asked],
            temperature=self.temperature, max_tokens=self.max_tokens,
        )  # fmt: skip
        answer: list[str] = []
        try:
            await self._print(ask, console, answer, only_answer=only_answer)
        except ChatError:
            console.print()
            raise
        except asyncio.CancelledError:
            self._remember(asked, answer)
            raise
        self._remember(asked, answer)

    def _remember(self, asked: Message, answer: list[str]) -> None:
        self.turns += [asked, {"role": "assistant", "content": "".join(answer)}]

    async def _print(
        self, ask: Ask, console: Console, answer: list[str], *, only_answer: bool
    ) -> None:
        last_voice = Voice.ANSWER
        async for part in self.client.stream(ask):
            if isinstance(part, Finish):
                console.print()
                if not only_answer:
                    console.print(_figures(part), style="dim", highlight=False)
                return
            if part.voice is Voice.ANSWER:
                answer.append(part.text)
            elif only_answer:
                continue
            if part.voice is Voice.ANSWER and last_voice is Voice.REASONING:
                console.print("\n")
            last_voice = part.voice
            console.print(
                part.text.translate(_UNSAFE),
                style="dim" if part.voice is Voice.REASONING else None,
                end="", markup=False, highlight=False, emoji=False, soft_wrap=True,
            )  # fmt: skip


def _converse(talk: Conversation, runner: asyncio.Runner, console: Console) -> None:
    """Questions from the terminal until /quit or end of input."""
    _load_line_editing()
    console.print(f"{talk.model} · /help for help", style="dim", highlight=False)
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:
            console.print("\n/quit leaves", style="dim")
            continue
        if question == "/quit":
            return
        if question == "/reset":
            talk.turns.clear()
        elif question.startswith("/"):
            console.print(HELP, style="dim", highlight=False)
        elif question:
            try:
                runner.run(talk.ask(question, console))
            except KeyboardInterrupt:
                console.print("\nstopped", style="dim")
            except ChatError as error:
                console.print(str(error), style="red", markup=False, highlight=False)


async def _connect(endpoint: Endpoint, model: str | None) -> tuple[ChatClient, str]:
    client = await ChatClient(endpoint).open()
    try:
        served = [model] if model else await client.models()
        if not served:
            raise ChatError(f"{endpoint.url} serves no model: start the server with one")
    except BaseException:
        await client.close()
        raise
    return client, served[0]


def _question(once: str | None) -> str | None:
    """What to ask without a terminal: --once, what is piped in, or both; None to converse."""
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin is not None else 0
    # A pipe or a file has an end; a service's inherited terminal or socket may never have one.
    piped = sys.stdin.read() if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) else ""
    parts = [part for part in (once, piped.strip()) if part]
    return "\n\n".join(parts) or None


def _figures(finish: Finish) -> str:
    cut = " · cut at the length limit" if finish.reason == "length" else ""
    return (
        f"{finish.num_tokens} tokens · {finish.tokens_per_second:.1f} tokens/s ·"
        f" first after {finish.first_token_seconds:.2f} s{cut}"
    )


def _load_line_editing() -> None:
    try:
        import readline  # noqa: F401 (importing it gives input() arrows and history)
    except ImportError:
        return
