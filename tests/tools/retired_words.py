# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds words that the project has replaced (tests/tools/retired-words.txt).

usage: retired_words.py [PATH]...   (from the root of the checkout or of its staged copy; no path: all are searched)
"""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LIST = Path(__file__).with_name("retired-words.txt")
SEARCHED = ("plugins", "roles", "playbooks", "extensions", "docs", "README.md")
TEXT = {".py", ".yml", ".yaml", ".md", ".rst", ".j2", ".html", ".js", ".css", ".json"}
KINDS = ("name", "first", "word")
# A name of a play or a task, and a short description
_TITLE = re.compile(r"^\s*(?:- )?(?:name|short_description):\s+(?P<title>\S.*)$")


@dataclasses.dataclass(frozen=True)
class Retired:
    kind: str
    pattern: re.Pattern[str]
    instead: str


@dataclasses.dataclass(frozen=True)
class Hit:
    path: Path
    line: int
    text: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}: write {self.instead}"


def read_list(text: str) -> list[Retired]:
    """:raises ValueError: a line is not of the list's form."""
    retired = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, _separator, rest = line.partition(" ")
        pattern, arrow, instead = rest.rpartition(" -> ")
        if kind not in KINDS or not arrow:
            raise ValueError(f"not a line of the form 'KIND PATTERN -> INSTEAD': {line!r}")
        # For `word` an underscore is no part of a word's end: a name that holds the word is a hit of its own
        form = {"name": rf"_?(?:{pattern})", "first": rf"(?:{pattern})\b", "word": rf"(?<![\w])(?:{pattern})(?![\w])"}
        retired.append(Retired(kind, re.compile(form[kind], re.IGNORECASE), instead))
    return retired


def find(path: Path, text: str, retired: list[Retired]) -> Iterator[Hit]:
    """The hits in one file."""
    by_kind = {kind: [entry for entry in retired if entry.kind == kind] for kind in KINDS}
    for number, line in enumerate(text.splitlines(), 1):
        for entry in by_kind["word"]:
            for match in entry.pattern.finditer(line):
                yield Hit(path, number, match.group(), entry.instead)
        title = _TITLE.match(line)
        if title:
            words = title["title"].strip("'\"")
            for entry in by_kind["first"]:
                if entry.pattern.match(words):
                    yield Hit(path, number, words, entry.instead)
    if path.suffix == ".py":
        for number, name in bound_names(ast.parse(text)):
            for entry in by_kind["name"]:
                if entry.pattern.fullmatch(name):
                    yield Hit(path, number, name, entry.instead)


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that a file gives to functions, classes, arguments and variables."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def files(paths: list[str]) -> Iterator[Path]:
    for name in paths or SEARCHED:
        path = Path(name)
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and file.suffix in TEXT:
                yield file


def main() -> int:
    retired = read_list(LIST.read_text(encoding="utf-8"))
    hits = [hit for file in files(sys.argv[1:]) for hit in find(file, file.read_text(encoding="utf-8"), retired)]
    for hit in hits:
        print(hit)
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
