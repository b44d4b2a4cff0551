# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that select a KMP, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  refresh:
    description:
      - Whether to refresh the metadata of the repositories first.
      - V(never) uses the metadata that are on the host.
      - V(if_older_than) refreshes them if the oldest were last checked more than O(refresh_max_age) seconds ago,
        so that a large fleet does not overload its mirror.
    type: str
    choices: [never, if_older_than, always]
    default: if_older_than
  refresh_max_age:
    description: The age of the metadata, in seconds, from which O(refresh=if_older_than) refreshes them.
    type: int
    default: 21600
  lock_timeout:
    description: How many seconds to wait while another program holds the package manager's lock.
    type: int
    default: 60
  policy:
    description:
      - Which KMPs may be installed, and which of them is selected. By default the newest one that provably belongs to
        the running kernel.
    type: dict
    suboptions:
      allow_name_match:
        description:
          - Also accept a KMP that only its name ties to the build of the running kernel.
          - Otherwise a KMP must carry the tag C(livepatch-target(build-id)) with the running build ID, or the running
            kernel must be traced to it. That is so when the installed image is the running kernel, the image matches
            the RPM database, and the kernel's package and the KMP are signed by the same vendor.
          - The kernel itself does not refuse a module that was built for another build of the same release.
        type: bool
        default: false
      allow_unsigned:
        description:
          - Names of KMPs, or C(NAME-VERSION-RELEASE), that may be unsigned. Wildcards are allowed.
        type: list
        elements: str
        default: []
      allow_dependencies:
        description:
          - Names of packages, with wildcards, that may be installed together with a KMP, besides the vendors' own
            tools for KMPs. A transaction that would do anything else is refused.
        type: list
        elements: str
        default: []
      vendors:
        description:
          - Vendors, as in the RPM tag C(Vendor), whose KMPs are accepted besides those of the kernel's own vendor.
          - The tag is what the package's maker wrote. A KMP must be signed by the kernel's signer as well, or
            O(policy.builders) names its key.
        type: list
        elements: str
        default: []
      builders:
        description:
          - Fingerprints, in full, of keys whose KMPs are accepted as those of the kernel's own signer are, with a tag
            or without. The host must trust the keys as well.
          - Otherwise a KMP must be signed with the key of the kernel's package, or with another release key of the same
            vendor.
        type: list
        elements: str
        default: []
      kmp_version:
        description:
          - Select this version, V(3) or V(3-150400.2.1), instead of the newest.
        type: str
      max_version:
        description:
          - Select no version newer than this one, V(3) or V(3-150400.2.1).
        type: str
      issued_before:
        description:
          - Select no KMP whose advisory was issued after this day (C(YYYY-MM-DD)), nor one without an advisory.
        type: str
      cves:
        description:
          - Select only KMPs whose advisory is about one of these CVEs. Where no repository has an advisory of a KMP,
            the changelog of the package counts, as far as it is on the host.
        type: list
        elements: str
        default: []
      severity:
        description:
          - Select only KMPs whose advisory has at least this severity.
        type: str
        choices: [low, moderate, important, critical]
      min_age:
        description:
          - Select only KMPs whose advisory was issued at least this many days ago.
        type: int
        default: 0
      exclude:
        description:
          - KMPs that are not selected, by name, by version (C(3-150400.2.1)) or by both (C(NAME-VERSION-RELEASE)).
            Wildcards are allowed.
        type: list
        elements: str
        default: []
      quarantine:
        description:
          - KMPs that are barred, with the reason. Results name the reason; otherwise as O(policy.exclude).
        type: list
        elements: dict
        default: []
        suboptions:
          kmp:
            description: The KMP, as in O(policy.exclude).
            type: str
            required: true
          reason:
            description: Why the KMP is barred.
            type: str
            required: true
      accept_revision:
        description:
          - Metadata that are accepted though the repository has shown newer ones before, or though they have expired,
            for example after a vendor has withdrawn a KMP.
          - Otherwise the host's state is V(unknown) until the repository shows what it has shown before. The reason is
            kept on the host, in C(/var/lib/fleet.livepatch/repositories.json).
        type: list
        elements: dict
        default: []
        suboptions:
          repository:
            description: The name of the repository on the host.
            type: str
            required: true
          revision:
            description: The revision in its C(repomd.xml), which the state's reason names.
            type: str
            required: true
          reason:
            description: Why it is accepted.
            type: str
            required: true
"""
