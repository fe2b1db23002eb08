"""How a short function is asked for: two examples, and the answer begun with its `def` line.

Small models waste a third of free answers on other names and on prose; a prefill that ends without a
line break leaves the indentation, which is one token with the break, to the model.
"""

from evaluator.prompt import Message

STOP = ("```", "\ndef", "\nassert", "\nprint", "\n#", "\nif")
"""What begins something else than the function."""


def messages(
    name: str, arguments: str, text: str, examples: tuple[str, ...]
) -> tuple[Message, ...]:
    """The chat. text: sentences that say what the function does. examples: asserts that are shown."""
    shown = "\n".join(examples)
    asked = f"Write the Python function `{name}`. {text} Examples:\n```python\n{shown}\n```"
    return (
        Message(role="user", content=asked),
        Message(role="assistant", content="```python\n" + answer_head(name, arguments)),
    )


def answer_head(name: str, arguments: str) -> str:
    """The line that the answer goes on from."""
    return f"def {name}({arguments}):"
