"""Code written for either array library calls only what CuPy has, with keywords that CuPy takes; needs no GPU."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import netopt

PACKAGE = Path(netopt.__file__).parent
#: What modules call the library of their arguments.
NAMES = ("xp", "library", "cupy")
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if any(word in path.read_text() for word in ("array_namespace(", "import_cupy(", "array_library(", "library: Any"))
)


def uses(path: Path) -> Iterator[tuple[str, ast.Call | None]]:
    """Dotted names taken from the array library, with the call where they are called."""
    tree = ast.parse(path.read_text())
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if parts and isinstance(inner, ast.Name) and inner.id in NAMES:
            yield ".".join(reversed(parts)), calls.get(id(node))


def missing(cupy: Any, name: str, call: ast.Call | None) -> str:
    """What CuPy lacks for a use, or an empty text."""
    value: Any = cupy
    for part in name.split("."):
        if not hasattr(value, part):
            return f"cupy.{name} does not exist"
        value = getattr(value, part)
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):  # ufuncs, types and compiled functions do not say
        return ""
    if call is None or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return ""
    unknown = [word.arg for word in call.keywords if word.arg not in (None, *parameters)]
    return f"cupy.{name} takes no {', '.join(map(str, unknown))}" if unknown else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_cupy_has_what_is_used(path: Path) -> None:
    if find_spec("cupy") is None:
        pytest.skip("CuPy is not installed, so its functions cannot be compared; install netopt[cuda12]")
    import cupy

    assert [f"{path.name}: {text}" for name, call in uses(path) if (text := missing(cupy, name, call))] == []


def test_a_missing_name_and_keyword_are_seen() -> None:
    """The comparison itself, on a library of one function."""
    source = ast.parse("xp.pinv(a, rcond=1.0, hermitian=True)", mode="eval")
    assert isinstance(source.body, ast.Call)

    class Library:
        @staticmethod
        def pinv(a: object, rcond: float = 1e-15) -> None: ...

    assert missing(Library, "pinv", source.body) == "cupy.pinv takes no hermitian"
    assert missing(Library, "svd", None) == "cupy.svd does not exist"
