"""Saved files, edited at random under a checksum that is right."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("saved_edits.py")


def test_every_edit_is_refused_or_predicts():
    """In another process, which a kernel that indexes out of bounds would end."""
    command = [sys.executable, str(SCRIPT), "--edits", "300", "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert '"refused"' in done.stdout
    assert '"loaded"' in done.stdout
