"""Names of models: the short ones, hub ids, and what a text means that a person gave for one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from server.errors import ModelNotFound

GIB = 2**30
HUB_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$")
STORE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Made on this machine by a program of ours; needs no hub.

    sha256: of model.safetensors, None when it may differ between machines. num_bytes: on disk.
    """

    program: str
    about: str
    sha256: str | None
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class OnHub:
    """A repository of the hub."""

    repository: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a name or a hub id means.

    name: of its folder in a store. where: it comes from; None for a name of the user's own, whose
    files can only be copied from a folder.
    """

    text: str
    name: str
    where: Embedded | OnHub | None

    @property
    def origin(self) -> str | None:
        """The program or the repository that it comes from; manifests record it."""
        if isinstance(self.where, Embedded):
            return self.where.program
        return self.where.repository if self.where else None


NAMES: Mapping[str, Embedded | OnHub] = {
    "smollm2-135m": Embedded(
        program="server.make_smollm2",
        about="SmolLM2-135M-Instruct, inside a package: the default without a GPU",
        sha256="7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b",
        num_bytes=GIB // 3,
    ),
    "tiny-64k": Embedded(
        program="server.make_tiny",
        about="random weights, 64K window: for tests",
        sha256=None,
        num_bytes=GIB // 64,
    ),
    "deepcoder-14b": OnHub(
        repository="agentica-org/DeepCoder-14B-Preview",
        about="reasoning about code: the default on a GPU",
    ),
    "deepseek-r1-distill-qwen-1.5b": OnHub(
        repository="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", about="reasoning, small"
    ),
    "deepseek-r1-distill-qwen-7b": OnHub(
        repository="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", about="reasoning, middling"
    ),
    "deepseek-r1-distill-qwen-14b": OnHub(
        repository="deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", about="what DeepCoder began as"
    ),
    "deepseek-coder-v2-lite-base": OnHub(
        repository="deepseek-ai/DeepSeek-Coder-V2-Lite-Base", about="fill-in-the-middle for editors"
    ),
    "deepseek-coder-v2-lite-instruct": OnHub(
        repository="deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", about="fast chat"
    ),
    "deepseek-coder-v2-instruct": OnHub(
        repository="deepseek-ai/DeepSeek-Coder-V2-Instruct", about="236B, for eight GPUs"
    ),
    "qwen2.5-coder-0.5b-instruct": OnHub(
        repository="Qwen/Qwen2.5-Coder-0.5B-Instruct", about="smallest that fills in the middle"
    ),
    "qwen2.5-coder-1.5b-instruct": OnHub(
        repository="Qwen/Qwen2.5-Coder-1.5B-Instruct", about="small, fills in the middle"
    ),
    "qwen2.5-coder-7b-instruct": OnHub(
        repository="Qwen/Qwen2.5-Coder-7B-Instruct", about="fills in the middle, calls tools"
    ),
    "qwen2.5-coder-14b-instruct": OnHub(
        repository="Qwen/Qwen2.5-Coder-14B-Instruct", about="fills in the middle, calls tools"
    ),
    "qwen2.5-coder-32b-instruct": OnHub(
        repository="Qwen/Qwen2.5-Coder-32B-Instruct", about="fills in the middle, calls tools"
    ),
}


def read_source(text: str) -> Source:
    """The meaning of a short name, a hub id or a store name. Raises ModelNotFound for none of them.

    A hub id that has a short name is stored under that one, so that nothing is fetched twice.
    """
    if text in NAMES:
        return Source(text=text, name=text, where=NAMES[text])
    if not HUB_ID.match(text):
        if not STORE_NAME.match(text):
            raise unknown(text)
        return Source(text=text, name=text, where=None)
    for name, known in NAMES.items():
        if isinstance(known, OnHub) and known.repository.lower() == text.lower():
            return Source(text=text, name=name, where=known)
    short = text.rpartition("/")[2].lower()
    if not STORE_NAME.match(short):
        raise unknown(text)
    return Source(text=text, name=short, where=OnHub(repository=text))


def unknown(text: str) -> ModelNotFound:
    """The error for a text that means no model."""
    return ModelNotFound(
        f"the model {text!r} is neither in the store, nor a folder, nor a hub id (owner/name);"
        f" known names are {', '.join(NAMES)}"
    )
