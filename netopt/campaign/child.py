"""The program of one run: the ``netopt`` command, which ends when the process that started it does.

Run as ``python -m netopt.campaign.child verify ...`` in a session of its own, with a pipe as standard input; or as
``python -m netopt.campaign.child --program COMMAND verify ...`` for another program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from importlib import import_module


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds open as long as it lives, and kill the session."""
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Run the installed command, or another program, on this process's arguments."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.argv[1:2] == ["--program"]:
        sys.exit(subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, check=False).returncode)
    sys.exit(import_module("netopt.cli.main").main())


if __name__ == "__main__":
    main()
