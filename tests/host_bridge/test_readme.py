"""README.md: its Python example runs and its commands do what it says, on the files that it names."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from support import data_path

from host_bridge.cli import app

ROOT = Path(__file__).parents[2]
COMMANDS = (ROOT / "docs" / "COMMANDS.md").read_text()
README = (ROOT / "README.md").read_text()


def test_the_examples_run_on_real_files(tmp_path: Path) -> None:
    (tmp_path / "mainnet_822528_830592.bin").symlink_to(data_path("headers/mainnet_822528_830592.bin"))
    (tmp_path / "830000.blk").symlink_to(data_path("blocks/mainnet_830000.blk"))
    commands = re.findall(r"^lightclient ((?:prove|verify) .*)$", README, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        run = subprocess.run(
            [sys.executable, "-m", "host_bridge.cli", *command.split()],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (said,) = re.findall(r"print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert run.stdout.strip() == said


def test_the_files_that_it_links_to_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_command_is_told_of_with_an_example() -> None:
    told = list(commands_of(typer.main.get_command(app), ""))
    assert len(told) >= 16
    for name, command in told:
        assert "Examples" in str(command.epilog), name
        assert re.search(rf"\b{name}\b", README), name
        group, *verb = name.split()
        assert re.search(rf"\b{name}\b|\b{group} [^`\n]*\b{''.join(verb)}\b", COMMANDS), name


def commands_of(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by its words."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, part in command.commands.items():
        yield from commands_of(part, f"{name} {word}".strip())
