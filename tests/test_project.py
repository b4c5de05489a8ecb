"""The project as a whole: what its pages say runs, its files name no machine, its versions fit together."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
#: Folders that exist on the machine a file was written on, not on the reader's.
_MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|home|root|tmp|opt|Users)/\w")
_TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".csv", ".sh", ".json", ".cfg", ""}


def _tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this is no git checkout, so there is no list of the project's files")
    return [path for line in listing.stdout.splitlines() if (path := ROOT / line).is_file()]


def _modules() -> Iterator[str]:
    for root in ("formulations", "netopt", "instances"):
        yield root
        for module in pkgutil.walk_packages([str(ROOT / root)], prefix=f"{root}."):
            if not module.name.endswith("__main__"):
                yield module.name


def _pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "instances" / "README.md"]


def test_tracked_files_name_no_path_of_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _tracked()
        if path.suffix in _TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if _MACHINE_PATH.search(line)
    ]
    assert found == []


def test_no_file_is_long() -> None:
    sources = [path for path in _tracked() if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts]
    long = {str(path.relative_to(ROOT)): n for path in sources if (n := len(path.read_text().splitlines())) > 350}
    assert long == {}


@pytest.mark.parametrize("name", sorted(_modules()))
def test_examples_in_docstrings_run(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} needs an extra: {error}")
    failures, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failures == 0


def _code_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_code_on_the_pages_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page, in order, in one process with the checkout as its folder, links to data and all."""
    code = _code_blocks(page)
    if not code:
        return
    for name in ("instances", "examples"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    script = tmp_path / "page.py"
    script.write_text(code)
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def _requirements() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from (Requirement(text) for text in group)


def test_constraints_fit_the_requirements() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            assert [spec.operator for spec in requirement.specifier] == ["=="]
            pins[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    for requirement in _requirements():
        name = canonicalize_name(requirement.name)
        if name == "netopt" or name.startswith("cupy"):
            continue  # extras of the project itself; GPU packages are not installed by `make test`
        assert requirement.specifier.contains(pins[name]), requirement


def test_the_package_is_typed_and_versioned() -> None:
    assert (ROOT / "netopt" / "py.typed").exists()
    assert (ROOT / "formulations" / "py.typed").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert version("netopt") == project["version"]
