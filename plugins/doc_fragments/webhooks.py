# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of modules that send webhooks, as documentation."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  webhooks:
    description:
      - URLs to notify of the rollout's events. A JSON object is posted to each, with C(schema), C(id) (the same for
        each attempt), C(event), C(at), C(text), C(scope), C(rollout), C(plan), and what belongs to the event, such as
        C(wave), C(status), C(hosts) or C(counts).
      - The events are C(plan), C(start), C(resume), C(approval) when an approval is required, C(wave_start),
        C(wave_end) when all hosts of a wave have finished, C(gate) with its verdict, C(rollback) when hosts were rolled
        back, C(halt), C(pause) when the rollout soaks or waits, and C(done).
      - A webhook never affects the rollout, whatever it answers. A failed delivery is a warning. Nothing is sent in
        check mode.
      - Each entry also takes the options of a request, C(headers), C(timeout), C(validate_certs), C(ca_path),
        C(client_cert), C(client_key), C(url_username) and C(url_password). C(timeout) is the number of seconds that an
        attempt may take, from the resolution of the name to the end of the response, by default 5. A redirect is not
        followed.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: The URL to post to.
        type: str
        required: true
      events:
        description: The events to send; all by default.
        type: list
        elements: str
      secret:
        description:
          - Signs the body. The header C(X-Livepatch-Signature-256) is C(sha256=), followed by the HMAC of the body in
            hex.
        type: str
      retries:
        description: How often to retry when there is no response, or the response says that a retry may succeed.
        type: int
        default: 2
      limit:
        description: The number of seconds that all attempts may take.
        type: float
        default: 20
"""
