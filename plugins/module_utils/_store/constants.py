# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statuses and words that the store and its readers share. PRIVATE to the collection: it may change at any time."""

# A rollout with one of these statuses is open: the next run resumes it.
OPEN = ("running", "soaking", "waiting", "halted")
ENDED = ("done", "failed", "aborted")
# The outcome of a host on which apply began and whose result is not recorded yet
BEGUN = "begun"
# What a rollout waits for (``detail["for"]``) when it leaves a wave to slices, jobs that each have a part of the hosts
SLICES = "slices"
# Who has halted a scope, when a slice exceeded a budget
SLICE = "a slice"
# As which scope the halt of all scopes is stored
ALL_SCOPES = "*"
