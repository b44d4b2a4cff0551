/* Copyright (c) 2026 fleet.livepatch contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* What every edition has: the patch made of objs[], and the module around it. LEVEL comes from the including file. */

#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>

MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_INFO(klpgitrev, GIT_REVISION);
