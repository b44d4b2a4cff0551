# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a run of the module ``livepatch``. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy


class Request(NamedTuple):
    policy: Policy
    # Seconds that a migration may take
    timeout: float
    # "reverse" or "leave"
    on_stall: str
    check_mode: bool
    # What a plan was made for, as far as it is given: "build_id" of the running kernel, "kmp" the EVR to apply, "begun"
    # if the rollout has begun its change of this host already
    expect: Dict[str, Any] = {}
    # "latest", "present", "absent" or "previous"
    state: str = "latest"
    # Whether the patch may be part of the next boot at once
    confirm: bool = True
    # Whether to repair what loads the patch at boot
    repair_boot: bool = False
    # Whether the kernel's package is to be locked, None to leave its lock as it is
    kernel_lock: Optional[bool] = None
    # Whether disabling a patch may cost the vendor's support
    allow_unsupported: bool = False
    # For the journal
    run: Optional[str] = None
    rollout: Optional[str] = None
    plan: Optional[str] = None
    # The number of the rollout's run, None outside of rollouts
    fence: Optional[int] = None
    # Whether a failed preflight check refuses a change
    preflight: bool = False
    # Preflight checks that may fail
    preflight_tolerate: Sequence[str] = ()
    # Whether this goes back to an earlier level
    is_rollback: bool = False
    # Why nothing is to be done, None where something is
    skip_reason: Optional[str] = None
    # Whether to bring the KMP's file to the host and do nothing else
    download_only: bool = False
    # Whether KMPs are to be locked for all other programs, None to leave that as it is
    lock: Optional[bool] = None
    # Whether to see to that lock and do nothing else
    lock_only: bool = False
