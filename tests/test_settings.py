"""Settings: read once, refused with their name, never shown when secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import SettingsError, describe, load


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUARRY_ENV_FILE", str(tmp_path / "env"))


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("QUARRY_PORT=1\nQUARRY_WORKERS=3\n")
    monkeypatch.setenv("QUARRY_PORT", "2")
    found = load()
    assert (found.port, found.workers) == (2, 3)
    origins = {row.name: row.origin for row in describe(found)}
    assert origins["QUARRY_PORT"] == "environment"
    assert origins["QUARRY_WORKERS"] == str(tmp_path / "env")
    assert origins["QUARRY_HOST"] == "default"


BAD = {"PORT": "x", "ISOLATION": "none", "WORKERS": "", "ACCESS_LOG": "?", "RATE_LIMIT": "fast"}


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"QUARRY_{name}", value)
    with pytest.raises(SettingsError, match=f"QUARRY_{name}"):
        load()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("QUARRY_JWT_SECRET", "hunter2" * 8)
    shown = repr([(row.name, row.value) for row in describe(load())])
    assert "hunter2" not in shown


def test_words_for_true_and_false(monkeypatch: pytest.MonkeyPatch) -> None:
    for word, meaning in {"1": True, "on": True, "YES": True, "0": False, "Off": False}.items():
        monkeypatch.setenv("QUARRY_ACCESS_LOG", word)
        assert load().access_log is meaning
