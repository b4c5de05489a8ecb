"""Memory of a process and of all that it started."""

from __future__ import annotations


def resident_memory(pid: int) -> int:
    """Return the bytes resident in a process and its descendants, 0 once it ended; shared pages count for each."""
    import psutil

    total = 0
    try:
        leader = psutil.Process(pid)
        processes = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it ended between the listing and the look
    return total
