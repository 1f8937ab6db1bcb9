"""What the kernel's own control groups say about a container, on the old tree (v1) and the unified one (v2)."""

import re

__all__ = ["is_frozen", "memory_limit", "oom_kills_in_files", "oom_kills_in_kernel_log"]

_UNLIMITED = 2**60


def oom_kills_in_files(text: str) -> int:
    """Return the kill counter of ``memory.oom_control`` (v1) or ``memory.events`` (v2); 0 where there is none."""
    match = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else 0


def oom_kills_in_kernel_log(text: str, container_id: str) -> int:
    """Return how many kills the kernel log tells of in this very container.

    The log is the whole machine's, so only lines count whose control group names the container's full id.

    Args:
        text: ``dmesg``; its lines ``oom-kill:constraint=…,oom_memcg=…,task_memcg=…,task=…`` are read.
        container_id: The full id.
    """
    return sum(
        1
        for line in text.splitlines()
        if "oom-kill:" in line and re.search(rf"task_memcg=[^,]*{re.escape(container_id)}", line)
    )


def memory_limit(text: str) -> int | None:
    """Return the bytes of ``memory.limit_in_bytes`` (v1) or ``memory.max`` (v2); None where there is no limit."""
    value = text.strip()
    if not value.isdigit() or int(value) >= _UNLIMITED:
        return None
    return int(value)


def is_frozen(text: str) -> bool:
    """True where ``freezer.state`` (v1) or ``cgroup.events`` (v2) says that the tasks do not run."""
    return text.strip() in {"FROZEN", "FREEZING"} or re.search(r"^frozen 1$", text, re.MULTILINE) is not None
