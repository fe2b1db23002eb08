"""The second try after a failed first one: the conversation so far, then what the tests said."""

from evaluator.judgement import Judgement
from evaluator.prompt import Chat, Message, Prompt

_TESTS_FAILED = """\
The tests failed. This is what they said:

```
{errors}
```

{request}"""


def second_try(first: Prompt, answer: str, judgement: Judgement, request: str) -> Prompt | None:
    """The chat that asks once more; None after a right answer or a host's failure.

    request: what the new answer shall be.
    """
    if judgement.is_right or not judgement.is_scored:
        return None
    assert isinstance(first, Chat)
    asked = _TESTS_FAILED.format(errors=errors_of(judgement), request=request)
    turns = (Message(role="assistant", content=answer), Message(role="user", content=asked))
    return Chat(messages=(*first.messages, *turns))


def errors_of(judgement: Judgement) -> str:
    """What a person who ran the tests would have seen."""
    failure = judgement.failure
    if failure is None:
        return judgement.grade.value.replace("_", " ")
    lines = [
        f"{name}: {text}"
        for name, text in (
            ("input", failure.given),
            ("expected", failure.expected),
            ("got", failure.got),
        )
        if text
    ]
    if failure.message:
        lines.append(failure.message)
    return "\n".join(lines) or judgement.grade.value.replace("_", " ")
