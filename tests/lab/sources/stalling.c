/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Its transition never ends: the kernel thread oom_reaper sleeps for ever in the function that is patched.
 * Nothing calls that function again, so its replacement never runs; the way out is to reverse the transition.
 */

#include "patch.h"

static int lab_oom_reaper(void *unused)
{
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "oom_reaper", .new_func = lab_oom_reaper },
	{ }
};

static struct klp_object objs[] = { { .funcs = funcs }, { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static int __init lab_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit lab_exit(void)
{
}

module_init(lab_init);
module_exit(lab_exit);
