#!/usr/bin/python
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: kernel_info
short_description: Gather facts about the running kernel
description:
  - Returns the identity of the running kernel, down to its build ID, and what decides whether it can be live patched.
  - A key that could not be measured is null, and RV(kernel.unmeasured) has the reason.
author: fleet.livepatch contributors (@fleet-livepatch)
extends_documentation_fragment:
  - fleet.livepatch.attributes
  - fleet.livepatch.attributes.target
  - fleet.livepatch.attributes.info
seealso:
  - module: fleet.livepatch.livepatch_info
"""

EXAMPLES = r"""
- name: Gather facts about the running kernel
  fleet.livepatch.kernel_info:
  register: result

- name: Show its build ID
  ansible.builtin.debug:
    var: result.kernel.build_id
"""

RETURN = r"""
kernel:
  description: The running kernel.
  returned: success
  type: dict
  contains:
    release:
      description: The release of the running kernel, as C(uname -r) prints it.
      returned: always
      type: str
      sample: 6.1.0-56-cloud-amd64
    version:
      description: The first part of the release.
      returned: always
      type: str
      sample: 6.1.0
    arch:
      description: The machine's architecture.
      returned: always
      type: str
      sample: x86_64
    flavor:
      description: The kernel's flavor, null where the release has none.
      returned: always
      type: str
      sample: cloud-amd64
    build_id:
      description: Hex of the running kernel's C(NT_GNU_BUILD_ID) note.
      returned: always
      type: str
      sample: 3b43fad5034874490492495d552c0af6a5fab235
    package:
      description: The RPM package that owns the image of this release, null where none does.
      returned: always
      type: dict
      sample: {name: kernel-default, evr: 5.14.21-150400.24.103.1, arch: x86_64}
    image:
      description: The installed image of the same release, as read from its file.
      returned: always
      type: dict
      sample:
        path: /boot/vmlinuz-6.1.0-56-cloud-amd64
        build_id: 3b43fad5034874490492495d552c0af6a5fab235
        version: "6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.192-2 (2026-11-16)"
        matches_running: true
        basis: build_id
      contains:
        path:
          description: The file that the boot loader starts. Null where there is none, and then the other keys are too.
          returned: always
          type: str
          sample: /boot/vmlinuz-6.1.0-56-cloud-amd64
        build_id:
          description:
            - Hex of the image's C(NT_GNU_BUILD_ID) note. Where the kernel's package ships C(vmlinux-*.gz) or
              C(vmlinux-*.xz) beside the image, as SUSE's does, that may be read instead.
            - Null where it cannot be read. Images that are compressed with zstd, lz4 or lzo need the tool C(zstd),
              C(lz4) or C(lzop) on the host.
          returned: always
          type: str
          sample: 3b43fad5034874490492495d552c0af6a5fab235
        version:
          description: The version string in the image's boot header, null where it has none. Only x86 images have one.
          returned: always
          type: str
          sample: "6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 6.1.192-2 (2026-11-16)"
        matches_running:
          description:
            - Whether the installed image is the running kernel. It is not when a kernel package was replaced by another
              build of the same release, and the host was not rebooted.
            - Null where that is unknown.
          returned: always
          type: bool
          sample: true
        basis:
          description:
            - What RV(kernel.image.matches_running) rests on. V(build_id), or V(version) where the build ID cannot be
              read and the boot header's version was compared with C(/proc/version).
          returned: always
          type: str
          sample: build_id
    proc_version:
      description: The content of C(/proc/version), with builder, compiler and time.
      returned: always
      type: str
      sample: "Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12) #1 SMP Debian 6.1.192-2"
    confinement:
      description:
        - V(wsl), or V(container:) and its kind, where the kernel is not this system's own. What is installed here then
          says nothing about it.
      returned: always
      type: str
      sample: null
    boot_id:
      description: An ID that changes with each boot.
      returned: always
      type: str
      sample: 5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11
    livepatch_supported:
      description: Whether this kernel can be live patched.
      returned: always
      type: bool
      sample: true
    mechanism:
      description: How this kernel is live patched, V(klp), V(kgraft) or null.
      returned: always
      type: str
      sample: klp
    taint:
      description: The kernel's taint, as a number and by letter.
      returned: always
      type: dict
      sample: {value: 45056, flags: [O, E, K]}
    lockdown:
      description: The lockdown mode, null where the kernel does not show it.
      returned: always
      type: str
      sample: none
    module_signature_enforced:
      description: Whether the kernel loads only signed modules.
      returned: always
      type: bool
      sample: false
    next_boot:
      description:
        - The kernel that the next boot starts, and the source of that. V(bls), V(grub) and V(extlinux) are the boot
          loader's own configuration, V(link) is SUSE's link in C(/boot), V(newest_installed) is a guess.
      returned: always
      type: dict
      sample: {release: 6.1.0-57-cloud-amd64, basis: grub}
    reboot_pending:
      description: Whether the next boot starts a newer kernel, or another build of this one.
      returned: always
      type: bool
      sample: true
    unmeasured:
      description: The reason for each key that is null.
      returned: always
      type: dict
      sample: {lockdown: /sys/kernel/security/lockdown is not there}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._module import run_module


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    run_module(module, lambda host: {"kernel": _kernel_facts.gather_kernel(host)})


if __name__ == "__main__":
    main()
