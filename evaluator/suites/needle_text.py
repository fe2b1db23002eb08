"""Filler text for the needle in a haystack: as many different, plain sentences as are wanted.

Made by a small grammar from a seed, so that nobody's essays are needed and no model knows it by
heart. The words of needles do not occur in it. About four characters are one token.
"""

import random
from collections.abc import Iterator

CHARACTERS_A_TOKEN = 4
_PARAGRAPH_SENTENCES = 6
_WHO = (
    "the harbour master", "a retired teacher", "the younger gardener", "an engineer from the north",
    "the village council", "a quiet carpenter", "the night nurse", "our neighbour", "the tram driver",
    "a visiting botanist", "the orchestra", "the baker's apprentice", "a patient clerk",
    "the lighthouse crew", "an old friend of the family", "the surveyor", "a team of students",
    "the mountain guide", "the librarian", "a travelling actor", "the ferry company", "the editor",
)  # fmt: skip
_DID = (
    "repaired", "described", "painted", "measured", "counted", "forgot", "sold", "inherited",
    "admired", "moved", "photographed", "borrowed", "restored", "drew", "cleaned", "postponed",
    "explained", "lost", "rebuilt", "examined", "praised", "returned", "weighed", "catalogued",
)  # fmt: skip
_HOW = (
    "wooden", "forgotten", "narrow", "rather heavy", "blue", "half-finished", "noisy", "ancient",
    "surprisingly small", "borrowed", "well-known", "crooked", "second", "rain-soaked", "modest",
    "brightly lit", "unpaid", "seasonal", "foreign", "square",
)  # fmt: skip
_WHAT = (
    "bridge", "ledger", "orchard", "clock", "timetable", "map", "chimney", "violin", "greenhouse",
    "letter", "staircase", "engine", "wall", "boat", "manuscript", "well", "kitchen", "window",
    "telescope", "market stall", "fence", "archive", "kiln", "lantern", "waterwheel", "catalogue",
)  # fmt: skip
_WHEN = (
    "before the first frost", "late in the afternoon", "during the long holidays", "twice that year",
    "on a grey morning", "after the concert", "while the river was high", "in the week of the fair",
    "without telling anyone", "at the end of the lease", "between two storms", "to everyone's relief",
    "as the custom was", "for the third time", "when the shops had closed", "by candlelight",
)  # fmt: skip
_WHY = (
    "because the roof had begun to leak", "although the price was high", "since nobody else would",
    "so that the path stayed open", "as the contract asked for it", "because of an old promise",
    "although the light was poor", "while the children watched", "since the inspector was due",
    "because the wind had turned", "and wrote a short note about it", "and asked for no reward",
)  # fmt: skip


def sentences(seed: int) -> Iterator[str]:
    """Sentences without end, the same ones for a seed, each followed by a blank or a new paragraph."""
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        end = "\n\n" if number % _PARAGRAPH_SENTENCES == 0 else " "
        yield _sentence(rng) + end


def _sentence(rng: random.Random) -> str:
    who, did, how, what = (rng.choice(words) for words in (_WHO, _DID, _HOW, _WHAT))
    thing = f"{did} the {how} {what}"
    shape = rng.randrange(5)
    if shape == 0:
        text = f"{who} {thing} {rng.choice(_WHEN)}"
    elif shape == 1:
        text = f"{rng.choice(_WHEN)}, {who} {thing}"
    elif shape == 2:
        text = f"{who} {thing} {rng.choice(_WHY)}"
    elif shape == 3:
        text = f"{who} {thing}, and {rng.choice(_WHO)} {rng.choice(_DID)} it {rng.choice(_WHEN)}"
    else:
        count = rng.randrange(2, 90)
        text = f"in {count} days {who} {thing} {rng.choice(_WHY)}"
    return text[0].upper() + text[1:] + "."
