# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may write the store: those who can approve in it. Python 3.6."""

import contextlib
import grp
import os
import pwd
import stat
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import ownership
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.ownership import StoreExposed

_ME, _EVE, _ANN = 4101, 4666, 4102
_OPS, _STAFF = 4500, 4501
_USERS = {"me": (_ME, _ME), "eve": (_EVE, _EVE), "ann": (_ANN, _STAFF), "root": (0, 0)}
# By name: the ID, and the members besides those whose own group it is
_GROUPS: Dict[str, Tuple[int, Tuple[str, ...]]] = {
    "ops": (_OPS, ("ann",)),
    "staff": (_STAFF, ()),
    "me": (_ME, ()),
    "eve": (_EVE, ("me",)),
}


class Files:
    """What lstat says of files: those that exist, with the owners and permissions that a test gives them."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._given: Dict[str, Tuple[int, int, Optional[int]]] = {}

    def set(self, path: str, uid: int, gid: int, mode: Optional[int] = None) -> None:
        self._given[path] = uid, gid, mode

    def lstat(self, path: str) -> Any:
        found = _lstat(path)
        inside = path.startswith(self._root)
        uid, gid, mode = self._given.get(path, (_ME, _ME, None) if inside else (0, 0, 0o755))
        bits = stat.S_IFMT(found.st_mode) | (stat.S_IMODE(found.st_mode) & 0o755 if mode is None else mode)
        return SimpleNamespace(st_mode=bits, st_uid=uid, st_gid=gid)


_lstat = os.lstat


def _find(table: Dict[str, Any], build: Callable[[str, Any], Any], number: int) -> Any:
    for name, values in table.items():
        if values[0] == number:
            return build(name, values)
    raise KeyError(number)


def _build_user(name: str, values: Any) -> Any:
    return SimpleNamespace(pw_name=name, pw_uid=values[0], pw_gid=values[1])


def _build_group(name: str, values: Any) -> Any:
    return SimpleNamespace(gr_name=name, gr_gid=values[0], gr_mem=list(values[1]))


@pytest.fixture
def files(tmp_path: Any, monkeypatch: Any) -> Iterator[Files]:
    """The user me, with a store of its own in a folder of its own."""
    given = Files(str(tmp_path))
    (tmp_path / "home").mkdir()
    Store(str(tmp_path / "home/store"), lambda: 1000.0).halt("s", "r", "me")
    monkeypatch.setattr(os, "lstat", given.lstat)
    monkeypatch.setattr(os, "geteuid", lambda: _ME)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: _find(_USERS, _build_user, uid))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: _find(_GROUPS, _build_group, gid))
    monkeypatch.setattr(grp, "getgrnam", lambda name: _build_group(name, _GROUPS[name]))
    yield given


def _check(path: Any, group: Optional[str] = None) -> None:
    """Both ways in are the same."""
    store = Store(str(path), lambda: 1000.0, group=group)
    problems = {_find_problem(lambda: store.get_halt("s")), _find_problem(lambda: store.resume("other", "me"))}
    assert len(problems) == 1
    problem = problems.pop()
    if problem is not None:
        raise StoreExposed(problem)


def _find_problem(use: Callable[[], Any]) -> Optional[str]:
    try:
        use()
    except StoreExposed as exc:
        return str(exc)
    return None


@pytest.mark.parametrize(
    ("place", "uid", "gid", "mode", "group", "problem"),
    [
        ("home/store", _ME, _ME, 0o600, None, None),
        ("home/store", 0, 0, 0o600, None, None),
        ("home/store", _EVE, _EVE, 0o600, None, "belongs to eve, and this is me"),
        ("home/store", 4999, _ME, 0o600, None, "belongs to the user 4999, and this is me"),
        ("home/store", _ME, _ME, 0o666, None, "may be written by all users"),
        ("home/store", _ME, _ME, 0o602, "ops", "may be written by all users"),
        ("home/store", _ME, _STAFF, 0o660, None, "may be written by the group staff"),
        ("home/store", _ME, 4999, 0o660, None, "may be written by the group 4999"),
        ("home/store", _ME, _ME, 0o660, None, None),  # its owner's own group
        ("home/store", _EVE, _EVE, 0o660, None, "belongs to eve"),
        ("home/store", 0, _EVE, 0o660, None, "may be written by the group eve"),
        ("home/store", _ME, _OPS, 0o660, "ops", None),
        ("home/store", _ANN, _OPS, 0o660, "ops", None),  # a member of it
        ("home/store", _ANN, _STAFF, 0o660, "staff", None),  # it is hers
        ("home/store", _ANN, _OPS, 0o660, None, "belongs to ann"),
        ("home/store", _EVE, _OPS, 0o660, "ops", "belongs to eve"),
        ("home/store", _ME, _STAFF, 0o660, "ops", "may be written by the group staff"),
        ("home/store-journal", _EVE, _EVE, 0o600, None, "store-journal belongs to eve"),
        ("home/store-wal", _ME, _ME, 0o666, None, "store-wal may be written by all users"),
        ("home/store-shm", _ME, _STAFF, 0o660, None, "store-shm may be written by the group staff"),
        ("home", _ME, _ME, 0o700, None, None),
        ("home", _EVE, _EVE, 0o700, None, "home belongs to eve"),
        ("home", _ME, _ME, 0o777, None, "home may be written by all users"),
        ("home", 0, 0, 0o1777, None, "home may be written by all users"),  # beside it anything may appear
        ("home", _ME, _STAFF, 0o770, None, "home may be written by the group staff"),
        ("home", _ME, _STAFF, 0o1770, None, "home may be written by the group staff"),
        ("home", _ME, _ME, 0o775, None, None),
        ("home", _ANN, _OPS, 0o2770, "ops", None),
        ("", 0, 0, 0o1777, None, None),  # such as /tmp
        ("", _EVE, 0, 0o1777, None, "belongs to eve"),  # who may take away what is in it
        ("", 0, 0, 0o777, None, "may be written by all users"),
        ("", 0, 0, 0o775, None, None),  # the group root
        ("", 0, _STAFF, 0o1775, None, None),
        ("", 0, _STAFF, 0o775, None, "may be written by the group staff"),
    ],
)
def test_who_may_write_it(
    tmp_path: Any,
    files: Files,
    place: str,
    uid: int,
    gid: int,
    mode: int,
    group: Optional[str],
    problem: Optional[str],
) -> None:
    path = str(tmp_path / place)
    if not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT))
    files.set(path, uid, gid, mode)
    if problem is None:
        _check(tmp_path / "home/store", group)
        return
    with pytest.raises(StoreExposed) as error:
        _check(tmp_path / "home/store", group)
    assert str(error.value).startswith("the store is not used, since others could approve in it: " + str(tmp_path))
    assert problem in str(error.value)


@pytest.mark.parametrize("uid", [_ME, _EVE, 0])
def test_no_link_leads_to_it(tmp_path: Any, files: Files, uid: int) -> None:
    (tmp_path / "home/file").symlink_to(tmp_path / "home/store")
    (tmp_path / "folder").symlink_to(tmp_path / "home")
    (tmp_path / "above").symlink_to(tmp_path)
    (tmp_path / "home/new").symlink_to(tmp_path / "nothing")
    for place in ("home/file", "folder/store", "above/home/store", "home/new"):
        files.set(str(tmp_path / place.partition("/")[0]) if place[0] != "h" else str(tmp_path / place), uid, uid)
        with pytest.raises(StoreExposed, match="is a symbolic link"):
            _check(tmp_path / place)
    assert not (tmp_path / "nothing").exists()


def test_it_is_a_file(tmp_path: Any, files: Files) -> None:
    (tmp_path / "home/folder").mkdir()
    with pytest.raises(StoreExposed, match="is no regular file"):
        _check(tmp_path / "home/folder")


def test_one_that_is_not_there_yet_is_no_empty_one_where_others_may_take_it_away(tmp_path: Any, files: Files) -> None:
    files.set(str(tmp_path / "home"), _ME, _ME, 0o777)
    with pytest.raises(StoreExposed, match="may be written by all users"):
        _check(tmp_path / "home/new")


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
def test_it_is_created_for_its_owner(tmp_path: Any, mask: int) -> None:
    path = tmp_path / "a/b/store"
    with _umask(mask):
        Store(str(path), lambda: 1000.0).halt("s", "r", "me")
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (tmp_path / "a", tmp_path / "a/b", path)]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to any group")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_it_is_created_for_a_group(tmp_path: Any, mask: int) -> None:
    group = next(entry for entry in grp.getgrall() if entry.gr_gid != 0)
    path = tmp_path / "a/b/store"
    with _umask(mask):
        store = Store(str(path), lambda: 1000.0, group=group.gr_name)
        store.halt("s", "r", "me")
    places = [place.stat() for place in (tmp_path / "a", tmp_path / "a/b", path)]
    assert [stat.S_IMODE(place.st_mode) for place in places] == [0o2770, 0o2770, 0o660]
    assert {place.st_gid for place in places} == {group.gr_gid}
    assert store.get_halt("s") is not None
    with pytest.raises(StoreExposed, match="may be written by the group " + group.gr_name):
        Store(str(path), lambda: 1000.0).get_halt("s")


def test_a_group_that_does_not_exist_is_told(tmp_path: Any) -> None:
    with pytest.raises(BadOption, match="livepatch_store_group is no-such-group, and there is no such group"):
        Store(str(tmp_path / "store"), lambda: 1000.0, group="no-such-group")
    assert ownership.Writers().gid is None
