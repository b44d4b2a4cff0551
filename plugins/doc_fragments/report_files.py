# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that write a report, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dir:
    description:
      - A folder on the control node in which to write the report. It is created if it does not exist.
      - The report is one self-contained HTML page, and the same data as JSON, CSV, JUnit XML and CycloneDX VEX.
      - Without O(dir) and O(url) no report is written.
    type: str
    default: ""
  file_mode:
    description:
      - The permissions of the files in O(dir), in octal such as V(0644). A report lists open CVEs.
      - By default V(0640), or less where the umask takes more away.
    type: str
  url:
    description:
      - A URL below which the same files are uploaded, each with C(PUT) under its own name, as WebDAV servers and
        artifact stores accept them. For ephemeral control nodes, such as those of AWX.
      - A response other than 2xx is an error. It is reported after everything else is done.
    type: str
    default: ""
  request:
    description:
      - How to upload the files, with the same keys as for the gates of a rollout. C(headers), C(url_username) and
        C(url_password) authenticate; C(validate_certs), C(ca_path), C(client_cert) and C(client_key) configure TLS;
        C(timeout) is the number of seconds that each file may take, by default 10. A redirect is not followed.
    type: dict
    default: {}
"""
