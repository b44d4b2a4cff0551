#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: livepatch_repository
short_description: Configure the repository that KMPs come from
description:
  - For the role P(fleet.livepatch.repository#role) only.
  - Makes a host trust the pinned keys of a repository and know its address, or activates the vendor's repository, or
    reports what the operator has to do where the host cannot.
requirements:
  - Python 3.6 or later on the host, with its standard library only
  - zypper, or dnf up to version 4
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
    details: It returns what it would change. O(kind=url) is not refreshed, so that it is not known whether it answers.
  diff_mode:
    description: Returns what it changed, or would change.
    support: partial
    details: Shows RV(changes), and no file, as O(url) may hold a password.
  idempotent:
    description: Changes nothing when it is run a second time.
    support: full
options:
  kind:
    description:
      - Where KMPs come from. A V(url) of your own, V(suseconnect) for the SUSE Customer Center or an RMT server.
        V(suse_manager), V(rhel) and V(amazon) only check that a repository offers KMPs.
    type: str
    choices: [url, suseconnect, suse_manager, rhel, amazon]
    default: url
  name:
    description: Name of the repository on the host.
    type: str
    default: livepatch
  url:
    description:
      - Address of the repository, https, http or file, in one word without commas.
      - It is not returned, and of a password, a token or a query in it no message shows anything.
    type: str
  key:
    description:
      - The public keys of the repository, as text (C(-----BEGIN PGP PUBLIC KEY BLOCK-----)).
      - The host gets a text that is made anew of just the keys that are pinned.
    type: str
  fingerprint:
    description:
      - Fingerprints of the keys in O(key), in any case, with or without blanks and colons. All of its primary keys must
        be named, and no others.
      - Subkeys that are not named are left out, and what they have signed is not trusted.
      - Without it, O(key) must hold one key only, which is taken with its subkeys.
    type: list
    elements: str
    default: []
  signed_metadata:
    description: Whether the metadata of the repository are signed as well as its packages.
    type: bool
    default: true
  regcode:
    description: Registration code, if SUSE Live Patching needs one of its own. It is not returned.
    type: str
seealso:
  - module: fleet.livepatch.kmp_info
"""

EXAMPLES = r"""
- name: Configure the repository
  fleet.livepatch.livepatch_repository:
    url: https://mirror.example.com/livepatch/15.4
    key: "{{ lookup('ansible.builtin.file', 'livepatch.asc') }}"
    fingerprint: [0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567]
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, in order; in check mode, what would be.
  returned: always
  type: list
  elements: str
  sample: [write /etc/pki/rpm-gpg/RPM-GPG-KEY-livepatch, write /etc/zypp/repos.d/livepatch.repo]
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import kinds, repository_file


def main() -> None:
    module = AnsibleModule(argument_spec=_argspec.REPOSITORY, supports_check_mode=True)
    # All of the address would be hidden, and few have a secret: what a tool says of the others is worth reading.
    url = module.params["url"] or ""
    module.no_log_values.discard(url)
    module.no_log_values.update(repository_file.list_secrets(url))

    def work(host: Host) -> Dict[str, Any]:
        return kinds.configure_repository(host, module.params, module.check_mode)

    run_module(module, work)


if __name__ == "__main__":
    main()
