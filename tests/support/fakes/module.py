# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the place of a module that works on a host: runs that module on a fake one.

What it needs is imported from where it is installed, which Ansible does not see: it would pack all of it anew in each
run of a playbook, and each host would compile it anew.
"""

from __future__ import annotations

import importlib
import os
import sys

from ansible.module_utils import basic

# By this import Ansible knows what kind of module it is
_KIND = basic.AnsibleModule


def main() -> None:
    packed = sys.modules["ansible_collections.fleet.livepatch.plugins"]
    packed.__path__.append(os.environ["FAKE_PLUGINS"])
    importlib.import_module("tests.support.fake_machine").run()


if __name__ == "__main__":
    main()
