#!/bin/sh
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes a kernel's disk: the guest's root, the lab's packages, the configuration, the initrd.
# Runs in a mount namespace of its own, as root or as the root of a user namespace.
# usage: assemble.sh ROOT_TAR PAYLOAD OUTPUT RELEASE KERNEL_ARGUMENTS
set -eu

tar=$1 payload=$2 output=$3 release=$4 arguments=$5
root=$output/root
devices='null zero random urandom'
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# Its files belong to users that only exist in here: nobody outside could remove them.
clean() {
    for device in $devices; do
        umount "$root/dev/$device" 2>/dev/null || :
    done
    rm -rf --one-file-system "$root"
}
trap clean EXIT

mkdir "$root"
# The root of a user namespace may not make device nodes; the guest has its own /dev anyway.
tar -C "$root" --numeric-owner --exclude='./dev/*' -xf "$tar"
for device in $devices; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
cp -r "$payload" "$root/payload"
chroot "$root" sh /payload/configure.sh "$release" "$arguments" >&2
rm -r "$root/payload"
for device in $devices; do
    umount "$root/dev/$device"
    rm "$root/dev/$device"
done

truncate -s 3G "$output/disk"
mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1 -d "$root" "$output/disk"
