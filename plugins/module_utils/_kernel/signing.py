# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check whether the running kernel would load a module. PRIVATE to the collection: it may change at any time.

The rule is that of kernel/module/signing.c: a module that is not signed, or with a key that the kernel does not know,
is refused where signatures are enforced, or the kernel is locked down; elsewhere it is loaded, and taints the kernel.
"""

import re
from typing import Any, Dict, Optional, Set

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# serial, flags, usage, timeout, permissions, owner, group, type, description
_CERTIFICATE = re.compile(
    r"^[0-9a-f]{8} \S{7} +\d+ +\S+ [0-9a-f]{8} +0 +0 asymmetri (.+): [0-9a-f]+: X509\.", re.MULTILINE
)
_LOCKED_DOWN = ("integrity", "confidentiality")


def explain_refusal(host: Host, kernel: Dict[str, Any], signed: bool, signer: Optional[str]) -> Optional[str]:
    """Explain why the kernel would refuse a module; None where it would not, or where that is unknown.

    :param kernel: the block ``kernel`` of a result.
    :param signer: the common name of the certificate that the module's signature can be verified with.
    """
    why = _explain_enforcement(kernel)
    if why is None:
        return None
    if not signed:
        return f"this kernel loads only signed modules ({why}), and its module is not signed"
    trusted = list_certificates(host)
    if signer is None or trusted is None or signer in trusted:
        return None
    return (
        f"this kernel loads only modules that are signed with a key it trusts ({why}); its module is signed by {signer}"
    )


def _explain_enforcement(kernel: Dict[str, Any]) -> Optional[str]:
    if kernel["module_signature_enforced"]:
        return "sig_enforce"
    if kernel["lockdown"] in _LOCKED_DOWN:
        return "lockdown: {}".format(kernel["lockdown"])
    return None


def list_certificates(host: Host) -> Optional[Set[str]]:
    """List the names of the certificates in the kernel's keyrings, None where it shows none.

    A line of /proc/keys (keyrings(7)) ends with the key's owner, type and description: for certificates ``asymmetri``,
    the subject, the identifier and how it is used, ``: X509.rsa 524668e2 []``. The kernel's own belong to root; a user
    may add others, and describe keys of other types with any words.
    """
    try:
        text = host.read_text("/proc/keys")
    except Unmeasured:
        return None
    return set(_CERTIFICATE.findall(text or "")) or None
