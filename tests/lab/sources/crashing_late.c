/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* All is well with it, until half a minute later it takes the kernel down. */

#include "patch.h"
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#define SECONDS 30

static struct klp_object objs[] = { { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static void lab_crash(struct work_struct *work)
{
	panic("lab: this live patch crashes the kernel %d s after load", SECONDS);
}

static DECLARE_DELAYED_WORK(crash, lab_crash);

static int __init lab_init(void)
{
	int refused = klp_enable_patch(&patch);

	if (!refused)
		schedule_delayed_work(&crash, SECONDS * HZ);
	return refused;
}

static void __exit lab_exit(void)
{
	cancel_delayed_work_sync(&crash);
}

module_init(lab_init);
module_exit(lab_exit);
