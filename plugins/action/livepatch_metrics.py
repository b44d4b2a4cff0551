# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the metrics file of a host: the controller's part of the module of the same name."""

from __future__ import annotations

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction


class ActionModule(HostAction):
    module_name = "livepatch_metrics"
    spec = _argspec.METRICS
