from __future__ import annotations

from pathlib import Path

import pytest

from lingome.config.schema.settings import RunSettings, Settings, load_settings
from lingome.core.errors import ConfigError


class Inner(Settings):
    lr: float = 0.1


class Example(RunSettings):
    name: str
    inner: Inner = Inner()


def test_later_wins(tmp_path: Path):
    file = tmp_path / "a.yaml"
    file.write_text("name: file\nseed: 1\ninner: {lr: 0.5}\n")
    settings = load_settings(Example, file, ["inner.lr=1e-3", "seed=2"], {"seed": 3, "device": None})
    assert (settings.name, settings.seed, settings.inner.lr, settings.device) == ("file", 3, 0.001, "auto")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["nmae=x"], "did you mean 'name'"),
        (["name=x", "inner.lrr=1"], r"did you mean 'inner.lr'"),
        (["name=x", "seed=-1"], "seed: .*greater than or equal to 0"),
        ([], "setting 'name' is needed"),
        (["name"], "key=value"),
        (["name=x", "seed=3", "seed.deep=1"], "seed: this setting has no parts"),
    ],
)
def test_mistakes_are_named(overrides: list[str], words: str):
    with pytest.raises(ConfigError, match=words) as caught:
        load_settings(Example, None, overrides)
    assert caught.value.exit_code == 2


def test_a_yaml_mistake_names_its_line(tmp_path: Path):
    file = tmp_path / "a.yaml"
    file.write_text("name: x\nseed: [1\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:3"):
        load_settings(Example, file)
