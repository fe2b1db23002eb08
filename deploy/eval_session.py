"""One call of `codeloop eval run`: its folder, its manifest, and the run in it."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.asked import asked_of, write_asked
from evaluator.asking import Asking
from evaluator.completer import Completer
from evaluator.errors import JournalBroken, UsageRefused
from evaluator.grading.bench import Bench
from evaluator.journal import MANIFEST, Journal, read_manifest, read_records, write_manifest
from evaluator.manifest import manifest_of, other_run, refuse_other_run
from evaluator.progress import Progress
from evaluator.run import Run


@dataclass(kw_only=True)
class Session:
    """runs: where a folder without a name is made or, to go on, is looked for. command: for the
    manifest. folder: the run's, from when it is known.
    """

    askings: Sequence[Asking]
    bench: Bench
    runs: Path
    out: Path | None
    is_resumed: bool
    preset: str
    concurrency: int
    command: Sequence[str]
    folder: Path | None = field(default=None, init=False)

    async def finish(
        self, completer: Completer, on_progress: Callable[[Progress], None]
    ) -> tuple[Path, Progress]:
        """Draw and grade what the folder lacks.

        Raises UsageRefused when the folder holds a run and this is not to go on with it,
        NotComparable when that was another run; and what `Run.finish` raises.
        """
        now = dt.datetime.now(dt.UTC)
        manifest = manifest_of(
            self.askings,
            run=self._new_name(now),
            rules=self.bench.rules,
            endpoint=await completer.identify(),
            sandbox=self.bench.sandbox,
            preset=self.preset,
            command=self.command,
        )
        folder = self._folder(manifest)
        with Journal(folder) as journal:
            self.folder = folder
            if self.is_resumed:
                refuse_other_run(read_manifest(folder), manifest)
            else:
                rows = (
                    asked_of(a.suite.name, p, a.suite.prompt(p))
                    for a in self.askings
                    for p in a.problems
                )
                write_asked(folder, rows)
                write_manifest(folder, manifest | {"run": folder.name})
            run = Run(
                self.askings,
                completer=completer,
                journal=journal,
                bench=self.bench,
                concurrency=self.concurrency,
                on_progress=on_progress,
            )
            known = read_records(folder, self.bench.rules.value) if self.is_resumed else ()
            return folder, await run.finish(known)

    def _folder(self, manifest: dict[str, Any]) -> Path:
        if self.out is None and self.is_resumed:
            return self._last_run(manifest)
        folder = self.out or self.runs / str(manifest["run"])
        if not self.is_resumed and (folder / MANIFEST).exists():
            raise UsageRefused(
                f"{folder} holds a run already: add --resume to go on with it, or choose another --out"
            )
        return folder

    def _new_name(self, now: dt.datetime) -> str:
        if self.out is not None:
            return self.out.name
        suites = "-".join(asking.suite.name for asking in self.askings[:3])
        safe = re.sub(r"[^A-Za-z0-9+.-]+", "-", suites).strip("-.")
        return f"{now:%Y-%m-%d-%H%M%S}-{safe}"

    def _last_run(self, manifest: dict[str, Any]) -> Path:
        """The newest folder of a run that asks the same."""
        found = sorted(self.runs.glob(f"*/{MANIFEST}"), key=lambda p: -p.stat().st_mtime)
        for path in found:
            try:
                if not other_run(read_manifest(path.parent), manifest):
                    return path.parent
            except (JournalBroken, KeyError, TypeError):
                continue
        raise UsageRefused(
            f"{self.runs} holds no run with these options to go on with: name one with --out, or leave"
            " --resume out"
        )
