#!/bin/sh
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs as root in the guest before it is frozen: what every clone would otherwise do, and translate, first.
# usage: warm.sh REPOSITORY_URL
set -eu

sed -i "s|^baseurl=.*|baseurl=$1|" /etc/zypp/repos.d/lab.repo
zypper --quiet --non-interactive refresh >/dev/null
zypper --quiet --non-interactive --xmlout search --details --match-exact lab-base >/dev/null
rpm -q lab-base >/dev/null
python3 -c 'import base64, json, os, platform, re, shutil, subprocess, tempfile, zipfile'
ls -R /sys/kernel/livepatch >/dev/null
systemctl is-system-running --wait >/dev/null || systemctl --failed --no-legend >&2
sync
# Let what the boot left behind settle, so that it does not go on in every clone.
sleep 3
