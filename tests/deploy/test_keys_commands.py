"""`codeloop keys`: what a person types, and what a program reads."""

import json
import subprocess
import sys
from pathlib import Path

from server.keys import KeyRing
from server.settings import SCOPES
from server.store import Store


def keys(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy", "--home", str(home), "keys", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_created_key_works_is_listed_without_its_secret_and_ends_when_revoked(
    tmp_path: Path,
) -> None:
    secret = keys(tmp_path, "create", "alice", "--lane", "ide", "--days", "2").stdout.strip()
    listed = keys(tmp_path, "list", "--json").stdout
    (fields,) = json.loads(listed)
    assert (fields["name"], fields["state"], fields["lanes"]) == ("alice", "valid", ["ide"])
    assert secret not in listed
    store = Store(f"sqlite:///{tmp_path / 'codeloop.db'}")
    assert KeyRing(store).find(secret)
    assert keys(tmp_path, "revoke", secret).returncode == 0
    assert KeyRing(store).find(secret) is None
    store.close()
    again = keys(tmp_path, "revoke", secret)
    assert again.returncode == 1
    assert "keys list" in again.stderr


def test_an_unknown_scope_is_wrong_usage_and_makes_no_key(tmp_path: Path) -> None:
    done = keys(tmp_path, "create", "alice", "--scope", "everything")
    assert done.returncode == 2
    assert all(scope in done.stderr for scope in ("everything", *SCOPES))
    assert json.loads(keys(tmp_path, "list", "--json").stdout) == []


def test_usage_of_nobody_is_an_empty_table(tmp_path: Path) -> None:
    assert json.loads(keys(tmp_path, "usage", "--json").stdout) == []
