# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys one vendor signs with. PRIVATE to the collection: it may change at any time. Pure.

Vendors replace their keys, and a kernel may be signed with the older one and its KMP with the newer one. Who is who is
taken from no text that a key or a package has: these are the release keys in the package ``distribution-gpg-keys``
(1.104), which Debian has, too. Keys for beta versions are none of them.
"""

from typing import Dict, FrozenSet

VENDOR_KEYS: Dict[str, FrozenSet[str]] = {
    "SUSE": frozenset(
        (
            "FEAB502539D846DB2C0961CA70AF9E8139DB7C82",  # SLE 12 and 15
            "7F009157B127B994D5CFBE76F74F09BC3FA1D6CE",  # SLE 15 since 2023
            "B56E560141D8F6542DFF3BF9A1BFC02BD588DC46",  # in reserve
            "1C59D66FCD52563A16933DBCFEC28EAF09D9EA69",  # ALP: SL Micro 6, SLE 16
            "50567568F2920FF165B25FB2C7B81E4373F03759",  # in reserve
        )
    ),
    "openSUSE": frozenset(
        (
            "22C07BA534178CD02EFE22AAB88B2FD43DBDC284",
            "AD485664E901B867051AB15F35A2F86E29B700A4",  # since 2022
        )
    ),
    "Red Hat": frozenset(
        (
            "567E347AD0044ADE55BA8A5F199E2F91FD431D51",  # release key 2
            "43A6E49C4A38F4BE9ABF2A5345689C882FA658E0",  # auxiliary key
            "6A6AA7C97C8890AEC6AEBFE2F76F66C3D4082792",  # auxiliary key 2
            "7E4624258C406535D56D6F135054E4A45A6340B3",  # auxiliary key 3
        )
    ),
    "AlmaLinux": frozenset(
        (
            "5E9B8F5617B5066CE92057C3488FCF7C3ABB34F8",
            "BC5EDDCADF502C077F1582882AE81E8ACED7258B",  # 8
            "BF18AC2876178908D6E71267D36CB86CB86B3716",  # 9
        )
    ),
    "Rocky Linux": frozenset(
        (
            "7051C470A929F454CEBE37B715AF5DAC6D745A60",  # 8
            "21CB256AE16FC54C6E652949702D426D350D275D",  # 9
        )
    ),
    "Oracle Linux": frozenset(
        (
            "42144123FECFC55B9086313D72F97B74EC551F03",  # 6 and 7
            "76FD3DB13AB67410B89DB10E82562EA9AD986DA3",  # 8
            "3E6D826D3FBAB389C2F38E34BC4D06A08D8B756F",  # 9
            "982231759C7467065D0CE9B2A7DD07088B4EFBE6",  # 9, in reserve
        )
    ),
    "Amazon Linux": frozenset(
        (
            "99E617FE5DB527C0D8BD5F8E11CF1F95C87F5B1A",  # 2
            "B21C50FA44A99720EAA72F7FE951904AD832C631",  # 2023
        )
    ),
}


def is_same_signer(left: str, right: str) -> bool:
    """Whether two fingerprints are of one key, or of two keys of one vendor."""
    return left == right or any(left in keys and right in keys for keys in VENDOR_KEYS.values())
