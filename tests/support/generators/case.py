# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a generator makes, and a host that has it. Python 3.6."""

import bz2
import gzip
import lzma
import random
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host

VALUE, UNKNOWN, REFUSED = "value", "unknown", "refused"
Chance = random.Random
# What the clock shows
NOW = 1800000000

# What no XML may have within an element
NO_XML = (
    "&b;",
    "\x1b",
    "\0",
    "&#0;",
    "&#xd800;",
    "</b>",
    "<a b=c/>",
    "<a b='1' b='2'/>",
    "<a>" * 2000,
    "\ufffe",
)


class Case(NamedTuple):
    # What is handed to the parser, to be shown where it fails
    data: Any
    parse: Callable[[], Any]
    # VALUE, UNKNOWN or REFUSED; for nonsense either of the last two
    right: Tuple[str, ...]
    value: Any = None


class Files(Host):
    """A host whose files are in memory, and whose tools all print the same."""

    byteorder = "little"

    def __init__(
        self,
        files: Dict[str, bytes],
        printed: bytes = b"",
        records: Any = (),
        answer: Optional[Callable[[str], Completed]] = None,
    ) -> None:
        """:param answer: what a tool prints that is called with these words, joined by blanks."""
        super().__init__()
        self._answer = answer
        self._files = files
        self._printed = printed
        self._records = records

    def read_bytes(self, path: str) -> Optional[bytes]:
        return self._files.get(path)

    def read_start(self, path: str) -> Optional[bytes]:
        return self._files.get(path)

    def read_pieces(self, path: str, start: int = 0, size: Any = None) -> Any:
        if path not in self._files:
            raise Unmeasured("cannot read " + path)
        data = self._files[path][start:] if size is None else self._files[path][start : start + size]
        for at in range(0, len(data), 3000):
            yield data[at : at + 3000]

    def read_kernel_log(self) -> Any:
        return list(self._records)

    def list_names(self, path: str) -> List[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self._files if name.startswith(path + "/")})

    def is_dir(self, path: str) -> bool:
        return any(name.startswith(path + "/") for name in self._files)

    def get_mtime(self, path: str) -> Optional[float]:
        return 1.0 if path in self._files else None

    def wall_clock(self) -> float:
        return NOW

    def save(self, path: str, text: str, mode: Any = None) -> None:
        self._files[path] = text.encode()

    def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
        if self._answer is None:
            raise Unmeasured("cannot run " + argv[0])
        return self._answer(" ".join(argv))

    def find_tool(self, tool: str) -> None:
        return None

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        for at in range(0, len(self._printed), 1000):
            yield self._printed[at : at + 1000]


def nonsense(chance: Chance) -> bytes:
    return bytes(chance.randrange(256) for _byte in range(chance.choice([0, 1, 7, 64, 300])))


def nonsense_text(chance: Chance) -> str:
    words = [
        "",
        " ",
        "-1",
        "1e9",
        "0x10",
        "nan",
        "\u0663",
        "\u00b2",
        "1_000",
        "9" * 5000,
        "1 2",
        "\0",
        "true",
        "+7",
        "--1",
    ]
    return chance.choice(words)


def _xz(data: bytes) -> bytes:
    """Its usual presets take a millisecond for their dictionary alone."""
    return lzma.compress(data, preset=0)


def pack(chance: Chance, data: bytes) -> bytes:
    kinds: List[Callable[[bytes], bytes]] = [bytes, gzip.compress, _xz, bz2.compress]
    return chance.choice(kinds)(data)


def cut(chance: Chance, data: bytes, keep: int = 0) -> bytes:
    """:param keep: as many bytes at the end carry nothing."""
    return data[: chance.randrange(max(1, len(data) - keep))]
