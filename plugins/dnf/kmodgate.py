# SPDX-License-Identifier: GPL-2.0-or-later
# dnf4: a word before the download when a kernel comes without its headers, and holds that have lost
# their reason are lifted. The gate itself is in rpm; nothing in here may stop dnf by accident.
import os
import subprocess

import dnf

EARLY = "@LIBEXECDIR@/dnf-early"
HOLD = "@LIBEXECDIR@/dnf-hold"


class Kmodgate(dnf.Plugin):
    name = "kmodgate"

    def config(self):
        try:
            if os.access(HOLD, os.X_OK):
                subprocess.run([HOLD, "check"], timeout=60)
        except Exception:
            pass

    def resolved(self):
        try:
            lines = ["%s %s\n" % (p.name, p.evr) for p in self.base.transaction.install_set]
            if os.access(EARLY, os.X_OK) and lines:
                subprocess.run([EARLY], input="".join(lines).encode(), timeout=60)
        except Exception:
            pass
