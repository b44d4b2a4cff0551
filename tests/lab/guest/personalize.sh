#!/bin/sh
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs as root in a new clone: what it must not share with its siblings, and the time that passed while it was frozen.
# usage: personalize.sh NAME EPOCH MACHINE_ID BOOT_ID REPOSITORY_URL LIVEPATCH_KERNEL PACKAGE_MANAGER
set -eu

date -s "@$2" >/dev/null
echo "$1" >/etc/hostname
hostname "$1"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$1" >/etc/hosts
echo "$3" >/etc/machine-id
# The kernel's boot ID is as old as the snapshot and cannot be set, so clones show another file in its place until they
# really boot.
echo "$4" >/run/boot_id
chmod 444 /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
sed -i "s|^baseurl=.*|baseurl=$5|" /etc/zypp/repos.d/lab.repo
echo "LIVEPATCH_KERNEL=\"$6\"" >/etc/sysconfig/livepatching
if [ "$7" = dnf ]; then
    # The other one is not there, as on any system.
    mv /usr/bin/zypper /usr/bin/zypper.away
    rm -r /etc/zypp/repos.d/lab.repo /var/cache/zypp
    printf '[lab]\nname=lab\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=0\nbaseurl=%s\n' "$5" >/etc/yum.repos.d/lab.repo
fi
# For the next boot; it waits for the full second, and nobody has to wait for that.
hwclock --systohc --utc --noadjfile >/dev/null 2>&1 </dev/null &
uname -r
