"""The database's schema: brought up to date once, and then left alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from server import store
from server.keys import KeyRing
from server.store import REVISION, VERSIONS, Store


@pytest.fixture
def scripts() -> Config:
    config = Config()
    folder = Path(store.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    return config


def test_the_newest_revision_is_that_of_the_scripts(scripts: Config) -> None:
    assert ScriptDirectory.from_config(scripts).get_current_head() == REVISION


def test_an_older_database_is_brought_up_to_date_with_what_it_holds(
    scripts: Config, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        scripts.attributes["connection"] = connection
        command.upgrade(scripts, "0001")
        assert not sa.inspect(connection).has_table(VERSIONS.name)
    engine.dispose()
    opened = Store(url)
    KeyRing(opened).create("someone", scopes=("complete",), lanes=("chat",))
    opened.close()
    again = Store(url)
    assert len(KeyRing(again).all()) == 1
    assert again.rows(sa.select(VERSIONS.c.id)) == []
    again.close()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    Store(url).close()
    program = f"import sys; from server.store import Store; Store({url!r}).close()"
    loaded = f"{program}; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
