"""No file of the project names the machine it was written on, its tools, or a package registry."""

from __future__ import annotations

import re
from pathlib import Path

FORBIDDEN = re.compile(
    rb"[/]work[/](main|steering|shared|[.]library|[.]mirror)|[/]farm[/]|farm-(studio|bench)"
    rb"|(files[.]pythonhosted|test[.]pypi|pypi)[.]org|registry[.](npmjs[.]org|yarnpkg[.]com)|(deb|security)[.]debian[.]org"
)


def offences(path: Path) -> list[str]:
    """`line: text` of every forbidden name in a file."""
    lines = path.read_bytes().splitlines()
    return [f"{path}:{number}: {line[:120]!r}" for number, line in enumerate(lines, 1) if FORBIDDEN.search(line)]


def test_no_file_names_a_machine_or_a_registry(project_files: list[Path]) -> None:
    assert project_files
    assert [line for path in project_files if path.suffix != ".svg" for line in offences(path)] == []


def test_the_check_sees_what_it_forbids(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    for host in ("pypi", "files.pythonhosted"):
        file.write_text(f"ok\nurl https://{host}.{'org'}/x\n")
        assert len(offences(file)) == 1
