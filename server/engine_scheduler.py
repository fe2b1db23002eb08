"""Which requests a step of the engine takes, where every further one makes it slower for all.

On a processor a step with 32 answers takes three times as long as a step with one, so priority among those
that wait does not help a person whose answer shares its steps with rollouts. vLLM makes this class inside
the engine (`--scheduler-cls`).
"""

from typing import Any

from vllm.v1.core.sched.scheduler import Scheduler

from server.settings import LANES

BACKGROUND = LANES.index("eval")
"""vLLM's priority from which requests are nobody's who waits at a screen: the lanes eval and train."""

SHARED_EVERY = 21
"""While users are there, one step in so many takes everybody: a user's p95 between tokens is a step without
the background, and the background never stands still for good."""

SHARED_TOKENS = 512
"""Most tokens of a step with background: a user who comes waits for no longer step than that."""


class UsersFirst(Scheduler):  # type: ignore[misc]  # vllm is not followed
    """vLLM's scheduler, whose steps leave background requests out while users' requests are there.

    They stay in the batch with their cache and go on as soon as users are gone. A step that leaves them out
    must serve the users: one that could not admit a waiting user (for the cache is full, say) is followed by
    a step for all, so that what holds the place can end.
    """

    max_num_scheduled_tokens: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._whole_tokens = self.max_num_scheduled_tokens
        self._shared_tokens = min(self._whole_tokens, max(SHARED_TOKENS, self.max_num_running_reqs))
        self._steps_left = SHARED_EVERY - 1
        self._is_for_users = False

    def schedule(self, throttle_prefills: bool = False) -> Any:
        """One step's requests and tokens."""
        background = [request for request in self.running if request.priority >= BACKGROUND]
        has_users = len(background) < len(self.running) or self._has_waiting_user()
        self._is_for_users = has_users and self._steps_left > 0
        if self._is_for_users:
            self._steps_left -= 1
            for request in background:
                # The next step's number is one more than this; vLLM leaves out whose turn comes later.
                request.next_decode_eligible_step = self.current_step + 2
        else:
            self._steps_left = SHARED_EVERY - 1
        is_shared = not self._is_for_users and bool(background or self.waiting)
        self.max_num_scheduled_tokens = self._shared_tokens if is_shared else self._whole_tokens
        step = super().schedule(throttle_prefills)
        if self._is_for_users and (not step.num_scheduled_tokens or self._has_waiting_user()):
            self._steps_left = 0
        return step

    def _handle_blocked_waiting_request(self, request: Any) -> bool:
        """Whether a waiting request may enter in this step."""
        if self._is_for_users and request.priority >= BACKGROUND:
            return False
        return bool(super()._handle_blocked_waiting_request(request))

    def _has_waiting_user(self) -> bool:
        return bool(self.waiting) and self.waiting.peek_request().priority < BACKGROUND
