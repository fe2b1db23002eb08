"""A candidate's way, round after round: trained, taken in, judged against the live version, promoted.

Each stage is one row in the journal, written when it is done; a stage that was cut short is taken again
from its beginning, and every one of them may be.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.errors import LoopFailed
from deploy.loop.child import Child
from deploy.loop.gateway import GatewayChild
from deploy.loop.journal import Journal
from deploy.loop.progress import Progress, Round
from deploy.loop.promotion import Promotion
from deploy.loop.server_client import ServerClient, ServerGone
from deploy.loop.settings import LoopSettings
from evaluator.errors import EvaluatorError
from evaluator.gate import decide
from evaluator.results import Results, read_results

T = TypeVar("T")
RETRY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Work:
    """What rounds are worked on with. arguments: global options of `codeloop`. file: the loop's own."""

    settings: LoopSettings
    file: Path
    folder: Path
    key: str
    arguments: Sequence[str]
    journal: Journal
    progress: Progress
    gateway: GatewayChild
    promotion: Promotion
    trainer: Child
    evaluator: Child
    told: Callable[[str], None]
    """Is told what is done now, for those who watch."""


class Rounds:
    """All rounds of a loop, from where it was left."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._settings, self._progress = work.settings, work.progress

    async def run(self) -> None:
        """To the last round; without an end where the settings have none. Raises LoopFailed."""
        while not self._settings.rounds or self._progress.num_closed < self._settings.rounds:
            await self._round(self._progress.current)

    async def _round(self, one: Round) -> None:
        journal = self._work.journal
        if one.number not in self._progress.rounds:
            journal.write("round", round=one.number)
        while (now := self._progress.rounds[one.number]).closed is None:
            self._work.told(f"round {now.number}: {now.stage}")
            if now.trained is None:
                await self._train(now)
            elif now.trained["number"] is None:
                self._close(now, "nothing new")
            elif now.taken is None:
                await self._take_in(now)
            elif now.decided is None:
                await self._judge(now)
            elif now.promoted is None:
                await self._act(now)
            else:
                outcome = now.promoted["outcome"]
                self._close(now, "promoted" if outcome == "live" else outcome)
        self._work.told("")

    async def _train(self, one: Round) -> None:
        """To the round's last iteration; what was published then is the candidate."""
        iteration = one.number * self._settings.iterations
        url = await self._work.gateway.ready()
        run = self._work.folder / "run"
        changes = [
            *self._settings.changes,
            f"limits.iterations={iteration}",
            f'sampler.url="{url}"',
            f'sampler.model="{self._settings.sampler}"',
        ]
        words = ["deploy", *self._work.arguments, "train", "run", self._settings.recipe]
        words += ["--out", str(run), "--resume", *(w for c in changes for w in ("--set", c))]
        await self._work.trainer.until_done(words)
        published = sorted(path for path in (run / "versions").iterdir() if path.name.isdigit())
        if not published:
            raise LoopFailed(
                f"{run} has no version: the run of the trainer left nothing; see its log"
            )
        newest, number = published[-1], int(published[-1].name)
        is_new = number > max(self._numbers(), default=0)
        self._work.journal.write(
            "trained",
            round=one.number,
            iteration=iteration,
            number=number if is_new else None,
            folder=str(newest),
        )

    async def _take_in(self, one: Round) -> None:
        assert one.trained is not None
        version = f"{self._progress.loop}-{one.trained['number']}"
        found = await self._work.promotion.take_in(Path(one.trained["folder"]), version)
        self._work.journal.write(
            "taken", round=one.number, version=found.version, folder=str(found.folder)
        )

    async def _judge(self, one: Round) -> None:
        """The live version and the candidate on the same held-out problems, and what the gate says."""
        assert one.taken is not None
        live = await self._work.promotion.live()
        before = await self.evaluated(live.version, live.folder)
        after = await self.evaluated(one.taken["version"], Path(one.taken["folder"]))
        try:
            verdict = await asyncio.to_thread(decide, self._settings.gate, after, before)
        except EvaluatorError as error:
            raise LoopFailed(f"the gate cannot judge {one.version}: {error}") from error
        self._work.journal.write(
            "decided", round=one.number, version=one.version, live=live.version,
            verdict=verdict.as_data(),
        )  # fmt: skip

    async def _act(self, one: Round) -> None:
        """What the verdict asks for, unless another version answers the users by now."""
        assert one.decided is not None
        version, verdict = str(one.version), one.decided["verdict"]
        live = (await self._work.promotion.live()).version
        if live not in (one.decided["live"], version):
            self._work.journal.write("overtaken", round=one.number, live=live)
            return
        answer = verdict["answer"]
        has_passed = answer == "passed"
        if has_passed or not self._settings.override:
            await self._with_server(
                lambda server: self._work.promotion.judge(server, version, verdict)
            )
        if not has_passed and not self._settings.override:
            self._close(one, answer)
            return
        reason = f"the gate's answer is {answer}"
        if not has_passed:
            reason = f"{self._settings.override} ({reason})"
        done = await self._with_server(
            lambda server: self._work.promotion.promote(
                server,
                version,
                canary=self._settings.canary,
                reason=reason,
                override=not has_passed,
            )
        )
        self._work.journal.write("promoted", round=one.number, version=version, **vars(done))

    def _close(self, one: Round, outcome: str) -> None:
        self._work.journal.write("closed", round=one.number, outcome=outcome)

    async def evaluated(self, version: str, folder: Path, *, mark: str = "") -> Results:
        """A version's answers to the held-out problems, drawn unless they are there.

        mark: another one draws them anew. Raises LoopFailed.
        """
        table = self._settings.heldout.model_dump_json()
        name = f"{version}{mark}-{hashlib.sha256(table.encode()).hexdigest()[:8]}"
        out = self._work.folder / "evaluations" / name
        if name not in self._progress.evaluations:
            began = time.monotonic()
            await self._evaluate(version, folder, out)
            results = await asyncio.to_thread(read_results, out, self._settings.gate.rules)
            score = results.suites[self._settings.heldout.suite].headline.value
            self._work.journal.write(
                "evaluated", version=name, folder=str(out), score=score,
                seconds=time.monotonic() - began,
            )  # fmt: skip
            return results
        return await asyncio.to_thread(read_results, out, self._settings.gate.rules)

    async def _evaluate(self, version: str, folder: Path, out: Path) -> None:
        async def once() -> bool:
            # Asked for anew each time: the server may have been started again in between.
            url = await self._work.gateway.ready()
            words = [
                "deploy.loop.evaluate",
                str(self._work.file),
                "--url",
                url,
                *self._work.arguments,
            ]
            words += ["--version", version, "--folder", str(folder), "--out", str(out)]
            return await self._work.evaluator.run(words) == 0

        await self._work.evaluator.again_and_again(once)

    def _numbers(self) -> list[int]:
        rounds = self._progress.rounds.values()
        rows = [one.trained for one in rounds if one.trained is not None]
        return [int(row["number"]) for row in rows if row["number"] is not None]

    async def _with_server(self, work: Callable[[ServerClient], Awaitable[T]]) -> T:
        """Do it once the server is there, and again when it went away in the middle of it."""
        while True:
            url = await self._work.gateway.ready()
            try:
                async with ServerClient(url, self._work.key) as server:
                    return await work(server)
            except ServerGone:
                await asyncio.sleep(RETRY_SECONDS)
