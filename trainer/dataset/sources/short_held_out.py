"""The short functions of other kinds than those that are trained on."""

from collections.abc import Iterator

from trainer.dataset.candidate import Candidate
from trainer.dataset.short_functions import short_functions, split
from trainer.dataset.sources import Place
from trainer.dataset.sources.short import candidates


def load(_place: Place) -> Iterator[Candidate]:
    """Every problem of the kinds that are held out."""
    return candidates(split(short_functions())[1])
