/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* A program of any user holds its transition: one that sleeps in pause(2), until the kernel wakes it after 15 seconds
 * by its fake signal. Few other programs sleep there.
 */

#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "patch.h"

static long lab_pause(const struct pt_regs *unused)
{
	while (!signal_pending(current)) {
		__set_current_state(TASK_INTERRUPTIBLE);
		schedule();
	}
	return -ERESTARTNOHAND;
}

static struct klp_func funcs[] = {
	{ .old_name = "__x64_sys_pause", .new_func = lab_pause },
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
