"""Our own OpenAPI document, fuzzed: no 500, and no answer that the document does not declare."""

import pytest

from deploy.launch import Launched

schemathesis = pytest.importorskip("schemathesis")

MOST_EXAMPLES = 30


@pytest.fixture(scope="module")
def document(server: Launched) -> object:
    """The document as the server gives it out."""
    return schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")


lazy = schemathesis.pytest.from_fixture("document")


@lazy.parametrize()
def test_every_answer_is_declared(case: object, server: Launched) -> None:
    from hypothesis import settings  # noqa: F401  # schemathesis reads the profile

    case.call_and_validate(  # type: ignore[attr-defined]
        headers={"Authorization": f"Bearer {server.key}"},
    )
