# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What installing a KMP may do to a host, and what not. PRIVATE to the collection: it may change at any time. Pure.

A live patch is installed at night, with nobody watching: a transaction that brings a kernel in, removes something or
changes a vendor is no live patch.
"""

from typing import List, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import TransactionRefused
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Step

# The vendors' own tools for KMPs: all that a KMP may bring with it.
TOOLS = ("kernel-livepatch-tools", "kpatch", "kpatch-dnf", "kpatch-runtime")


def check(steps: List[Step], name: str, evr: str, dependencies: Sequence[str], older: bool = False) -> None:
    """Insists on a transaction that installs this KMP and, at most, some dependencies.

    :param older: it takes the place of a newer one.
    :param dependencies: names, with wildcards, of packages that may be installed besides.
    :raises TransactionRefused: it would do something else, or not install the KMP.
    """
    told = describe(steps)
    wanted = ("install", "downgrade") if older else ("install", "upgrade")
    allowed = [*TOOLS, *dependencies]
    beyond = [
        step
        for step in steps
        if not (
            (step.name == name and step.evr == evr and step.action in wanted)
            # A package manager without a word for it shows both sides.
            or (older and step.name == name and step.action == "remove")
            or (step.action == "install" and policies.matches(allowed, step.name, step.evr))
        )
    ]
    if beyond:
        raise TransactionRefused(
            "installing {}-{} would also {}".format(name, evr, ", ".join(describe(beyond))),
            "Nothing was installed. See to that by hand first; what it may install besides is allow_dependencies",
            {"transaction": told},
        )
    if not any(step.name == name for step in steps):
        raise TransactionRefused(
            f"the package manager would not install {name}-{evr}, though it is not installed",
            "Try it by hand",
            {"transaction": told},
        )


def check_removal(steps: List[Step], name: str, evr: str) -> None:
    """Insists on a transaction that removes this KMP and nothing else.

    :raises TransactionRefused: it would do something else.
    """
    beyond = [step for step in steps if (step.action, step.name, step.evr) != ("remove", name, evr)]
    if beyond or not steps:
        raise TransactionRefused(
            "removing {}-{} would {}".format(
                name, evr, "also " + ", ".join(describe(beyond)) if beyond else "do nothing"
            ),
            "It was not removed. See to that by hand first",
            {"transaction": describe(steps)},
        )


def describe(steps: List[Step]) -> List[str]:
    """``remove lab-tool-1-1.noarch``, step by step."""
    return ["{} {}-{}.{}".format(*step) for step in steps]
