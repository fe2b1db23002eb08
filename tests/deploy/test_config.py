"""The settings file: what it may say, and what is said when it says something else."""

import pathlib
import re
from collections.abc import Callable

import pytest

from deploy.config import Settings, load_settings
from deploy.errors import SettingsError
from deploy.settings_text import effective, example, given_keys
from server.settings import ModelSettings

Write = Callable[[str], pathlib.Path]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    def write_file(text: str) -> pathlib.Path:
        path = tmp_path / "site.toml"
        path.write_text(text)
        return path

    return write_file


def problems(path: pathlib.Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return list(caught.value.problems)


def test_without_a_file_everything_has_its_default() -> None:
    assert load_settings(None) == Settings()


def test_options_replace_the_file(write: Write) -> None:
    path = write('[deploy]\nhome = "/srv/file"\nlog_level = "error"\n')
    settings = load_settings(path, home=pathlib.Path("/srv/option"))
    assert settings.deploy.home == pathlib.Path("/srv/option")
    assert settings.deploy.log_level == "error"


def test_home_may_begin_with_a_tilde(write: Write) -> None:
    settings = load_settings(write('[deploy]\nhome = "~/models"\n'))
    assert settings.deploy.home == pathlib.Path.home() / "models"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nport = 99999", "server.port is 99999: it must be at most 65535"),
        ("[server]\nport = true", "server.port is true: it must be a whole number"),
        ('[server]\nport = "8000"', 'server.port is "8000": it must be a whole number'),
        ("[server]\nprot = 1", "server.prot is not a setting: did you mean port?"),
        ("[sevrer]\nport = 1", "sevrer is not a setting: did you mean server?"),
        ("[server]\nhost = 5", 'server.host is 5: it must be text in quotes, as in "text"'),
        ("[server]\nkeep_alive_seconds = 0", "keep_alive_seconds is 0: it must be greater than 0"),
        ("[server]\nkeep_alive_seconds = nan", "keep_alive_seconds is NaN: it must be"),
        ('[deploy]\nlog_level = "loud"', "it must be 'debug', 'info', 'warning' or 'error'"),
        ('[server]\nmetrics_need_key = "yes"', "it must be true or false"),
        ("server = 3", "server is 3: it must be a table"),
        ("[[server.models]]\nsource = 'x'", "server.models[0].name is not set"),
        ("[[server.models]]\nname = 'a b'", 'server.models[0].name is "a b": it must match'),
        ("[[server.models]]\nname = 'a'\naliases = 'b'", "it must be a list"),
        ("[[server.models]]\nname = 'a'\nconcurency = 1", "did you mean concurrency?"),
        ("[[server.models]]\nname = 'a'\nscript = 's'", "set engine = 'scripted' or drop script"),
        ("[[server.models]]\nname = 'a'\n[[server.models]]\nname = 'a'", "'a' is given twice"),
    ],
)
def test_a_fault_is_told_with_file_key_value_and_rule(
    write: Write, text: str, expected: str
) -> None:
    path = write(text)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: ")
    assert expected in problem


def test_a_wrong_value_names_the_default_to_fall_back_on(write: Write) -> None:
    (problem,) = problems(write("[server]\nport = -1"))
    assert problem.endswith("correct it, or leave it out for the default, 8000")


def test_every_fault_of_a_file_is_listed(write: Write) -> None:
    found = problems(write('[deploy]\nlog_level = "loud"\n[server]\nport = -1\nprot = 1\n'))
    assert len(found) == 3


def test_broken_toml_is_told_with_its_line(write: Write) -> None:
    (problem,) = problems(write("[server]\nport = \n"))
    assert "is not TOML" in problem
    assert "line 2" in problem


def test_a_file_that_is_not_there_is_an_error_with_a_way_out(tmp_path: pathlib.Path) -> None:
    (problem,) = problems(tmp_path / "absent.toml")
    assert "absent.toml cannot be read" in problem
    assert "codeloop config example" in problem


def test_a_file_that_is_not_utf8_is_told_with_the_byte(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"[deploy]\nhome = '/\xe9'\n")
    (problem,) = problems(path)
    assert "0xe9" in problem


def test_example_uncommented_says_what_the_defaults_say(write: Write) -> None:
    uncommented = re.sub(r"^#(?! )", "", example(Settings), flags=re.MULTILINE)
    settings = load_settings(write(uncommented))
    assert settings.server.models == (ModelSettings(name="smollm2-135m"),)
    without_model = settings.server.model_copy(update={"models": ()})
    assert settings.model_copy(update={"server": without_model}) == Settings()


def test_example_as_printed_changes_nothing(write: Write) -> None:
    assert load_settings(write(example(Settings))) == Settings()


def test_example_has_every_key_with_its_meaning() -> None:
    text = example(Settings)
    for name, field in ModelSettings.model_fields.items():
        assert re.search(rf"^# ?{name} = ", text, flags=re.MULTILINE), name
        assert field.description, f"{name} needs a docstring"


def test_effective_settings_load_again_as_themselves(write: Write) -> None:
    settings = load_settings(
        write(
            '[deploy]\nhome = "/srv/ä b"\n[server]\nport = 1\n'
            "tls = { certificate = '/c', private_key = '/k' }\n"
            "[[server.models]]\nname = 'a'\naliases = ['b', 'c.d']\n"
            "[[server.models]]\nname = 'e'\ncontext_tokens = 4096\n"
        )
    )
    assert load_settings(write(effective(settings, lambda _: "somewhere"))) == settings


def test_given_keys_are_those_of_the_file() -> None:
    tables = {"server": {"port": 1, "models": [{"name": "a"}, {"name": "b", "aliases": []}]}}
    assert list(given_keys(tables)) == [
        "server.port",
        "server.models[0].name",
        "server.models[1].name",
        "server.models[1].aliases",
    ]
