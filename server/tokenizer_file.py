"""tokenizer.json, read for the tokens that it knows; no tokenizer library is needed for that."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.errors import ModelCorrupt

NAME = "tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class TokenizerFacts:
    """ids: of every token, added ones included. added: texts of the added ones."""

    ids: frozenset[int]
    added: Mapping[str, int]


def read_tokenizer(folder: Path) -> TokenizerFacts | None:
    """What the folder's tokenizer.json knows; None when there is none. Raises ModelCorrupt."""
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = content["model"]["vocab"]
        # Unigram models keep a list, whose places are the ids; the others a table.
        is_table = isinstance(vocabulary, dict)
        ids = vocabulary.values() if is_table else range(len(vocabulary))
        added = {token["content"]: token["id"] for token in content.get("added_tokens", ())}
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} cannot be read as JSON: {error}; fetch it again") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelCorrupt(
            f"{path} is no tokenizer: {type(error).__name__} {error} where its vocabulary should be;"
            " fetch it again"
        ) from None
    return TokenizerFacts(ids=frozenset(ids) | frozenset(added.values()), added=added)


def added_tokens(folder: Path) -> frozenset[str]:
    """Texts of the tokens that were added to the vocabulary. Raises ModelCorrupt."""
    facts = read_tokenizer(folder)
    return frozenset(facts.added) if facts else frozenset()
