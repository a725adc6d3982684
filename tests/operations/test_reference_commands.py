"""`quarry sql explain|compare|reference`, which make their own reference data at the first use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RUN_FOLDER
from tests.operations.edits import copied

SQL = Path(__file__).parents[2] / "sql"
SMALL = ("--documents", "10000")  # documents are the one large table


class Folder:
    """A checkout with query files in git, and `quarry sql` in it."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.sql = root, copied(SQL, root)
        self.settings = {**os.environ, "QUARRY_DATA_DIR": str(data), "COLUMNS": "100",
                         "QUARRY_SQL_DIR": str(self.sql),
                         "PYTHONPATH": str(SQL.parent)}  # fmt: skip
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=dba", "-c", "user.email=d@b.a", "commit", "-qm", "as it was")

    def git(self, *words: str) -> None:
        subprocess.run(["git", "-C", str(self.root), *words], check=True)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "service", "sql", *words]
        return subprocess.run(
            command, cwd=self.root, env=self.settings, capture_output=True, text=True, check=False
        )

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.sql / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def data(worker_id: str) -> Path:
    return Path(os.environ[RUN_FOLDER]) / f"commands-{worker_id}"


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Folder:
    return Folder(tmp_path, data)


def test_compare_tells_what_an_edit_does_to_callers_and_plan(folder: Folder) -> None:
    nothing = folder("compare", *SMALL)
    assert (nothing.returncode, nothing.stdout) == (0, ""), nothing.stderr
    folder.edit("documents/latest.sql", "d.version, d.revision", "d.version AS number, d.revision")
    folder.edit("documents/latest.sql", "ORDER BY d.version", "ORDER BY octet_length(d.content)")
    (folder.sql / "members/role.sql").unlink()
    done = folder("compare", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "generate the reference data" in done.stderr
    shown = done.stdout
    assert "documents.latest  used by GET /projects/{project_id}/documents/latest" in shown
    assert "  BREAKING    column version is gone (int)\n" in shown
    assert "  plan        index → sort\n" in shown
    assert "sql/documents/latest.sql:7:10: sort: rows are sorted by" in shown
    assert "members.role" in shown and "  BREAKING    query is gone\n" in shown
    [latest, role] = json.loads(folder("compare", *SMALL, "--json").stdout)
    assert latest["after"]["buffers"] > latest["before"]["buffers"] * 3
    assert role["after"] is None
    assert folder("compare", "no-such-commit", *SMALL).returncode == 2


def test_assert_and_write(folder: Folder) -> None:
    fine = folder("explain", "documents.get", "documents.latest", "--assert", *SMALL)
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert fine.stderr.endswith("plans and budgets are kept by 2 of 2\n")
    folder.edit("documents/latest.sql", "-- budget: 20 buffers\n", "")
    missing = folder("explain", "documents.latest", "--assert", *SMALL, "--format", "github")
    assert missing.returncode == 1
    assert missing.stdout.startswith("::error file=sql/documents/latest.sql,line=1,col=10,")
    assert missing.stderr.endswith("1 finding\n")
    assert folder("explain", "documents.latest", "--write", *SMALL).returncode == 0
    header = (folder.sql / "documents/latest.sql").read_text().partition("SELECT")[0]
    assert re.search(r"\n-- plan: index\n-- budget: \d+ buffers\n$", header)


def test_explain_shows_each_run_with_its_values(folder: Folder) -> None:
    done = folder("explain", "documents.list", "--analyze", *SMALL, "-p", "document_type=brief")
    assert done.returncode == 0, done.stderr
    for title in ("largest tenant", "largest tenant, next page", "middle tenant"):
        assert f"-- {title}: " in done.stdout
    assert "document_type=brief" in done.stdout and "after_document_type=NULL" in done.stdout
    table = folder("explain", "documents.list", "documents.get", "--analyze", *SMALL)
    assert [line.split()[0] for line in table.stdout.splitlines()] == [
        "name", "documents.list", "documents.get",
    ]  # fmt: skip


def test_psql_opens_on_the_reference_data(folder: Folder) -> None:
    done = folder("reference", *SMALL, "-Atc", "SELECT count(*) FROM core.tenants")
    assert (done.returncode, done.stdout) == (0, "100\n"), done.stderr
