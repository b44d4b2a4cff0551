# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kernel, a repository or a local user can hand to each parser, and what is right for it. Python 3.6.

Each generator makes an input, and says by what it has put in, without the parser, which of three is right: this value,
unknown (the parser returns None), or refused (it raises Unmeasured). Anything else that is raised is a fault.
"""

from typing import Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from tests.support.generators import files, indexes, kernel, keys, managers, packages, records
from tests.support.generators.case import REFUSED, UNKNOWN, VALUE, Case, Chance

GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "kernel log": kernel.make_record,
    "versions": packages.make_versions,
    "levels": packages.make_level,
    "journal": records.make_journal,
    "taint": kernel.make_taint,
    "klp": kernel.make_patch,
    "kgraft": kernel.make_kgraft,
    "threads": kernel.make_thread,
    "keys": kernel.make_keys,
    "releases": kernel.make_release,
    "notes": kernel.make_notes,
    "modules": packages.make_module,
    "payloads": packages.make_payload,
    "initrds": packages.make_initrd,
    "advisories": packages.make_advisories,
    "repositories": packages.make_repositories,
    **keys.GENERATORS,
    **indexes.GENERATORS,
    **managers.GENERATORS,
    **files.GENERATORS,
}


def run(count: int, seed: int) -> Dict[str, Dict[str, int]]:
    """Make so many inputs in all, each generator in turn.

    :returns: how many of each outcome there were, by generator.
    """
    outcomes = {name: dict.fromkeys((VALUE, UNKNOWN, REFUSED), 0) for name in GENERATORS}
    names = list(GENERATORS)
    for number in range(count):
        name = names[number % len(names)]
        # So that one input can be made again
        case = GENERATORS[name](Chance(f"{seed} {number}"))
        try:
            value = case.parse()
            outcome = UNKNOWN if value is None else VALUE
        except Unmeasured as exc:
            value, outcome = exc, REFUSED
        except Exception as exc:
            raise AssertionError(f"{name}, {seed} {number}: {exc!r} for {case.data!r}") from exc
        assert outcome in case.right and (outcome != VALUE or value == case.value), (
            f"{name}, {seed} {number}: {outcome} {str(value)[:900]!r}, not {case.right} {str(case.value)[:900]!r}, for "
            f"{case.data!r}"
        )
        outcomes[name][outcome] += 1
    return outcomes
