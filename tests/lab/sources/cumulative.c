/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* The honest edition: level 1 fixes nothing, each level above it changes what /proc/execdomains says. Nobody reads that. */

#include "patch.h"
#include <linux/seq_file.h>

#if LEVEL > 1
static int lab_execdomains_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "0-0\tLinux           \t[kernel]\n");
	seq_printf(m, "livepatch level %d\n", LEVEL);
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "execdomains_proc_show", .new_func = lab_execdomains_proc_show },
	{ }
};
#endif

static struct klp_object objs[] = {
#if LEVEL > 1
	{ .funcs = funcs },
#endif
	{ }
};

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
