"""A secret may be in a file that a variable names, where no list of processes or containers shows it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from scheduler.entrypoints import settings as settings_module
from scheduler.entrypoints.settings import Settings, SettingsError
from tests.unit.entrypoints.test_settings import SECRETS

NAMES = sorted(SECRETS)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    file = folder / name
    file.write_text(text)
    monkeypatch.setenv(f"{name}_FILE", str(file))


def secret(name: str) -> str:
    value = getattr(Settings.load(), name.lower())
    assert isinstance(value, SecretStr)
    return value.get_secret_value()


def test_each_secret_may_be_in_a_file() -> None:
    hidden = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}

    assert set(settings_module.SECRETS) == hidden
    assert {name.upper() for name in hidden} == SECRETS.keys()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_holds_the_secret_with_or_without_a_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ending: str
) -> None:
    put(tmp_path, monkeypatch, name, SECRETS[name] + ending)

    assert secret(name) == SECRETS[name]


def test_the_variable_itself_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, "REDIS_PASSWORD", "of the file")
    monkeypatch.setenv("REDIS_PASSWORD", "of the variable")

    assert secret("REDIS_PASSWORD") == "of the variable"


def test_an_empty_file_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, "DATABASE_URL", "\n")

    assert Settings.load().database_url is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "absent"))

    with pytest.raises(SettingsError, match=r"^DATABASE_URL_FILE: .*absent"):
        Settings.load()


def test_a_file_that_is_no_text_is_named_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"pass-\xff")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))

    with pytest.raises(SettingsError, match=r"^REDIS_PASSWORD_FILE: ") as caught:
        Settings.load()
    assert "pass-" not in str(caught.value)


def test_what_a_file_holds_is_checked_like_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, "DATABASE_URL", "mysql://me:pass-word@localhost/x")

    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as caught:
        Settings.load()
    assert "pass-" not in str(caught.value)
