"""Languages as data: what their files must say, how one is named and found. No compiler is needed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import SandboxError, ToolchainMissing, UnknownLanguage
from sandbox.executable import find_executable, folders_needed
from sandbox.java_name import java_name
from sandbox.toolchain import (
    SelfTest,
    Toolchain,
    language_of,
    load,
    located,
    program,
    toolchain,
    toolchains,
)

PROMISED = """
    python c cpp cpp20 java javascript typescript go rust csharp php bash ruby perl lua
    d haskell julia kotlin ocaml r racket scala swift go_test
"""

GOOD = """
title = "Toy"
aliases = ["toy-1"]
extensions = [".toy"]
main = "main.toy"
compile = ["toyc", "-o", "program", "{sources}"]
artefacts = ["program"]
run = ["./program"]
version = ["toyc", "--version"]
packages = ["toy"]
[self_test]
source = "add"
stdin = "3 4"
stdout = "7"
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(**files: str) -> Path:
        for name, content in files.items():
            (tmp_path / f"{name}.toml").write_text(content)
        return tmp_path

    return write_files


def made(**fields: object) -> Toolchain:
    values: dict[str, object] = {
        "name": "toy",
        "title": "Toy",
        "extensions": (".toy",),
        "main": "main.toy",
        "run": ("toy-nowhere", "{main}"),
        "version": ("toy-nowhere",),
        "self_test": SelfTest(source="add", stdin="3 4", stdout="7"),
    }
    return Toolchain(**(values | fields))  # type: ignore[arg-type]  # any of its fields


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_every_promised_language_is_there() -> None:
    assert set(PROMISED.split()) <= set(toolchains())


@pytest.mark.parametrize("name", sorted(toolchains()))
def test_every_language_proves_itself_by_stdin_and_stdout(name: str) -> None:
    chain = toolchains()[name]
    assert chain.self_test.source.strip()
    assert chain.self_test.stdin == "3 4\n"
    assert chain.self_test.stdout.startswith("7 three")
    made_of_it = program(name, chain.self_test.source)
    assert made_of_it.main == chain.main


@pytest.mark.parametrize("name", sorted(toolchains()))
def test_every_language_says_how_to_get_it(name: str) -> None:
    chain = toolchains()[name]
    assert chain.packages or chain.how


@pytest.mark.parametrize(
    ("alias", "name"),
    [("c++", "cpp"), ("C++17", "cpp"), ("cs", "csharp"), ("sh", "bash"), ("JS", "javascript")],
)
def test_a_language_is_found_by_alias_in_any_case(alias: str, name: str) -> None:
    assert toolchain(alias).name == name


def test_an_unknown_language_is_told_what_is_near_and_what_there_is() -> None:
    with pytest.raises(UnknownLanguage, match=r"'pyton' is unknown: did you mean .*python.*rust"):
        toolchain("pyton")


def test_a_hostile_language_name_makes_a_short_message() -> None:
    with pytest.raises(UnknownLanguage) as caught:
        toolchain("x" * 1_000_000)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.cc", "cpp"), ("main.cpp", "cpp"), ("X.PY", "python"), (Path("m.rs"), "rust")],
)
def test_a_file_has_its_language_by_suffix(path: str | Path, name: str) -> None:
    assert language_of(path) == name


@pytest.mark.parametrize("path", ["program", "program.klingon", ""])
def test_a_file_of_no_language_says_so(path: str) -> None:
    with pytest.raises(UnknownLanguage, match="name the language"):
        language_of(path)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("public class Solution { }", "Solution"),
        ("import x;\npublic final class A { static class B { } }", "A"),
        (
            "class Pair { int a; }\nclass Problem { public static void main(String[] a) { } }",
            "Problem",
        ),
        ("class P { static class Q { } static void main(String[] a) { } } class R { }", "P"),
        ("// public class No\n/* public class No2 */ class Yes { void main() { } }", "Yes"),
        ('class S { String s = "} public class No {"; static void main(String[] a) { } }', "S"),
        ("class A { char c = '}'; } class B { static void main(String[] a) { } }", "B"),
        ("public record Point(int x) { }", "Point"),
        ("class Helper { }", "Main"),
        ("", "Main"),
        ("public class", "Main"),
        ("public class " + "x" * 5000, "Main"),
    ],
)
def test_a_java_program_is_named_after_its_public_or_main_class(source: str, name: str) -> None:
    assert java_name(source.encode()) == name
    assert program("java", source).main == f"{name}.java"


@pytest.mark.parametrize(
    "source", ['\\"""\n' * 200_000, "/*" * 500_000, '"' * 999_999, '"""' + '\\"' * 400_000 + "\\"]
)
def test_no_source_makes_naming_it_slow(source: str) -> None:
    start = time.process_time()
    java_name(source.encode())
    assert time.process_time() - start < 2.0


def test_a_source_that_is_no_text_is_the_compilers_business() -> None:
    assert program("java", b"\xff\xfe{").files == {"Main.java": b"\xff\xfe{"}
    assert program("cpp", "\ud800").files == {"main.cpp": b"\xed\xa0\x80"}


def test_arguments_and_stdin_reach_the_program() -> None:
    found = program("py", "print(1)", arguments=["-x"], stdin=b"3")
    assert (found.language, found.arguments, found.stdin) == ("python", ("-x",), b"3")


def test_a_missing_toolchain_says_what_is_missing_and_how_to_get_it() -> None:
    with pytest.raises(ToolchainMissing) as caught:
        located(made(packages=("toy-runtime",)))
    for part in ("'toy'", "toy-nowhere", "toy-runtime", "codeloop sandbox languages --install toy"):
        assert part in str(caught.value)


def test_a_missing_toolchain_that_debian_lacks_says_where_it_is() -> None:
    with pytest.raises(ToolchainMissing, match="unpack it from its site"):
        located(made(how="unpack it from its site"))


def test_what_its_commands_start_must_be_there_and_may_come_later(tmp_path: Path) -> None:
    executable(tmp_path / "toyc")
    chain = made(run=("./program",), compile=("toyc", "{main}"), needs=("toy-linker",))
    with pytest.raises(ToolchainMissing, match="needs toy-linker,"):
        located(chain, [str(tmp_path)])
    executable(tmp_path / "toy-linker")
    assert set(located(chain, [str(tmp_path)])) == {"toyc", "toy-linker"}


def test_a_version_managers_shim_is_not_taken(tmp_path: Path) -> None:
    executable(tmp_path / ".pyenv/shims/toy")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/toy").symlink_to(tmp_path / ".pyenv/shims/toy")
    real = executable(tmp_path / "real/toy")
    folders = (str(tmp_path / ".pyenv/shims"), str(tmp_path / "bin"), str(tmp_path / "real"))
    assert find_executable("toy", folders) == str(real)
    assert find_executable("toy", folders[:2]) is None


def test_behind_rustup_the_stable_toolchain_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    executable(tmp_path / "cargo/bin/rustup")
    (tmp_path / "cargo/bin/toy-rustc").symlink_to("rustup")
    folders = (str(tmp_path / "cargo/bin"),)
    assert find_executable("toy-rustc", folders) is None
    for channel in ("nightly-x86_64", "1.9.0-x86_64", "1.80.1-x86_64"):
        executable(tmp_path / "toolchains" / channel / "bin/toy-rustc")
    found = find_executable("toy-rustc", folders)
    assert found == str(tmp_path / "toolchains/1.80.1-x86_64/bin/toy-rustc")
    assert folders_needed(found) == (str(tmp_path / "toolchains/1.80.1-x86_64"),)


@pytest.mark.parametrize(
    ("path", "folders"),
    [
        ("/usr/bin/toy-none", ()),
        ("/opt/toy-none-22/bin/toy", ("/opt/toy-none-22",)),
        ("/opt/bin/toy-none", ("/opt/bin",)),
        ("/home/anna/bin/toy-none", ("/home/anna/bin",)),
        ("/home/anna/toy-none", ("/home/anna/toy-none",)),
        ("/srv/anna/.local/bin/toy-none", ("/srv/anna/.local/bin",)),
    ],
)
def test_what_must_be_visible_is_the_installation_and_never_a_home(
    path: str, folders: tuple[str, ...]
) -> None:
    assert folders_needed(path) == folders


def test_where_a_link_leads_must_be_visible(tmp_path: Path) -> None:
    real = executable(tmp_path / "toy-9/bin/toy")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/toy").symlink_to(real)
    assert folders_needed(str(tmp_path / "links/toy")) == (
        str(tmp_path / "links"),
        str(tmp_path / "toy-9"),
    )


def test_a_good_file_becomes_a_toolchain(write: Write) -> None:
    chain = load(write(toy=GOOD))["toy"]
    assert chain.executables == ("toyc",)
    assert chain.compile == ("toyc", "-o", "program", "{sources}")
    assert chain.self_test.stdout == "7"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Toy"', 'title = "Toy', "no TOML"),
        ('title = "Toy"', "", "has no 'title'"),
        ('title = "Toy"', "title = 3", "title = 3: it is a text"),
        ('title = "Toy"', 'title = "Toy"\ncolour = "red"', "has 'colour'"),
        ('run = ["./program"]', 'run = "./program"', "run = './program': it is a list"),
        ('run = ["./program"]', "run = []", "at least one word"),
        ('"{sources}"]', '"{work}"]', "'{work}': filled in are {main}, {sources}, {stem}"),
        ('artefacts = ["program"]', "", "compile and artefacts"),
        ('artefacts = ["program"]', 'artefacts = ["../x"]', "inside the work folder"),
        ('artefacts = ["program"]', 'artefacts = ["x"]\nprocesses = -1', "whole number"),
        ('artefacts = ["program"]', 'artefacts = ["x"]\nmemory_bytes = true', "whole number"),
        ('extensions = [".toy"]', 'extensions = ["toy"]', "a dot and"),
        ('packages = ["toy"]', "", "name Debian's"),
        ('stdin = "3 4"', "", "a source, its stdin and its stdout"),
        ('stdout = "7"', 'stdout = ""', "a source, its stdin and its stdout"),
        ('stdout = "7"', "stdout = 7", "a table of texts"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_rule(
    write: Write, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    with pytest.raises(SandboxError) as caught:
        load(write(toy=GOOD.replace(old, new)))
    assert "toy.toml" in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(("taken", "free"), [("toy-1", ".toy"), (".toy", "toy-1")])
def test_no_two_languages_share_a_name_or_a_suffix(write: Write, taken: str, free: str) -> None:
    other = GOOD.replace(free, free + "2")
    with pytest.raises(SandboxError, match=f"'{taken}' belongs to toy and toz"):
        load(write(toy=GOOD, toz=other))


def test_of_several_ways_the_first_that_is_installed_is_taken(write: Write) -> None:
    ways = """
[[commands]]
needs = ["toy-nowhere"]
packages = ["first"]
[[commands]]
compile = ["sh", "{main}"]
packages = ["second"]
[[commands]]
compile = ["sh", "-x", "{main}"]
"""
    assert load(write(toy=GOOD + ways))["toy"].packages == ("second",)


def test_of_several_ways_none_of_which_is_installed_the_first_is_asked_for(write: Write) -> None:
    ways = '\n[[commands]]\npackages = ["first"]\n[[commands]]\npackages = ["second"]\n'
    chain = load(write(toy=GOOD + ways))["toy"]
    with pytest.raises(ToolchainMissing, match="first"):
        located(chain)


@pytest.mark.skipif(os.getuid() == 0, reason="root may install")
def test_only_root_installs() -> None:
    from sandbox.toolchain_place import install

    with pytest.raises(SandboxError, match="by root"):
        install(["lua"])


def test_what_debian_lacks_cannot_be_installed() -> None:
    from sandbox.toolchain_place import install

    with pytest.raises(SandboxError, match=r"'swift' has no Debian package: .*swift\.org"):
        install(["swift"])


def test_assertions_are_alive_where_a_language_skips_them_by_default() -> None:
    assert "-ea" in toolchain("java").run
    assert "-d:DEBUG" in toolchain("csharp").compile
