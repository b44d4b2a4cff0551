# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection's modules have in common, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  platform:
    description: Target operating systems that the module works on.
    support: full
    platforms: linux
"""

    TARGET = r"""
requirements:
  - Python 3.6 or later on the host, nothing but its standard library
attributes:
  action_group:
    description: Use C(group/fleet.livepatch.livepatch) in C(module_defaults) to set defaults for the module.
    support: full
    membership: [fleet.livepatch.livepatch]
"""

    INFO = r"""
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
    details: The module changes nothing.
  diff_mode:
    description: Returns what it changed, or would change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
    details: The module changes nothing.
"""

    CONTROLLER = r"""
attributes:
  check_mode:
    description: Runs in check mode without changing anything.
    support: full
  diff_mode:
    description: Returns what it changed, or would change.
    support: N/A
    details: It changes nothing.
  idempotent:
    description: Run twice it changes nothing the second time.
    support: full
"""

    REPORT = r"""
options:
  dir:
    description:
      - A folder on the control node, made if it is missing, in which the report is written, as a HTML file for people
        that needs nothing else, and as JSON, CSV, JUnit's XML and CycloneDX's VEX.
      - Without it and O(url) there is none.
    type: str
    default: ""
  url:
    description:
      - Where the same files are sent, for a control node that is thrown away, as AWX's are. Each is put (C(PUT)) under
        its own name below this URL, as WebDAV and stores of artifacts take them.
      - Anything but a status of 2xx is an error, at the end of what else is to be done.
    type: str
    default: ""
  request:
    description:
      - How they are sent, as for the gates of the rollout. C(headers), C(url_username) and C(url_password) say who
        sends, C(validate_certs), C(ca_path), C(client_cert) and C(client_key) what is trusted, C(timeout) after how
        many seconds it is given up, by default 10.
    type: dict
    default: {}
"""

    HOOKS = r"""
options:
  hooks:
    description:
      - Who is told of the rollout. Each is posted a JSON object at the points that it wants, with C(schema), C(id) (the
        same in each try), C(point), C(at), C(text), C(scope), C(rollout), C(plan), and what belongs to the point, as
        C(wave), C(status), C(hosts) or C(counts).
      - The points are C(plan), C(start), C(resume), C(approval) where one is needed, C(wave_start), C(wave_end) when
        its hosts have ended, C(gate) with its verdict, C(rollback) when hosts were brought back, C(halt), C(pause)
        where it soaks or waits, and C(done).
      - Whatever a hook answers, and if it does not, the rollout goes on as it would have; a warning says who was not
        told. In check mode nobody is told.
      - Besides these options each takes those of a request, C(headers), C(timeout), C(validate_certs), C(ca_path),
        C(client_cert), C(client_key), C(url_username) and C(url_password).
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: Where it is.
        type: str
        required: true
      points:
        description: What it wants to hear of; all by default.
        type: list
        elements: str
      secret:
        description:
          - Signs the body. The header C(X-Livepatch-Signature-256) is C(sha256=) and the HMAC of the body, as hex
            digits.
        type: str
      retries:
        description: How often it is tried again if nobody answers, or the answer says that it may work later.
        type: int
        default: 2
      limit:
        description: Seconds that all tries may take.
        type: float
        default: 20
"""

    POLICY = r"""
options:
  refresh:
    description:
      - Whether the package manager asks its repositories for news first.
      - V(never) works with the metadata that are on the host.
      - V(if_older_than) asks when the oldest metadata were last checked more than O(refresh_max_age) seconds ago,
        so that a large fleet does not fall upon its mirror all at once.
    type: str
    choices: [never, if_older_than, always]
    default: if_older_than
  refresh_max_age:
    description: Age of the repositories' metadata, in seconds, from which O(refresh=if_older_than) asks again.
    type: int
    default: 21600
  lock_timeout:
    description: How many seconds to wait while another program holds the package manager's lock.
    type: int
    default: 60
  policy:
    description:
      - Which KMPs may be used, and which of these is wanted. By default the newest one that surely belongs to the
        running kernel.
    type: dict
    suboptions:
      allow_name_match:
        description:
          - Also take a KMP that nothing but its name ties to the build of the kernel that runs.
          - Without it a KMP must carry the tag C(livepatch-target(build-id)) with the running build ID, or the running
            kernel must be traced to it. That is so when the installed image is the kernel that runs, the image is as
            the RPM database has it, and the kernel's package and the KMP are signed by the same vendor.
          - The kernel itself does not refuse a module that was built for another build with the same release.
        type: bool
        default: false
      allow_unsigned:
        description:
          - Names of KMPs, or C(NAME-VERSION-RELEASE), that may be without a signature. Wildcards are allowed.
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
          - Vendors, as RPM's tag C(Vendor) names them, whose KMPs are taken besides those of the kernel's own vendor.
        type: list
        elements: str
        default: []
      kmp_version:
        description:
          - Take just this version, V(3) or V(3-150400.2.1), instead of the newest.
        type: str
      max_version:
        description:
          - Take no version that is newer than this one, V(3) or V(3-150400.2.1).
        type: str
      issued_before:
        description:
          - Take no KMP whose advisory was issued after this day (C(YYYY-MM-DD)), nor one without an advisory.
        type: str
      cves:
        description:
          - Take only KMPs whose advisory is about one of these CVEs. Where no repository has an advisory of a KMP, the
            changelog of the package counts, as far as it is on the host.
        type: list
        elements: str
        default: []
      severity:
        description:
          - Take only KMPs whose advisory is at least that severe.
        type: str
        choices: [low, moderate, important, critical]
      min_age:
        description:
          - Take only KMPs whose advisory was issued at least so many days ago.
        type: int
        default: 0
      exclude:
        description:
          - KMPs that must not be taken, by name, by version (C(3-150400.2.1)) or by both (C(NAME-VERSION-RELEASE)).
            Wildcards are allowed.
        type: list
        elements: str
        default: []
      quarantine:
        description:
          - KMPs that are barred, and why. They are told as such, and otherwise treated as O(policy.exclude) does.
        type: list
        elements: dict
        default: []
        suboptions:
          kmp:
            description: The KMP, as in O(policy.exclude).
            type: str
            required: true
          reason:
            description: Why it is barred.
            type: str
            required: true
"""
