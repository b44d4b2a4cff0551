# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of plugins/: its packages are layers, and its files stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
_ROOT = "ansible_collections.fleet.livepatch.plugins."
# Files of these folders are building blocks of their own, beside the packages in them
_SHARED = ("module_utils", "plugin_utils")
_LONGEST = 499


def _name_package(parts: tuple[str, ...]) -> str:
    """The package that a file is in. One that lies in a shared folder itself is a package of one file."""
    return ".".join(parts[:2]) if parts[0] in _SHARED else parts[0]


def _list_imports(source: str) -> Iterator[tuple[str, ...]]:
    """What a file imports of plugins/, as parts below plugins/, those of `if TYPE_CHECKING` and of functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and (node.module + ".").startswith(_ROOT):
            below = tuple((node.module + ".")[len(_ROOT) :].split(".")[:-1])
            for alias in node.names:
                yield (*below, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith(_ROOT):
                    yield tuple(alias.name[len(_ROOT) :].split("."))


def _graph_imports(plugins: Path) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for path in sorted(plugins.rglob("*.py")):
        package = _name_package(path.relative_to(plugins).with_suffix("").parts)
        imported = {_name_package(parts) for parts in _list_imports(path.read_text(encoding="utf-8"))}
        graph.setdefault(package, set()).update(imported - {package})
    return graph


def _find_cycles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Each package that imports itself by way of others, with all that it reaches and is reached by."""

    def reach(start: str) -> set[str]:
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            for package in graph.get(waiting.pop(), set()) - reached:
                reached.add(package)
                waiting.append(package)
        return reached

    reached = {package: reach(package) for package in graph}
    cycles = {
        tuple(sorted(other for other in reached[package] if package in reached.get(other, set())))
        for package in graph
        if package in reached[package]
    }
    return sorted(cycles)


def test_no_package_imports_itself_by_way_of_others() -> None:
    assert _find_cycles(_graph_imports(_PLUGINS)) == []


def test_no_file_is_long() -> None:
    lengths = {
        str(path.relative_to(_PLUGINS)): len(path.read_text(encoding="utf-8").splitlines())
        for path in _PLUGINS.rglob("*")
        if path.is_file() and path.suffix in (".py", ".j2", ".css", ".js", ".html")
    }
    assert lengths and {path: lines for path, lines in lengths.items() if lines > _LONGEST} == {}


@pytest.mark.parametrize(
    ("files", "cycles"),
    [
        ({"module_utils/_a/x.py": "module_utils._b import y", "module_utils/_b/y.py": "module_utils import _host"}, []),
        (
            {"module_utils/_a/x.py": "module_utils._b import y", "module_utils/_b/z.py": "module_utils._a.x import f"},
            [("module_utils._a", "module_utils._b")],
        ),
        (
            {
                "module_utils/_a/x.py": "module_utils import _facts",
                "module_utils/_facts.py": "module_utils._b import y",
                "module_utils/_b/y.py": "module_utils._a import x",
            },
            [("module_utils._a", "module_utils._b", "module_utils._facts")],
        ),
        (
            {"action/x.py": "plugin_utils._a import y", "plugin_utils/_a/y.py": "action.x import ActionModule"},
            [("action", "plugin_utils._a")],
        ),
    ],
)
def test_cycles_are_found(tmp_path: Path, files: dict[str, str], cycles: list[tuple[str, ...]]) -> None:
    for name, imported in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"from {_ROOT}{imported}\n", encoding="utf-8")
    assert _find_cycles(_graph_imports(tmp_path)) == cycles
