"""Real servers on loopback, over the scripted engine."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from deploy.launch import Launched, launch
from server.store import USAGE

Serve = Callable[..., Launched]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server that plays a script (TOML) under further [server] settings (TOML)."""
    with contextlib.ExitStack() as stack:

        def start(
            script: str = "", *, server: str = "", model: str = "", name: str = "a"
        ) -> Launched:
            home = tmp_path / name
            home.mkdir()
            path = home / "script.toml"
            path.write_text(script)
            settings = (
                f"[server]\n{server}\n[[server.models]]\nname = 'scripted'\nengine = 'scripted'\n"
                f"script = '{path}'\n{model}\n"
            )
            return stack.enter_context(launch(home, settings=settings))

        yield start


@pytest.fixture
async def site(
    serve: Serve, published: Any, promotion_site: Any, tmp_path: Path
) -> AsyncIterator[Any]:
    """Start a `Site` that plays a script (TOML) under further settings of its model (TOML)."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:

        def start(script: str = "num_tokens = 40\n", model: str = "") -> Any:
            base = published.write_model(tmp_path / "base")
            server = serve(f"weights = '{base}'\n{script}", model=model)
            return promotion_site.Site(server, session, published, tmp_path)

        yield start


@pytest.fixture
def usage_rows() -> Callable[[Launched], list[dict[str, object]]]:
    """All usage rows that the server has written so far."""

    def read(server: Launched) -> list[dict[str, object]]:
        store = server.store()
        try:
            return [dict(row._asdict()) for row in store.rows(sa.select(USAGE))]
        finally:
            store.close()

    return read
