"""How much address space a process takes, and how it is kept within what it may take.

A limit of the system alone is not enough: where it refuses memory to one of the solver's threads, the others can wait
for that thread for ever. So whoever started a process looks at its size often, and ends it once it is too large; the
limit of the system stands further out, for what grows faster than anybody looks.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

FARTHER, BEYOND_GB = 1.25, 0.25
"""The limit of the system: so many times what a process may take, and so much more."""
ROOM_GB = 0.15
"""What even the smallest solve takes beyond a process that has just come up."""
GB = 1e9


def size_gb(process_id: int) -> float | None:
    """Return the address space that a process takes, in GB; None where it is gone or this system does not say."""
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / GB


def hold_back(memory_gb: float) -> None:
    """Have the system refuse this process what lies far beyond its limit."""
    try:
        import resource
    except ImportError:  # not on this system: there a process has what the machine has
        return
    most = int((FARTHER * memory_gb + BEYOND_GB) * GB)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def too_little(memory_gb: float) -> str:
    """Return why a limit leaves this process, which has just come up, no room for any solve; empty where it does."""
    taken = size_gb(os.getpid())
    if taken is None or taken + ROOM_GB <= memory_gb:
        return ""
    return (
        f"no run can be done within {memory_gb:g} GB: the solver takes {taken:.2f} GB before it begins. Whoever keeps "
        f"the app sets TIERWATT_RUN_MEMORY_GB to {math.ceil(10.0 * (taken + ROOM_GB)) / 10.0:.1f} or more"
    )


def out_of_memory(memory_gb: float) -> str:
    """Return what to say of a run that wanted too much memory."""
    return (
        f"The solve needs more memory than the {memory_gb:g} GB that one run may use here. Fewer classes, fewer "
        "platforms, a smaller menu or fewer batch points an octave make it smaller."
    )
