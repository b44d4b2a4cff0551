# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import stat
import sys
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


@pytest.fixture
def real(tmp_path: Any) -> Host:
    (tmp_path / "file").write_bytes(b" text\n")
    (tmp_path / "directory" / "b").mkdir(parents=True)
    (tmp_path / "directory" / "a").write_bytes(b"")
    return Host(str(tmp_path))


def test_read(real: Host) -> None:
    assert real.read("/file") == b" text\n"
    assert real.text("/file") == "text"
    assert real.names("/directory") == ["a", "b"]
    assert real.is_dir("/directory/b")
    assert not real.is_dir("/directory/a")
    assert real.modified("/file") is not None


def test_gone(real: Host) -> None:
    assert real.read("/nothing") is None
    assert real.text("/file/below a file") is None
    assert real.names("/nothing") == []
    assert real.names("/file") == []
    assert real.modified("/nothing") is None


def test_cannot_be_read(real: Host) -> None:
    with pytest.raises(Unmeasured, match="cannot read /directory: Is a directory"):
        real.read("/directory")


def test_write_needs_the_file(real: Host) -> None:
    real.write("/file", "0")
    assert (real.read("/file") or b"")[:1] == b"0"
    with pytest.raises(OSError):
        real.write("/nothing", "0")
    assert real.read("/nothing") is None


def test_which(real: Host) -> None:
    assert real.which("zypper") is None
    tool = real.path("/usr/sbin/zypper")
    os.makedirs(os.path.dirname(tool))
    open(tool, "wb").close()
    assert real.which("zypper") is None
    os.chmod(tool, stat.S_IRWXU)
    assert real.which("zypper") == "/usr/sbin/zypper"


def test_run(monkeypatch: Any) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    program = "import os, sys; print(os.environ['LC_ALL'], os.environ['X'], os.getcwd()); sys.exit(7)"
    answer = Host().run([sys.executable, "-c", program], {"X": "y"})
    assert answer == (7, "C y /\n", "")


def test_run_what_is_not_there() -> None:
    with pytest.raises(Unmeasured, match="cannot run no-such-tool-here"):
        Host().run(["no-such-tool-here"])


def test_clock_goes_forward() -> None:
    host = Host()
    before = host.clock()
    host.sleep(0.01)
    assert host.clock() - before >= 0.009
    assert host.byteorder == sys.byteorder


@pytest.mark.parametrize(
    "arguments, words", [(("So it is",), "So it is"), (("So it is", "Mend it"), "So it is. Mend it")]
)
def test_error(arguments: Any, words: str) -> None:
    assert str(LivepatchError(*arguments)) == words
    assert LivepatchError(*arguments).result == {}
    assert LivepatchError("x", result={"a": 1}).result == {"a": 1}
