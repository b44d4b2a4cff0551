# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SUSEConnect: what `SUSEConnect --status` prints is made here from its source (SUSE/connect-ng,
internal/connect/status.go), which also says when it has a registration code.
"""

import json
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, NoRepository, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import kinds

_CODE = "INTERNAL-USE-ONLY-0000"


def _product(identifier: str, status: str = "Registered", version: str = "15.4", **more: str) -> Any:
    return dict({"identifier": identifier, "version": version, "arch": "x86_64", "status": status}, **more)


_BASE = _product(
    "SLES", name="SUSE Linux Enterprise Server", regcode=_CODE, subscription_status="ACTIVE", type="internal"
)
_RELEASE = 'NAME="SLES"\nVERSION="15-SP4"\nVERSION_ID="{}"\nID="sles"\n'


@pytest.fixture
def sles(host: Any) -> Any:
    host.put("/etc/os-release", _RELEASE.format("15.4"))
    host.answers["SUSEConnect"] = Completed(0, "Registering system to SUSE Customer Center\n", "")
    return host


def _activate(host: Any, products: Any, regcode: Any = None, check_mode: bool = False) -> Any:
    """:param products: what SUSEConnect lists, or its answer."""
    answer = products if isinstance(products, Completed) else Completed(0, json.dumps(products) + "\n", "")
    host.answers["SUSEConnect|--status"] = answer
    return kinds.configure_repository(host, {"kind": "suseconnect", "regcode": regcode}, check_mode)


def _fail(host: Any, error: Any, products: Any, regcode: Any = None) -> str:
    with pytest.raises(error) as raised:
        _activate(host, products, regcode)
    assert raised.value.result == {"changed": False, "changes": []}
    assert _CODE not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "version, product",
    [
        ("12.5", "sle-live-patching/12/x86_64"),
        ("15", "sle-module-live-patching/15/x86_64"),
        ("15.4", "sle-module-live-patching/15.4/x86_64"),
        ("16.0", None),
    ],
)
def test_product_of_a_version(sles: Any, version: str, product: Any) -> None:
    sles.put("/etc/os-release", _RELEASE.format(version))
    for check_mode in (True, False):
        sles.calls.clear()
        result = _activate(sles, [_BASE], check_mode=check_mode)
        assert result == {"changed": product is not None, "changes": [f"activate {product}"] * (product is not None)}
        asked = [["SUSEConnect", "-p", product]] if product and not check_mode else []
        assert sles.calls == [["SUSEConnect", "--status"], *asked]


@pytest.mark.parametrize(
    "version, identifier, changed",
    [
        ("15.4", "sle-module-live-patching", False),
        ("15.4", "sle-live-patching", True),
        ("12.5", "sle-live-patching", False),
    ],
)
def test_active_product(sles: Any, version: str, identifier: str, changed: bool) -> None:
    sles.put("/etc/os-release", _RELEASE.format(version))
    assert _activate(sles, [_BASE, _product(identifier)])["changed"] is changed
    assert _activate(sles, [_BASE, _product(identifier, "Not Registered")])["changed"], "installed, and not active"


def test_registration_code(sles: Any) -> None:
    _activate(sles, [_BASE], "LP-CODE")
    assert sles.calls[-1] == ["SUSEConnect", "-p", "sle-module-live-patching/15.4/x86_64", "-r", "LP-CODE"]


@pytest.mark.parametrize(
    "products, words",
    [
        ([_product("SLES_SAP", "Not Registered", "12.2")], "lists no registered product"),
        ([], "lists no registered product"),
        (Completed(1, "", "SUSEConnect error: 401 Unauthorized\n"), "cannot be activated: SUSEConnect error: 401"),
        (Completed(1, "", ""), "no output"),
    ],
)
def test_not_registered(sles: Any, products: Any, words: str) -> None:
    problem = _fail(sles, NoRepository, products)
    assert problem.startswith("this system is not registered, so SUSE's live patches cannot be activated: ")
    assert words in problem and "SUSEConnect --url https://RMT for an RMT server" in problem


def test_no_tool(host: Any) -> None:
    with pytest.raises(NoRepository, match=r"not registered.*cannot run SUSEConnect: No such file"):
        kinds.configure_repository(host, {"kind": "suseconnect", "regcode": None}, False)


@pytest.mark.parametrize(
    "output",
    [
        "null",
        "",
        "Registered",
        '{"identifier": "SLES", "status": "Registered"}',
        json.dumps([_BASE, "SLES"]),
        json.dumps([_BASE, {"identifier": "SLES"}]),
        json.dumps([_BASE, {"identifier": ["SLES"], "status": "Registered"}]),
        json.dumps([_BASE]) + "\nwarning",
        "[" * 100000,
        "[" + " " * (1 << 20) + "]",
    ],
)
def test_no_list_of_products(sles: Any, output: str) -> None:
    assert "is not a list of products" in _fail(sles, Unmeasured, Completed(0, output, ""))


@pytest.mark.parametrize("text", ["", 'NAME="SLES"', 'VERSION_ID="15-SP4"', "VERSION_ID=tumbleweed", 'VERSION_ID=""'])
def test_no_version(sles: Any, text: str) -> None:
    sles.put("/etc/os-release", text)
    assert "/etc/os-release has no VERSION_ID" in _fail(sles, Unmeasured, [_BASE])


def test_refused(sles: Any) -> None:
    error = "SUSEConnect error: SCC returned 'Unknown Registration Code.' (422)\n"
    sles.answers["SUSEConnect"] = Completed(67, "", error)
    problem = _fail(sles, LivepatchError, [_BASE], "LP-CODE")
    assert "could not activate sle-module-live-patching/15.4/x86_64 (exit code 67): SUSEConnect error: SCC" in problem
    assert "livepatch_repository_regcode" in problem
