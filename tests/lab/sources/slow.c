/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* Its transition takes about 20 seconds, or as many milliseconds as its parameter says: a kernel thread of this module
 * sleeps that long, uninterruptibly, in the function that is patched, so that not even the kernel's fake signal shortens
 * it.
 */

#include "patch.h"
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>

static unsigned int milliseconds = 20000;
module_param(milliseconds, uint, 0444);

static DECLARE_COMPLETION(left);

static void lab_msleep(unsigned int msecs)
{
	unsigned long timeout = msecs_to_jiffies(msecs) + 1;

	while (timeout)
		timeout = schedule_timeout_uninterruptible(timeout);
}

static struct klp_func funcs[] = {
	{ .old_name = "msleep", .new_func = lab_msleep },
	{ }
};

static struct klp_object objs[] = { { .funcs = funcs }, { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static int lab_sleeper(void *unused)
{
	msleep(milliseconds);
	/* Ends in the kernel's own text: this module may be gone as soon as the completion is seen. */
	kthread_complete_and_exit(&left, 0);
}

static int __init lab_init(void)
{
	struct task_struct *sleeper = kthread_run(lab_sleeper, NULL, "lab_sleeper");
	int refused;

	if (IS_ERR(sleeper))
		return PTR_ERR(sleeper);
	/* The sleeper must lie in the old msleep before the new one takes its place. */
	msleep(200);
	refused = klp_enable_patch(&patch);
	if (refused)
		wait_for_completion(&left);
	return refused;
}

static void __exit lab_exit(void)
{
	wait_for_completion(&left);
}

module_init(lab_init);
module_exit(lab_exit);
