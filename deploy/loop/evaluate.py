"""Program: one version evaluated on the held-out problems, on the sampler engine in the eval lane.

Started by the loop in a process of its own, and again when that dies: the run's folder says what is left.
The answers count only if all of them were drawn from the version that was asked for.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer

from deploy.config import find_config, load_settings
from deploy.errors import LoopFailed
from deploy.eval_bench import bench
from deploy.eval_session import Session
from deploy.logs import set_up_logging
from deploy.loop.journal import PROGRESS
from deploy.loop.server_client import ServerClient
from deploy.loop.settings import LoopSettings, read_loop
from deploy.loop.suite import heldout_problems, heldout_suite, renderer
from evaluator.asking import Asking, ask_suite
from evaluator.completer import Sampling
from evaluator.data import DataFolder
from evaluator.http_completer import HttpCompleter
from evaluator.journal import MANIFEST, read_records
from evaluator.progress import Progress
from evaluator.retry import Patience

PATIENCE_SECONDS = 60.0


def main(
    loop_file: Path,
    *,
    url: Annotated[str, typer.Option(help="Of the server, without /v1.")],
    version: Annotated[str, typer.Option(help="As the sampler is to name it.")],
    folder: Annotated[Path, typer.Option(help="Of the version.")],
    out: Annotated[Path, typer.Option(help="Of the evaluation.")],
    key: Annotated[str, typer.Option(envvar="CODELOOP_KEY")],
    home: Annotated[Path, typer.Option()],
    config: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Draw and grade what the folder lacks."""
    loop = read_loop(loop_file)
    settings = load_settings(find_config(config), home=home)
    set_up_logging(level=settings.deploy.log_level, shape=settings.deploy.log_format)
    asking = asking_of(loop, folder)
    with bench(settings, loop.gate.rules) as graders:
        session = Session(
            askings=[asking],
            bench=graders,
            runs=out.parent,
            out=out,
            is_resumed=(out / MANIFEST).exists(),
            preset="",
            concurrency=loop.heldout.concurrency,
            command=("codeloop", "loop", str(loop_file)),
        )
        asyncio.run(_finish(session, loop, url, key, version, folder))
    _refuse_mixed(out, loop.gate.rules, version)


def asking_of(loop: LoopSettings, folder: Path) -> Asking:
    """What is asked. folder: of any version; all have one template."""
    table = loop.heldout
    problems = heldout_problems(table.data, table.problems, table.difficulties)
    return ask_suite(
        heldout_suite(table.suite, problems, renderer(folder)),
        DataFolder(Path()),
        # Without seeds: an engine on a CPU has none for a single request.
        sampling=Sampling(temperature=table.temperature, max_tokens=table.max_tokens),
        num_samples=table.samples,
    )


async def _finish(
    session: Session, loop: LoopSettings, url: str, key: str, version: str, folder: Path
) -> None:
    async with ServerClient(url, key) as server:
        await server.have(loop.sampler, folder, version)
    completer = HttpCompleter(
        f"{url}/v1",
        model=loop.sampler,
        key=key,
        lane="eval",
        streams=False,
        patience=Patience(seconds=PATIENCE_SECONDS),
    )

    def told(progress: Progress) -> None:
        row = {
            "done": progress.num_graded,
            "samples": progress.num_samples,
            "score": progress.score,
            "failure": progress.last_failure,
        }
        if session.folder is not None:
            (session.folder / PROGRESS).write_bytes(orjson.dumps(row))

    try:
        await session.finish(completer, told)
    finally:
        await completer.close()


def _refuse_mixed(out: Path, rules: str, version: str) -> None:
    """An engine that died comes back on other weights; such answers are thrown away, all of them."""
    drawn = {record.sample.model_version for record in read_records(out, rules)} - {""}
    others = {name for name in drawn if name.rpartition("@")[2] != version}
    if others:
        # By one rename, so that no half of it is gone on with.
        grave = out.with_name(f".{out.name}-mixed")
        shutil.rmtree(grave, ignore_errors=True)
        out.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
        raise LoopFailed(
            f"answers of {version} were drawn from {', '.join(sorted(others))} as well: the engine"
            " changed its weights in between; they are thrown away and drawn again"
        )


def run(words: Sequence[str] | None = None) -> None:
    """The command line of this program."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(words)


if __name__ == "__main__":
    run()
