"""What a loop looks like now, as plain data: for the terminal, for the page, for programs."""

import asyncio
import statistics
from pathlib import Path
from typing import Any

import orjson

from deploy.loop.journal import PROGRESS
from deploy.loop.rounds import Work
from deploy.loop.traffic import Traffic

_SHOWN_ITERATIONS, _SHOWN_ROUNDS, _SHOWN_VERSIONS = 200, 12, 8
_SHOWN_LATENCIES = 200


class Status:
    """Read again on each call; nothing of it is state."""

    def __init__(self, work: Work, traffic: Traffic) -> None:
        self._work, self._traffic = work, traffic
        self._log = _IterationLog(work.folder / "run" / "log.jsonl")
        self.now = ""

    async def snapshot(self) -> dict[str, Any]:
        """Blocks nothing but a thread."""
        work = self._work
        return {
            "loop": work.progress.loop,
            "model": work.settings.model,
            "now": self.now,
            "server": {
                "url": work.gateway.url,
                "is_ready": work.gateway.url is not None,
                "num_restarts": work.gateway.child.num_restarts,
            },
            "trainer": await asyncio.to_thread(self._trainer),
            "gate": await asyncio.to_thread(self._gate),
            "rounds": self._rounds(),
            "versions": await self._versions(),
            "users": self._users(),
        }

    def _trainer(self) -> dict[str, Any]:
        rows = self._log.rows()
        current = self._work.progress.current
        return {
            "is_running": self._work.trainer.pid is not None,
            "num_restarts": self._work.trainer.num_restarts,
            "iteration": rows[-1]["iteration"] if rows else 0,
            "last_iteration": current.number * self._work.settings.iterations,
            "solve_rates": [row["solve_rate"] for row in rows[-_SHOWN_ITERATIONS:]],
            "tokens_mean": rows[-1]["tokens_mean"] if rows else None,
        }

    def _gate(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "is_running": self._work.evaluator.pid is not None,
            "num_restarts": self._work.evaluator.num_restarts,
        }
        places = sorted(
            (self._work.folder / "evaluations").glob(f"*/{PROGRESS}"),
            key=lambda path: path.stat().st_mtime_ns,
        )
        if places:
            found |= {"evaluation": places[-1].parent.name} | _read(places[-1])
        return found

    def _rounds(self) -> list[dict[str, Any]]:
        return [
            {
                "round": one.number,
                "version": one.version,
                "stage": one.stage,
                "outcome": one.closed["outcome"] if one.closed else None,
                "evidence": one.decided["verdict"]["evidence"] if one.decided else [],
                "pause_seconds": one.promoted["report"].get("pause_seconds")
                if one.promoted
                else None,
            }
            for one in list(self._work.progress.rounds.values())[-_SHOWN_ROUNDS:]
        ]

    async def _versions(self) -> list[dict[str, Any]]:
        found = await self._work.promotion.versions()
        return [
            {
                "version": one.version,
                "state": one.state.value,
                "scores": {name: score.value for name, score in one.scores.items()},
            }
            for one in found[-_SHOWN_VERSIONS:]
        ]

    def _users(self) -> dict[str, Any]:
        counts = self._traffic.counts
        recent = counts.first_token_seconds[-_SHOWN_LATENCIES:]
        return {
            "num_requests": counts.num_requests,
            "num_failed": counts.num_failed,
            "last_failure": counts.last_failure,
            "versions": dict(counts.versions),
            "first_token_p50_seconds": statistics.median(recent) if recent else None,
        }


class _IterationLog:
    """Rows of iterations of a trainer's log, read on from where it was read last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[int, dict[str, Any]] = {}
        self._num_bytes = 0

    def rows(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        if self._path.stat().st_size < self._num_bytes:
            # A run that was gone on with cut its log back to the checkpoint.
            self._rows, self._num_bytes = {}, 0
        with self._path.open("rb") as file:
            file.seek(self._num_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._num_bytes += len(line)
                if b'"type":"iteration"' in line[:200]:
                    row = orjson.loads(line)
                    self._rows[int(row["iteration"])] = row
        return [self._rows[number] for number in sorted(self._rows)]


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}  # it is being written at this moment
    return found
