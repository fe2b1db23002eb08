"""The command line as a person meets it: help, exit codes, where settings come from."""

import pathlib

import pytest

from deploy.cli import COMMANDS
from tests.deploy.conftest import Codeloop


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(codeloop: Codeloop, command: str) -> None:
    result = codeloop(command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage: codeloop" in result.stdout


@pytest.mark.parametrize("command", [name for name in COMMANDS if ":app" not in COMMANDS[name][0]])
def test_every_single_command_has_an_example(codeloop: Codeloop, command: str) -> None:
    after_usage = codeloop(command, "--help").stdout.partition("[OPTIONS]")[2]
    assert f"codeloop {command}" in after_usage


def test_wrong_usage_exits_with_2_and_suggests(codeloop: Codeloop) -> None:
    result = codeloop("servee")
    assert result.returncode == 2
    assert "serve" in result.stderr


def test_expected_error_is_one_line_and_exits_with_1(codeloop: Codeloop) -> None:
    result = codeloop("--config", "absent.toml", "config", "show")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("codeloop: absent.toml cannot be read")
    assert result.stderr.count("\n") == 1


def test_debug_shows_where_an_error_was_raised(codeloop: Codeloop) -> None:
    result = codeloop("--debug", "--config", "absent.toml", "config", "show")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_settings_come_from_option_then_variable_then_folder_then_user(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    def port() -> str:
        return next(line for line in shown().splitlines() if line.startswith("port"))

    arguments: list[str] = []
    environment: dict[str, str] = {}

    def shown() -> str:
        return codeloop(*arguments, "config", "show", **environment).stdout

    assert port() == "port = 8000  # default"
    user = tmp_path / ".config/codeloop/codeloop.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[server]\nport = 1\n")
    assert port() == f"port = 1  # {user}"
    (tmp_path / "codeloop.toml").write_text("[server]\nport = 2\n")
    assert port() == "port = 2  # codeloop.toml"
    (tmp_path / "variable.toml").write_text("[server]\nport = 3\n")
    environment["CODELOOP_CONFIG"] = "variable.toml"
    assert port() == "port = 3  # variable.toml"
    (tmp_path / "option.toml").write_text("[server]\nport = 4\n")
    arguments += ["--config", "option.toml"]
    assert port() == "port = 4  # option.toml"


def test_config_check_lists_every_fault(codeloop: Codeloop, tmp_path: pathlib.Path) -> None:
    (tmp_path / "bad.toml").write_text("[server]\nport = -1\nprot = 2\n")
    result = codeloop("config", "check", "bad.toml")
    assert result.returncode == 1
    assert "server.port is -1" in result.stderr
    assert "server.prot is not a setting" in result.stderr


def test_example_is_a_file_that_passes_the_check(
    codeloop: Codeloop, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "codeloop.toml").write_text(codeloop("config", "example").stdout)
    result = codeloop("config", "check")
    assert result.returncode == 0, result.stderr
    assert "codeloop.toml: right" in result.stdout


def test_version_names_codeloop_and_python(codeloop: Codeloop) -> None:
    lines = codeloop("version").stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {"codeloop", "python"}
