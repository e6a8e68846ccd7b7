"""The README is the front door: it names every variable and every command there is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()


def test_every_variable_is_in_the_readme_and_the_example() -> None:
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_0-9]+)"', settings))
    read |= {f"LOOPS_LIST_{role}" for role in ("NOMINEE", "NOMINATOR_LIVE", "NOMINATOR", "VOTER")}
    section = README.split("### Variables")[1].split("\n## ")[0]
    assert set(re.findall(r"`([A-Z][A-Z_0-9]+)`", section)) == read
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^(?:# )?([A-Z][A-Z_0-9]+)=", example, re.MULTILINE)) == read


def test_every_command_is_in_the_readme() -> None:
    commands = {
        path.stem
        for path in ROOT.glob("*/management/commands/*.py")
        if path.stem != "__init__" and ".venv" not in str(path)
    }
    assert set(re.findall(r"`manage\.py (\w+)", README)) - {"migrate", "collectstatic", "qcluster"} == commands


def test_the_readme_names_the_two_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", README)) <= targets
