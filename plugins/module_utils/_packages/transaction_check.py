# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check what installing a KMP would do to a host. PRIVATE to the collection: it may change at any time. Pure.

A live patch is installed at night, unattended: a transaction that installs a kernel, removes something or changes a
vendor is no live patch.
"""

from typing import List, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import TransactionRefused
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Step

# The vendors' own tools for KMPs: all that a KMP may bring with it.
TOOLS = ("kernel-livepatch-tools", "kpatch", "kpatch-dnf", "kpatch-runtime")


def check_installation(
    steps: List[Step], name: str, evr: str, dependencies: Sequence[str], older: bool = False
) -> None:
    """Check that a transaction installs this KMP and, at most, some dependencies.

    :param older: it replaces a newer one.
    :param dependencies: names, with wildcards, of packages that may be installed besides.
    :raises TransactionRefused: it would do something else, or not install the KMP.
    """
    transaction = describe_steps(steps)
    wanted = ("install", "downgrade") if older else ("install", "upgrade")
    allowed = [*TOOLS, *dependencies]
    beyond = [
        step
        for step in steps
        if not (
            (step.name == name and step.evr == evr and step.action in wanted)
            # A package manager that has no word for a downgrade lists both sides.
            or (older and step.name == name and step.action == "remove")
            or (step.action == "install" and policies.matches_any(allowed, step.name, step.evr))
        )
    ]
    if beyond:
        raise TransactionRefused(
            "installing {}-{} would also {}".format(name, evr, ", ".join(describe_steps(beyond))),
            "Nothing was installed. Resolve this by hand first; allow_dependencies names what may be installed as well",
            {"transaction": transaction},
        )
    if not any(step.name == name for step in steps):
        raise TransactionRefused(
            f"the package manager would not install {name}-{evr}, though it is not installed",
            "Try to install it by hand",
            {"transaction": transaction},
        )


def check_removal(steps: List[Step], name: str, evr: str) -> None:
    """Check that a transaction removes this KMP and nothing else.

    :raises TransactionRefused: it would do something else.
    """
    beyond = [step for step in steps if (step.action, step.name, step.evr) != ("remove", name, evr)]
    if beyond or not steps:
        raise TransactionRefused(
            "removing {}-{} would {}".format(
                name, evr, "also " + ", ".join(describe_steps(beyond)) if beyond else "do nothing"
            ),
            "It was not removed. Resolve this by hand first",
            {"transaction": describe_steps(steps)},
        )


def describe_steps(steps: List[Step]) -> List[str]:
    """Describe a transaction step by step, such as ``remove lab-tool-1-1.noarch``."""
    return ["{} {}-{}.{}".format(*step) for step in steps]
