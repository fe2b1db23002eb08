"""Are the models that would be served here, and whole?"""

from collections.abc import Iterator
from pathlib import Path

from deploy.finding import Finding, Level
from server.errors import ModelError, ModelNotFound
from server.settings import ServerSettings


def model_findings(settings: ServerSettings, home: Path, *, has_gpu: bool) -> Iterator[Finding]:
    """One finding for each model that `codeloop serve` would run; nothing is fetched."""
    # Imported here: it brings the whole gateway, which the other findings do without.
    from deploy.serve_command import CPU_MODEL, GPU_MODEL

    sources = [
        model.source or model.name for model in settings.models if model.engine != "scripted"
    ]
    if not settings.models:
        sources = [GPU_MODEL if has_gpu else CPU_MODEL]
    for source in sources:
        yield _model(source, home / "models")


def _model(source: str, store: Path) -> Finding:
    from server.model_folder import check_folder
    from server.model_store import ModelStore

    try:
        folder = ModelStore(store).resolve(source, pull=False)
        check_folder(folder)
    except ModelNotFound:
        return Finding(
            level=Level.WARN,
            subject="model",
            text=f"{source} is not here yet; `codeloop serve` gets it first",
            fix=f"codeloop models pull {source}",
        )
    except ModelError as error:
        return Finding(
            level=Level.FAIL,
            subject="model",
            text=str(error),
            fix=f"codeloop models verify {source}, then pull it again",
        )
    return Finding(level=Level.OK, subject="model", text=f"{source} in {folder}")
