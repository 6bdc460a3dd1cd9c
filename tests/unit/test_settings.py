"""Settings from the environment and from flags; flags win."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from service.settings import Settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GATEWISE_{name.upper()}", raising=False)


def from_flags(*flags: str) -> Settings:
    return CliApp.run(Settings, cli_args=list(flags))


def test_defaults() -> None:
    settings = from_flags()
    assert settings.repository == Path("models")
    assert settings.store == "sqlite:///gatewise.db"
    assert (settings.device, settings.durability, settings.threads) == ("auto", "normal", 1)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWISE_PORT", "1234")
    monkeypatch.setenv("GATEWISE_SESSION_TTL_SECONDS", "5.5")
    settings = from_flags()
    assert (settings.port, settings.session_ttl_seconds) == (1234, 5.5)


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWISE_PORT", "1234")
    monkeypatch.setenv("GATEWISE_MAX_QUEUE", "7")
    settings = from_flags("--port", "4321", "--max-body-bytes", "10")
    assert (settings.port, settings.max_queue, settings.max_body_bytes) == (4321, 7, 10)


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_has_a_description(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--device", "tpu"),
        ("--durability", "none"),
        ("--threads", "0"),
        ("--session-ttl-seconds", "0"),
        ("--session-ttl-seconds", "nan"),
        ("--session-ttl-seconds", "inf"),
        ("--expired-retention-seconds", "60"),
        ("--max-queue", "0"),
        ("--max-batch", "0"),
        ("--log-level", "loud"),
    ],
)
def test_values_that_make_no_sense(flag: str, value: str) -> None:
    with pytest.raises(ValidationError) as raised:
        from_flags(flag, value)
    assert raised.value.errors()[0]["loc"] == (flag.removeprefix("--").replace("-", "_"),)


def test_unknown_flag() -> None:
    with pytest.raises(SettingsError, match="--devise"):
        from_flags("--devise", "cpu")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        from_flags().__setattr__("port", 1)
