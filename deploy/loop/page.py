"""The loop's status page: one HTML document that asks for /status.json each second; no file of others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from deploy.errors import LoopFailed

HTML = Path(__file__).parent / "page.html"


@asynccontextmanager
async def page(
    host: str, port: int, snapshot: Callable[[], Awaitable[Mapping[str, Any]]]
) -> AsyncIterator[str]:
    """Its URL, served for the body. port: 0 for a free one. Raises LoopFailed for a port that is taken."""

    async def html(_: web.Request) -> web.Response:
        return web.Response(text=HTML.read_text(encoding="utf-8"), content_type="text/html")

    async def status(_: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(await snapshot()), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/", html), web.get("/status.json", status)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise LoopFailed(
                f"--page {port} on {host} cannot be listened on ({error.strerror}): choose another, or"
                " leave it out"
            ) from error
        yield f"http://{host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
