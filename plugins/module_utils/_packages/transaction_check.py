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
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Package

# The vendors' own tools for KMPs: all that a KMP may bring with it.
TOOLS = ("kernel-livepatch-tools", "kpatch", "kpatch-dnf", "kpatch-runtime")


def check_installation(
    steps: List[Step], package: Package, dependencies: Sequence[str], older: bool = False
) -> List[Package]:
    """Check that a transaction installs this KMP and, at most, some dependencies.

    :param older: it replaces a newer one.
    :param dependencies: names, with wildcards, of packages that may be installed besides.
    :returns: those that it would install.
    :raises TransactionRefused: it would do something else, or not install the KMP.
    """
    transaction = describe_steps(steps)
    wanted = ("install", "downgrade") if older else ("install", "upgrade")
    allowed = [*TOOLS, *dependencies]
    own = [step for step in steps if step[1:] == package and step.action in wanted]
    besides = [
        step
        for step in steps
        if step.name != package.name and step.action == "install" and policies.matches_any(allowed, step.name, step.evr)
    ]
    # A package manager that has no word for a downgrade lists both sides.
    replaced = [
        step
        for step in steps
        if older and step.action == "remove" and (step.name, step.arch) == (package.name, package.arch)
    ]
    beyond = [step for step in steps if step not in (*own, *besides, *replaced)]
    if beyond:
        raise TransactionRefused(
            "installing {}-{}.{} would also {}".format(*package, ", ".join(describe_steps(beyond))),
            "Nothing was installed. Resolve this by hand first; allow_dependencies names what may be installed as well",
            {"transaction": transaction},
        )
    if not own:
        raise TransactionRefused(
            "the package manager would not install {}-{}.{}, though it is not installed".format(*package),
            "Try to install it by hand",
            {"transaction": transaction},
        )
    return [Package(*step[1:]) for step in besides]


def check_files(steps: List[Step], packages: Sequence[Package], older: bool = False) -> None:
    """Check that a transaction installs the packages whose files were examined, and no other.

    :param packages: the KMP and what is installed with it.
    :raises TransactionRefused: it would do something else.
    """
    dependencies = check_installation(steps, packages[0], [package.name for package in packages[1:]], older)
    other = [package for package in dependencies if package not in packages]
    if other:
        raise TransactionRefused(
            "installing {}-{}.{} would also install {}".format(
                *packages[0], ", ".join("{}-{}.{}".format(*package) for package in other)
            ),
            "Nothing was installed: that package was not examined. Try again",
            {"transaction": describe_steps(steps)},
        )


def check_removal(steps: List[Step], package: Package) -> None:
    """Check that a transaction removes this KMP and nothing else.

    :raises TransactionRefused: it would do something else.
    """
    beyond = [step for step in steps if step != ("remove", *package)]
    if beyond or not steps:
        raise TransactionRefused(
            "removing {}-{}.{} would {}".format(
                *package, "also " + ", ".join(describe_steps(beyond)) if beyond else "do nothing"
            ),
            "It was not removed. Resolve this by hand first",
            {"transaction": describe_steps(steps)},
        )


def describe_steps(steps: List[Step]) -> List[str]:
    """Describe a transaction step by step, such as ``remove lab-tool-1-1.noarch``."""
    return ["{} {}-{}.{}".format(*step) for step in steps]
