"""Which part may import which; read from the source, nothing is imported."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAY_IMPORT: dict[str, set[str]] = {
    "sandbox": set(),
    "server": set(),
    "evaluator": {"sandbox"},
    "trainer": {"evaluator", "sandbox.program", "sandbox.outcome", "server.protocol"},
    "deploy": {"sandbox", "server", "evaluator", "trainer"},
}
WIRE_MODULES = [
    f"{path.parent.name}.{path.stem}"
    for part in sorted(MAY_IMPORT)
    for name in ("errors.py", "protocol.py", "settings.py")
    for path in [ROOT / part / name]
    if path.exists()
]
HEAVY = {"torch", "transformers", "vllm"}


def imported_modules(path: pathlib.Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def allowed(module: str, grants: set[str]) -> bool:
    return any(module == grant or module.startswith(f"{grant}.") for grant in grants)


def modules_loaded_by(code: str) -> set[str]:
    """Top-level names in sys.modules after a fresh interpreter ran `code`."""
    report = "import sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(result.stdout.splitlines()[-1].split())


def test_imports_flow_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for part, grants in MAY_IMPORT.items()
        for path in sorted((ROOT / part).rglob("*.py"))
        for module in sorted(imported_modules(path))
        if module.partition(".")[0] in MAY_IMPORT.keys() - {part} and not allowed(module, grants)
    ]
    assert wrong == []


def test_only_what_runs_inside_vllms_processes_imports_it() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for part in MAY_IMPORT
        for path in (ROOT / part).rglob("*.py")
        if any(module.partition(".")[0] == "vllm" for module in imported_modules(path))
    }
    assert importers <= {
        "server/engine_host.py",
        "server/engine_scheduler.py",
        "server/engine_worker.py",
    }


@pytest.mark.parametrize("module", WIRE_MODULES)
def test_vocabulary_is_light_enough_for_everybody(module: str) -> None:
    assert modules_loaded_by(f"import {module}").isdisjoint(HEAVY)


def test_help_loads_no_server_and_no_engine() -> None:
    loaded = modules_loaded_by(
        "from typer.testing import CliRunner; from deploy.cli import app;"
        " assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    )
    assert loaded.isdisjoint(HEAVY | {"fastapi", "litellm", "sqlalchemy", "aiohttp"})


def test_torchvision_is_absent_or_fits_the_installed_torch() -> None:
    # One built for CUDA breaks a CPU torch on import, and transformers with it.
    code = (
        "import importlib.util as u\n"
        "if u.find_spec('torch') and u.find_spec('torchvision'): import torchvision"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-500:]
