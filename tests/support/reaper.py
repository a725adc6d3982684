"""Ends the test cluster when the test run ends, however it ends.

`python -m tests.support.reaper FOLDER` waits for the end of its standard input, which the run's
controller holds open: its normal end, Ctrl-C, SIGTERM and SIGKILL all close it. Then the cluster is
stopped and its folder removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from service.database.embedded import Embedded


class Reaper:
    """The controller's end of the pipe."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.reaper", str(folder)],
            stdin=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )

    def reap(self) -> None:
        """Stop the cluster and remove its folder, now."""
        self._process.communicate()


def main(folder: Path) -> None:
    """Wait for the end of standard input, then clean up; the data is thrown away."""
    while os.read(0, 4096):
        pass
    server = Embedded(folder / "cluster")
    if pid := server.pid:
        os.kill(pid, signal.SIGQUIT)
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(server.socket_dir, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
