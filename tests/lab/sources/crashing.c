/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* It takes the kernel down as soon as it is loaded. */

#include "patch.h"

static struct klp_object objs[] = { { } };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static int __init lab_init(void)
{
	panic("lab: this live patch crashes the kernel at load");
	return klp_enable_patch(&patch);
}

static void __exit lab_exit(void)
{
}

module_init(lab_init);
module_exit(lab_exit);
