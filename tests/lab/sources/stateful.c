/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* It has made a change to the system that only it knows how to handle: the kernel refuses each patch after it that does not
 * (Documentation/livepatch/system-state.rst).
 */

#include "patch.h"

static struct klp_object objs[] = { { } };

static struct klp_state states[] = { { .id = 1, .version = 1 }, { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .states = states, .replace = true };

static int __init lab_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lab_exit(void)
{
}

module_init(lab_init);
module_exit(lab_exit);
