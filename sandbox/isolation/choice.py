"""Which isolation is used: the one that was asked for, or the strongest that works here."""

import logging

from sandbox.errors import IsolationUnavailable
from sandbox.isolation.bare import BareIsolation
from sandbox.isolation.isolation import Isolation
from sandbox.isolation.namespaces import NamespaceIsolation
from sandbox.settings import SandboxSettings

log = logging.getLogger(__name__)


def choose(settings: SandboxSettings) -> Isolation:
    """An isolation that has opened a worker here. Never one that holds less than was asked for.

    Raises IsolationUnavailable with what each lacks.
    """
    if settings.isolation == "bare":
        log.warning(
            "isolation 'bare' holds programs by resource limits only: they can read your files"
        )
        return BareIsolation(settings)
    if settings.isolation == "namespaces":
        return NamespaceIsolation(settings)
    from sandbox.isolation.docker import DockerIsolation

    if settings.isolation == "docker":
        return DockerIsolation(settings)
    reasons = []
    for isolation in (NamespaceIsolation, DockerIsolation):
        try:
            found: Isolation = isolation(settings)
            found.open_worker().close()
        except IsolationUnavailable as error:
            reasons.append(f"{isolation.name}: {error}")
        else:
            return found
    raise IsolationUnavailable(
        "no isolation works here; " + "; ".join(reasons) + ". `codeloop sandbox probe` tells more."
        " isolation = 'bare' runs programs without one, and must be asked for by name"
    )
