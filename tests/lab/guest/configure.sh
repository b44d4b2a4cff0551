#!/bin/sh
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs inside the guest's root while its disk is made. /payload holds the packages and keys.
# usage: configure.sh RELEASE KERNEL_ARGUMENTS
set -eu

release=$1 arguments=$2

# rpm: Debian's looks into the caller's home, while libzypp uses the system's database. Here both use the latter, as on SUSE.
mkdir -p /etc/rpm /var/lib/rpm
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
rpm --initdb
rpm --import /payload/rpm.asc
rpm --force-debian -i /payload/*.rpm

# Debian's rpm says with each transaction that one should not use it, which no other system's does. libzypp passes
# --nodeps with all of them.
printf 'rpm\talias --nodeps\t--nodeps --force-debian\n' >/etc/popt

# zypper: the settings that matter for kernels, as SUSE ships them.
mkdir -p /etc/zypp/repos.d
cat >/etc/zypp/zypp.conf <<'EOF'
[main]
multiversion = provides:multiversion(kernel)
multiversion.kernels = latest,latest-1,running
solver.onlyRequires = true
EOF
cat >/etc/zypp/repos.d/lab.repo <<'EOF'
[lab]
name=lab
enabled=1
autorefresh=1
baseurl=http://10.0.2.2:1/main
type=rpm-md
gpgcheck=1
EOF
# dnf: only hosts that are started as its use it, see personalize.sh.
mkdir -p /etc/yum.repos.d /etc/dnf
printf '[main]\ngpgcheck=1\nbest=True\nskip_if_unavailable=False\ninstall_weak_deps=True\n' >/etc/dnf/dnf.conf
mkdir -p /etc/sysconfig
echo 'LIVEPATCH_KERNEL="auto"' >/etc/sysconfig/livepatching

# Network: the addresses that QEMU's user networking gives, without waiting for DHCP.
echo lab >/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' >/etc/hosts
cat >/etc/systemd/network/lab.network <<'EOF'
[Match]
Name=eth0
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
EOF
systemctl -q enable systemd-networkd.service
echo '/dev/vda / ext4 noatime 0 0' >/etc/fstab

# Users. No password works for login; '*' instead of '!' because sshd without PAM takes the latter for a locked account.
for user in ops nosudo asksudo; do
    useradd -m -s /bin/bash -p '*' "$user"
    mkdir -m 700 "/home/$user/.ssh"
    cp /payload/ssh.pub "/home/$user/.ssh/authorized_keys"
    chown -R "$user:" "/home/$user/.ssh"
done
echo 'asksudo:lab-password' | chpasswd
printf 'ops ALL=(ALL:ALL) NOPASSWD: ALL\nasksudo ALL=(ALL:ALL) ALL\n' >/etc/sudoers.d/lab
chmod 440 /etc/sudoers.d/lab

# sshd: one host key, known to the lab; the cheapest key exchange, since emulated processors take seconds for others.
rm -f /etc/ssh/ssh_host_*
cp /payload/ssh-host /etc/ssh/ssh_host_ed25519_key
cp /payload/ssh-host.pub /etc/ssh/ssh_host_ed25519_key.pub
chmod 600 /etc/ssh/ssh_host_ed25519_key
cat >/etc/ssh/sshd_config.d/lab.conf <<'EOF'
HostKey /etc/ssh/ssh_host_ed25519_key
KexAlgorithms curve25519-sha256
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
MaxSessions 100
EOF

# Quiet: what wakes up by itself disturbs measurements, and costs boot time.
systemctl -q mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer logrotate.timer man-db.timer systemd-tmpfiles-clean.timer systemd-timesyncd.service \
    systemd-networkd-wait-online.service systemd-pstore.service systemd-rfkill.socket \
    getty@tty1.service serial-getty@ttyS0.service systemd-binfmt.service systemd-update-utmp.service
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nForwardToConsole=no\n' >/etc/systemd/journald.conf.d/lab.conf
systemctl -q set-default multi-user.target

# The initrd: only what finds the disk. With kernel-livepatch-tools the KMP's module comes into it, as on SUSE. zstd alone is
# level 15 to dracut: an emulated processor spends most of a KMP's installation on that.
cat >/etc/dracut.conf.d/lab.conf <<'EOF'
hostonly=no
dracutmodules=" base rootfs-block fs-lib udev-rules "
drivers=" virtio_pci virtio_blk ext4 "
filesystems=" ext4 "
compress="zstd -1 -q"
early_microcode=no
do_strip=no
EOF
dracut --quiet --force "/boot/initrd-$release" "$release"

# The boot loader's menu, which is all that decides what a reboot starts.
mkdir -p /boot/grub
cat >/boot/grub/grub.cfg <<EOF
set timeout=0
menuentry 'Linux $release' {
    linux /boot/vmlinuz-$release $arguments
    initrd /boot/initrd-$release
}
EOF
