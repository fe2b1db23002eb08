"""`codeloop train cluster`: one run's samplers and learners on the machines of a Ray cluster."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.invocation import invocation
from deploy.train_options import ChangesOption, OutOption, RecipeArgument, ResumeOption

if TYPE_CHECKING:
    from trainer.placement import Placed
    from trainer.recipe import Recipe

MODEL = "policy"
POLL_SECONDS = 1.0
START_SECONDS = 1800.0
SETTINGS = """\
[server.lanes.train]
share = 1.0

[[server.models]]
name = "{name}"
source = "{folder}"
role = "sampler"
context_tokens = {context_tokens}
concurrency = {concurrency}
"""


def cluster(
    ctx: typer.Context,
    recipe: RecipeArgument,
    samplers: Annotated[int, typer.Option(min=1, help="Servers that sample.")] = 1,
    learners: Annotated[int, typer.Option(min=1, help="Ranks that learn.")] = 1,
    address: Annotated[
        str, typer.Option(help="Of the Ray cluster; auto is the one of this machine.")
    ] = "auto",
    out: OutOption = None,
    resume: ResumeOption = False,
    changes: ChangesOption = None,
    sampler_cpus: Annotated[float, typer.Option(min=0, help="Of each sampler.")] = 1,
    sampler_gpus: Annotated[float, typer.Option(min=0, help="Of each sampler.")] = 0,
    learner_cpus: Annotated[float, typer.Option(min=0, help="Of each learner.")] = 1,
    learner_gpus: Annotated[float, typer.Option(min=0, help="Of each learner.")] = 0,
    server: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Settings of the samplers' servers, with a model {MODEL!r}."
        ),
    ] = None,
) -> None:
    """Train on many machines: servers that sample, and ranks of FSDP2 that learn.

    Ray spreads them over its machines. The model, the run's folder and its data must have the same
    path on all of them. The exit code is that of codeloop train run.

    ray start --head, on one machine; ray start --address=HEAD:6379 on the others; then

    codeloop train cluster my.toml --samplers 2 --sampler-gpus 4 --learners 8 --learner-gpus 1
    """
    from deploy.train_run import exit_code
    from server.model_store import ModelStore
    from trainer.errors import TrainerError
    from trainer.placement import Place, placed
    from trainer.recipe_file import read_recipe

    try:
        served = [*(changes or []), "sampler.kind=served", "sampler.url=http://x"]
        asked = read_recipe(recipe, [*served, f"sampler.model={MODEL}"])
        folder = (out or Path("runs") / asked.name).absolute()
        store = ModelStore(invocation(ctx).settings.deploy.home / "models")
        model = store.resolve(asked.model.source, pull=True)
        places = [
            Place(name=f"sampler-{number}", num_cpus=sampler_cpus, num_gpus=sampler_gpus)
            for number in range(samplers)
        ] + [
            Place(name=f"learner-{number}", num_cpus=learner_cpus, num_gpus=learner_gpus)
            for number in range(learners)
        ]
        settings = _settings(asked, model, server, folder)
        with placed(address, places) as found:
            _say(f"placed on {len({one.call('machine') for one in found})} machines")
            words = ["deploy", *_options(ctx), "train", "run", recipe, "--out", str(folder)]
            words += [word for change in changes or [] for word in ("--set", change)]
            code = _driven(
                found[:samplers], found[samplers:], settings, words, folder, is_resumed=resume
            )
    except TrainerError as error:
        _say(str(error))
        raise typer.Exit(exit_code(error)) from error
    raise typer.Exit(code)


def _driven(
    samplers: Sequence["Placed"],
    learners: Sequence["Placed"],
    settings: Path,
    words: Sequence[str],
    folder: Path,
    *,
    is_resumed: bool,
) -> int:
    """Start all, follow the first learner; its exit code. Raises PlacementFailed."""
    logs = folder.with_name(f"{folder.name}.logs")
    for one in samplers:
        _start(one, signal.SIGTERM, ["deploy.sampler_place", str(settings)], {}, logs)
    urls, keys = zip(*map(_ready, samplers), strict=True)
    _say(f"sampling at {', '.join(urls)}")
    told = [
        "sampler.kind=served",
        f"sampler.url={urls[0]}",
        f"sampler.more_urls={json.dumps(urls[1:])}",
        f"sampler.model={MODEL}",
    ]
    words = [*words, *(word for change in told for word in ("--set", change))]
    words += ["--resume"] * is_resumed
    meeting = {
        "WORLD_SIZE": str(len(learners)),
        "LOCAL_RANK": "0",  # each has a machine's part to itself, its GPUs numbered from 0
        "MASTER_ADDR": learners[0].call("address"),
        "MASTER_PORT": str(learners[0].call("free_port")),
        "CODELOOP_KEY": ",".join(keys),
    }
    for rank, one in enumerate(learners):
        _start(one, signal.SIGKILL, words, meeting | {"RANK": str(rank)}, logs)
    lines = _Followed(logs / f"{learners[0].name}.log")
    try:
        return _watched(samplers, learners, lines)
    except KeyboardInterrupt:
        # It ends its iteration with a checkpoint; the others still make its steps meanwhile.
        learners[0].call("stop")
        raise
    finally:
        lines.show()


def _start(
    one: "Placed",
    tie: signal.Signals,
    words: Sequence[str],
    environment: Mapping[str, str],
    logs: Path,
) -> None:
    """Run `python -m words…` there. tie: what it gets when its keeper is gone, which Ray ends with us."""
    tied = ["-m", "deploy.loop.tethered", tie.name, str(one.call("pid"))]
    command = [*tied, sys.executable, "-m", *words]
    one.call("start", command, environment, here=Path.cwd(), log=logs / f"{one.name}.log")


def _watched(samplers: Sequence["Placed"], learners: Sequence["Placed"], lines: "_Followed") -> int:
    """The first learner's exit code, once it has one. Raises PlacementFailed when another fails first."""
    from trainer.errors import PlacementFailed

    while True:
        lines.show()
        codes = {one.name: one.call("exit_code") for one in (*learners, *samplers)}
        if (code := codes[learners[0].name]) is not None:
            return int(code)
        # After the run's end the other learners may be gone a moment before the first.
        ended = [one for one in samplers if codes[one.name] is not None]
        ended += [one for one in learners if codes[one.name]]
        if ended:
            one = ended[0]
            raise PlacementFailed(
                f"{one.name} ended with exit code {codes[one.name]}; go on with --resume once it is"
                f" mended. Its log ends with\n{one.call('tail')}"
            )
        time.sleep(POLL_SECONDS)


def _ready(sampler: "Placed") -> tuple[str, str]:
    """URL and key of its server, once it is ready. Raises PlacementFailed."""
    from trainer.errors import PlacementFailed

    line = sampler.call("line", seconds=START_SECONDS)
    try:
        told: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise PlacementFailed(
            f"{sampler.name} did not start; its log ends with\n{sampler.call('tail')}"
        ) from error
    return f"http://{sampler.call('address')}:{told['port']}", told["key"]


def _settings(recipe: "Recipe", model: Path, given: Path | None, folder: Path) -> Path:
    """The samplers' settings file, beside the run's folder."""
    path = folder.with_name(f"{folder.name}.logs") / "sampler.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    longest = max(stage.max_new_tokens for stage in recipe.all_stages)
    made = SETTINGS.format(
        name=MODEL,
        folder=model,
        context_tokens=recipe.drawing.max_prompt_tokens + longest,
        concurrency=recipe.sampler.concurrency * recipe.batch.samples,
    )
    path.write_text(made if given is None else given.read_text())
    return path


def _options(ctx: typer.Context) -> Iterator[str]:
    """`codeloop`'s own, for the learners."""
    found = invocation(ctx)
    if found.config_path is not None:
        yield from ("--config", str(found.config_path.absolute()))
    yield from ("--home", str(found.settings.deploy.home.absolute()))


class _Followed:
    """A growing file on its way to stderr."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, path.stat().st_size if path.exists() else 0

    def show(self) -> None:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                part = file.read()
            self._at += len(part)
            sys.stderr.write(part.decode(errors="replace"))
            sys.stderr.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"codeloop: {text}\n")
