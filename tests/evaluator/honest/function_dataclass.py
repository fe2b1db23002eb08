from __future__ import annotations

import dataclasses
from typing import List, NamedTuple


class Pair(NamedTuple):
    total: int
    number: int


@dataclasses.dataclass
class State:
    totals: List[int] = dataclasses.field(default_factory=list)

    def add(self: State, number: int) -> Pair:
        self.totals.append(number + (self.totals[-1] if self.totals else 0))
        return Pair(self.totals[-1], number)


def solve(numbers: List[int]) -> List[int]:
    state = State()
    return [state.add(number).total for number in numbers]
