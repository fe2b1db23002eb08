"""What is needed to repeat a run, and to tell whether another one repeats it."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluator.asking import Asking
from evaluator.errors import NotComparable
from evaluator.grading.bench import Rules
from evaluator.recipe import differences, recipe, recipe_parts
from sandbox.sandbox import Sandbox

SCHEMA = 1
_PACKAGES = ("codeloop", "aiohttp", "litellm", "math-verify", "sympy", "numpy", "scipy", "orjson")
_WEIGHTS = ("weights", "weights_digest", "version", "policy_version", "sha256")
_GIT_SECONDS = 10
_SHOWN = 60


def manifest_of(
    askings: Sequence[Asking],
    *,
    run: str,
    rules: Rules,
    endpoint: Mapping[str, str],
    sandbox: Sandbox,
    preset: str = "",
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """The manifest of a run that is about to begin. command: without keys."""
    return {
        "schema": SCHEMA,
        "run": run,
        "started": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "model": endpoint.get("model", ""),
        "weights": next((endpoint[name] for name in _WEIGHTS if endpoint.get(name)), ""),
        "endpoint": dict(endpoint),
        "rules": rules.value,
        "preset": preset,
        "code": code_identity(),
        "packages": _versions(),
        "machine": machine(),
        "sandbox": {"holds": sandbox.description, "workers": sandbox.num_workers},
        "suites": {asking.suite.name: suite_facts(asking, rules) for asking in askings},
    }


def suite_facts(asking: Asking, rules: Rules) -> dict[str, Any]:
    """One suite's part. recipe: under the run's rules; recipes: under each."""
    suite, sampling = asking.suite, asking.sampling
    recipes = {r.value: recipe(recipe_parts(asking, r)) for r in Rules}
    return {
        "title": suite.title,
        "source": suite.source,
        "licence": suite.licence,
        "metric": suite.metric,
        "scores": list(suite.scores),
        "warning": suite.warning,
        "num_problems": len(asking.problems),
        "problem_ids": [problem.id for problem in asking.problems],
        "data": asking.data,
        "prompts": asking.prompts,
        "tasks": asking.tasks,
        "files": {file.path: file.sha256 for file in suite.files},
        "sampling": {
            "n": asking.num_samples,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
            "stop": list(sampling.stop),
            "mode": asking.mode,
        },
        "recipe": recipes[rules.value],
        "recipes": recipes,
    }


def refuse_other_run(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise NotComparable, naming what differs, unless `now` goes on with the run `before`.

    Model, weights, rules, and of each suite recipe and seed have to be equal. The URL, the machine
    and the code may differ: they do not change what is asked.
    """
    found = other_run(before, now)
    if found:
        told = "; ".join(
            f"{name}: was {_brief(a)}, is {_brief(b)}" for name, (a, b) in found.items()
        )
        raise NotComparable(
            f"run {before.get('run')} cannot go on with these options ({told}): repeat its command,"
            f" {' '.join(before.get('command') or ()) or 'see its manifest'}, or choose another --out"
        )


def other_run(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """In what two manifests are of different runs; empty where one goes on with the other."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in ("model", "weights", "rules"):
        if before.get(name) != now.get(name):
            found[name] = (before.get(name), now.get(name))
    suites_before, suites_now = before.get("suites") or {}, now.get("suites") or {}
    if list(suites_before) != list(suites_now):
        return found | {"suites": (list(suites_before), list(suites_now))}
    for name, facts in suites_before.items():
        other = suites_now[name]
        parts, others = facts["recipe"]["parts"], other["recipe"]["parts"]
        for part, pair in differences(parts, others).items():
            found[f"{name}, {part}"] = pair
        seeds = facts["sampling"].get("seed"), other["sampling"].get("seed")
        if seeds[0] != seeds[1]:
            found[f"{name}, seed"] = seeds
    return found


def code_identity() -> dict[str, Any]:
    """Version and, where the code runs from a checkout, its commit and whether files were changed."""
    root = Path(__file__).resolve().parent.parent
    found: dict[str, Any] = {}
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD")
        if commit:
            found = {"commit": commit, "is_changed": bool(_git(root, "status", "--porcelain"))}
    return found


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> dict[str, Any]:
    """The machine that samples are graded on: its kind, never its name or its kernel's build."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "python": platform.python_version(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
