"""What an operator may set about the sandbox: the table `[sandbox]` of the settings file.

Every field's docstring is also its text in `codeloop config example` and in the manual.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

IsolationName = Literal["auto", "namespaces", "docker", "http", "bare"]

WARM_MODULES = ["json", "math", "collections", "heapq", "itertools", "re", "bisect", "functools", "random", "string", "typing", "datetime", "decimal", "fractions", "copy", "operator", "io", "os", "sys", "types", "traceback", "time", "statistics", "array", "enum", "dataclasses", "abc", "contextlib", "cmath", "queue"]  # fmt: skip


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NodeSettings(_Table):
    """`codeloop sandbox serve`: a sandbox for other machines, over HTTP."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 means every one."""
    port: int = Field(default=8070, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    keys: tuple[str, ...] = ()
    """Keys that clients may send as `Authorization: Bearer …`; empty means that anybody may, and then only on loopback."""
    queue: int = Field(default=256, ge=0)
    """Most programs waiting for a worker; one more is refused at once with 429 and Retry-After."""
    body_bytes: int = Field(default=128 * 2**20, ge=1024)
    """Largest request that is read."""


class SandboxSettings(_Table):
    """Where untrusted programs run, and what holds them."""

    isolation: IsolationName = "auto"
    """`auto` takes the strongest that works here: namespaces, then docker. `http` sends programs to `nodes`. `bare` holds nothing back but resources, and must be asked for by name."""
    workers: int | None = Field(default=None, ge=1, le=1024)
    """Programs that run at once; unset means one a processor."""
    python: str = ""
    """Interpreter that runs Python programs; empty means /usr/bin/python3, else the one that codeloop runs on."""
    python_path: tuple[str, ...] = ()
    """Folders of packages that Python programs may import, such as a virtual environment's site-packages."""
    preload: tuple[str, ...] = tuple(WARM_MODULES)
    """Modules that are imported before a program starts, so that its own import costs nothing."""
    folders: tuple[str, ...] = ()
    """Folders of this machine that programs may read besides /usr, such as a compiler's own."""
    docker_image: str = ""
    """Image for the isolation `docker`; empty means one that is built here, from this machine's own /usr."""
    docker_runtime: str = ""
    """Runtime for its containers, such as `runsc` for gVisor; empty means Docker's default."""
    docker_url: str = ""
    """Docker's socket, such as unix:///run/docker.sock; empty means what DOCKER_HOST or Docker's default says."""
    nodes: tuple[str, ...] = ()
    """Addresses of sandbox nodes for the isolation `http`, such as http://10.0.0.7:8070."""
    node_key: str = ""
    """Key for those nodes."""
    cache: str = "~/.cache/codeloop/sandbox"
    """Folder where compiled programs are kept."""
    cache_bytes: int = Field(default=2**30, ge=0)
    """Most that compiled programs may take there; the longest unused go first."""
    node: NodeSettings = NodeSettings()
    """This machine as a node."""
