# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import stat
import sys
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _host
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


@pytest.fixture
def real(tmp_path: Any) -> Host:
    (tmp_path / "file").write_bytes(b" text\n")
    (tmp_path / "directory" / "b").mkdir(parents=True)
    (tmp_path / "directory" / "a").write_bytes(b"")
    return Host(str(tmp_path))


def test_read(real: Host) -> None:
    assert real.read_bytes("/file") == b" text\n"
    assert real.read_text("/file") == "text"
    assert real.list_names("/directory") == ["a", "b"]
    assert real.is_dir("/directory/b")
    assert not real.is_dir("/directory/a")
    assert real.get_mtime("/file") is not None


@pytest.mark.parametrize(
    "mounts, expected",
    [
        ("/dev/sda2 / btrfs ro,relatime 0 0\n", True),
        ("rootfs / rootfs ro 0 0\n/dev/sda2 / btrfs rw,relatime 0 0\n", False),
        ("/dev/sda2 / btrfs rw,errors=remount-ro 0 0\ntmpfs /a tmpfs ro 0 0\n", False),
        # What a user mounts
        ("/dev/sda2 / btrfs rw 0 0\na\u2003/\u2003b /home/u/m,ro fuse.x rw 0 0\n", False),
        ("/dev/sda2 / btrfs rw 0 0\nfuse /home/u/\u2028fuse\u2003/\u2003fuse\u2003ro fuse.x rw 0 0\n", False),
        ("", False),
    ],
)
def test_read_only(real: Host, tmp_path: Any, mounts: str, expected: bool) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mounts").write_text(mounts, encoding="utf-8")
    assert real.is_read_only("/") is expected


def test_gone(real: Host) -> None:
    assert real.read_bytes("/nothing") is None
    assert real.read_text("/file/below a file") is None
    assert real.list_names("/nothing") == []
    assert real.list_names("/file") == []
    assert real.get_mtime("/nothing") is None


def test_cannot_be_read(real: Host) -> None:
    with pytest.raises(Unmeasured, match="cannot read /directory: Is a directory"):
        real.read_bytes("/directory")


def test_write_needs_the_file(real: Host) -> None:
    real.write("/file", "0")
    assert (real.read_bytes("/file") or b"")[:1] == b"0"
    with pytest.raises(OSError):
        real.write("/nothing", "0")
    assert real.read_bytes("/nothing") is None


def test_which(real: Host) -> None:
    assert real.find_tool("zypper") is None
    tool = real.resolve_path("/usr/sbin/zypper")
    os.makedirs(os.path.dirname(tool))
    open(tool, "wb").close()
    assert real.find_tool("zypper") is None
    os.chmod(tool, stat.S_IRWXU)
    assert real.find_tool("zypper") == "/usr/sbin/zypper"


def test_run(monkeypatch: Any) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    program = "import os, sys; print(os.environ['LC_ALL'], os.environ['X'], os.getcwd()); sys.exit(7)"
    answer = Host().run([sys.executable, "-c", program], {"X": "y"})
    assert answer == (7, "C y /\n", "")


def test_run_prints_too_much(monkeypatch: Any, tmp_path: Any) -> None:
    """It is not killed, which would break a package manager's work: what it prints further is dropped."""
    monkeypatch.setattr(_host, "_LARGEST_OUTPUT", 1 << 20)
    wrote = str(tmp_path / "wrote")
    program = "import sys; sys.stdout.write('x' * {}); sys.stdout.flush(); open(sys.argv[1], 'w')"
    assert len(Host().run([sys.executable, "-c", program.format(1 << 20), os.devnull]).out) == 1 << 20
    with pytest.raises(Unmeasured, match="printed more than 1 MiB"):
        Host().run([sys.executable, "-c", program.format(1 << 24), wrote])
    assert os.path.exists(wrote)


@pytest.mark.parametrize("program", ["sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & exit 0"])
def test_run_takes_too_long(program: str) -> None:
    with pytest.raises(Unmeasured, match=r"sh took longer than 0\.3 s"):
        Host().run(["sh", "-c", program], seconds=0.3)


def test_file_is_too_large(real: Host, tmp_path: Any) -> None:
    with open(str(tmp_path / "large"), "wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(Unmeasured, match="/large is larger than 16 MiB"):
        real.read_bytes("/large")


def test_run_what_is_not_there() -> None:
    with pytest.raises(Unmeasured, match="cannot run no-such-tool-here"):
        Host().run(["no-such-tool-here"])


def test_pieces(real: Host) -> None:
    assert list(real.read_pieces("/file")) == [b" text\n"]
    assert list(real.read_pieces("/file", 1, 3)) == [b"tex"]
    assert list(real.read_pieces("/file", 4, 9)) == [b"t\n"]
    assert list(real.read_pieces("/file", 99)) == []
    assert list(real.read_pieces("/file", 0, 0)) == []
    large = bytes(range(256)) * 3000
    with open(real.resolve_path("/large"), "wb") as stream:
        stream.write(large)
    assert [len(one) for one in real.read_pieces("/large")] == [262144, 262144, 243712]
    assert b"".join(real.read_pieces("/large", 5, 600000)) == large[5:600005]


def test_pieces_of_nothing(real: Host) -> None:
    with pytest.raises(Unmeasured, match=r"cannot read /nothing: No such file or directory$"):
        list(real.read_pieces("/nothing"))
    with pytest.raises(Unmeasured, match="Run as root"):
        list(real.read_pieces("/directory"))


_COPY = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


def test_pipe() -> None:
    sent = [bytes([number]) * 100000 for number in range(30)]
    told = Host().pipe([sys.executable, "-c", _COPY], iter(sent), 60)
    assert b"".join(told) == b"".join(sent)


def test_pipe_ends_when_nobody_asks() -> None:
    def endless() -> Any:
        while True:
            yield b"x" * 65536

    told = Host().pipe([sys.executable, "-c", _COPY], endless(), 60)
    assert next(told)
    told.close()


@pytest.mark.parametrize(
    "program, seconds, problem",
    [
        ("import sys; sys.stdin.buffer.read(9); sys.exit(7)", 60, "failed with exit code 7"),
        ("import time; time.sleep(60)", 0.3, "took longer than 0 s"),
    ],
)
def test_pipe_fails(program: str, seconds: float, problem: str) -> None:
    with pytest.raises(Unmeasured, match=problem):
        list(Host().pipe([sys.executable, "-c", program], iter([b"x" * 300000] * 9), seconds))


def test_pipe_of_what_cannot_be_read(real: Host) -> None:
    with pytest.raises(Unmeasured, match="cannot read /nothing"):
        list(Host().pipe([sys.executable, "-c", _COPY], real.read_pieces("/nothing"), 60))
    with pytest.raises(Unmeasured, match="cannot run no-such-tool-here"):
        list(Host().pipe(["no-such-tool-here"], iter([b"x"]), 60))


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


def test_files_of_the_real_kernel_are_read() -> None:
    """One of /proc/sys cannot be read with a large buffer: the kernel takes as much memory first."""
    host = Host()
    assert host.read_text("/proc/sys/kernel/osrelease") == os.uname().release
    assert host.read_text("/proc/version")
    assert host.read_bytes("/proc/self/cmdline")


# Files that are root's


def _permissions(real: Host, path: str) -> int:
    return stat.S_IMODE(os.stat(real.resolve_path(path)).st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_saved_with_permissions(real: Host, umask: int) -> None:
    before = os.umask(umask)
    try:
        for mode in (0o644, 0o600):
            assert not real.is_saved("/directory/c", "text\n", mode)
            real.save("/directory/c", "text\n", mode)
            assert real.is_saved("/directory/c", "text\n", mode)
            assert _permissions(real, "/directory/c") == mode
        real.make_folder("/a/b", 0o755)
        assert real.has_folder("/a/b", 0o755)
    finally:
        os.umask(before)
    assert not real.is_saved("/directory/c", "another\n", 0o600)
    assert real.list_names("/directory") == ["a", "b", "c"]


def test_folder_of_others(real: Host) -> None:
    os.chmod(real.resolve_path("/directory"), 0o777)
    assert not real.has_folder("/directory", 0o755)
    real.make_folder("/directory", 0o755)
    assert real.has_folder("/directory", 0o755)
    assert not real.has_folder("/file", 0o755)
    with pytest.raises(Unmeasured, match="cannot create /file"):
        real.make_folder("/file", 0o755)


def test_no_link_is_followed_when_a_file_is_saved(real: Host) -> None:
    """The folder may be a local user's, who may link what root writes to where root reads."""
    for name in ("c", "c.new"):
        os.symlink(real.resolve_path("/file"), real.resolve_path("/directory/" + name))
    real.save("/directory/c", "text\n", 0o644)
    assert real.read_bytes("/file") == b" text\n"
    assert real.is_saved("/directory/c", "text\n", 0o644)
    os.rename(real.resolve_path("/directory/c"), real.resolve_path("/directory/d"))
    os.symlink("d", real.resolve_path("/directory/c"))
    assert not real.is_saved("/directory/c", "text\n", 0o644), "a link is not the file"
