# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SUSE's registration: SUSEConnect activates the product that has the KMPs. PRIVATE to the collection: it may change at
any time.
"""

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NoRepository, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port
from ansible_collections.fleet.livepatch.plugins.module_utils._repository.changes import Changes

_OS_RELEASE = "/etc/os-release"
# Since SLE 16 the base product's own repositories have the KMPs.
_WITHOUT_PRODUCT = 16
# Characters that SUSEConnect may print; it prints some hundred for each product
_STATUS_MAX = 1 << 20


class Product(NamedTuple):
    identifier: str
    status: str


def activate(host: Host, regcode: Optional[str], changes: Changes) -> None:
    """Activate SUSE Live Patching, where it is a product of its own.

    :param regcode: of that product, if it needs its own.
    :raises NoRepository: the system is not registered, or SUSEConnect refuses.
    """
    registered = {product.identifier for product in _list_products(host) if product.status == "Registered"}
    if not registered:
        raise _build_not_registered("SUSEConnect --status lists no registered product")
    major, version = _read_version(host)
    if major >= _WITHOUT_PRODUCT:
        return
    identifier = "sle-live-patching" if major < 15 else "sle-module-live-patching"
    if identifier not in registered:
        product = f"{identifier}/{major if major < 15 else version}/{host.machine}"
        changes.make(f"activate {product}", lambda: _activate_product(host, product, regcode))


def _activate_product(host: Host, product: str, regcode: Optional[str]) -> None:
    answer = host.run(["SUSEConnect", "-p", product, *(["-r", regcode] if regcode else [])])
    if answer.rc != 0:
        output = port.shorten_output(answer.err or answer.out)
        raise NoRepository(
            f"SUSEConnect could not activate {product} (exit code {answer.rc}): {output}",
            "Check that the system's subscription has SUSE Live Patching, or set livepatch_repository_regcode",
        )


def _list_products(host: Host) -> List[Product]:
    """The products that SUSEConnect lists. What it prints of them may hold registration codes, and is not shown."""
    try:
        answer = host.run(["SUSEConnect", "--status"])
    except Unmeasured as exc:
        raise _build_not_registered(str(exc)) from None
    if answer.rc != 0:
        raise _build_not_registered(port.shorten_output(answer.err or answer.out))
    products = _parse_products(answer.out)
    if products is None:
        raise Unmeasured("SUSEConnect --status printed something that is not a list of products", "Try it by hand")
    return products


def _parse_products(output: str) -> Optional[List[Product]]:
    """Parse what SUSEConnect prints; None where that is something else."""
    try:
        rows: Any = json.loads(output) if len(output) <= _STATUS_MAX else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    products = [Product(row.get("identifier", ""), row.get("status", "")) for row in rows if isinstance(row, dict)]
    is_whole = len(products) == len(rows) and all(
        word and isinstance(word, str) for words in products for word in words
    )
    return products if is_whole else None


def _build_not_registered(problem: str) -> NoRepository:
    return NoRepository(
        f"this system is not registered, so SUSE's live patches cannot be activated: {problem}",
        "Register it first, with SUSEConnect -r CODE, or with SUSEConnect --url https://RMT for an RMT server",
    )


def _read_version(host: Host) -> Tuple[int, str]:
    """The distribution's version, and its first number (os-release(5))."""
    settings: Dict[str, str] = dict(re.findall(r"^([A-Z_]+)=(.*)$", host.read_text(_OS_RELEASE) or "", re.MULTILINE))
    version = settings.get("VERSION_ID", "").strip().strip("\"'")
    if not re.match(r"[0-9]{1,3}(\.[0-9]{1,3})?\Z", version):
        raise Unmeasured(f"{_OS_RELEASE} has no VERSION_ID such as 15.6")
    return int(version.partition(".")[0]), version
