import pytest

from drillbook.replica.cgroup import is_frozen, memory_limit, oom_kills_in_files, oom_kills_in_kernel_log

ID = "5d2" + "0" * 61
OTHER = "777" + "0" * 61


def kernel_line(container: str) -> str:
    return (
        "[ 2608.1] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=" + container + ",mems_allowed=0,"
        f"oom_memcg=/drillbook/abc/{container},task_memcg=/drillbook/abc/{container},task=python3,pid=4242,uid=0"
    )


@pytest.mark.parametrize(
    ("text", "kills"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n", 1),
        ("", 0),
    ],
)
def test_both_trees_count_kills(text: str, kills: int) -> None:
    assert oom_kills_in_files(text) == kills


def test_the_kernel_log_counts_for_the_named_container_only() -> None:
    log = "\n".join(
        [kernel_line(OTHER), kernel_line(ID), "[ 2609.0] Memory cgroup out of memory: Killed", kernel_line(ID)]
    )
    assert oom_kills_in_kernel_log(log, ID) == 2
    assert oom_kills_in_kernel_log(log, "9" * 64) == 0


def test_a_container_that_only_lends_its_cpus_was_not_killed() -> None:
    line = kernel_line(OTHER).replace(f"cpuset={OTHER}", f"cpuset={ID}")
    assert oom_kills_in_kernel_log(line, ID) == 0


@pytest.mark.parametrize(
    ("text", "limit"), [("67108864\n", 67108864), ("max\n", None), ("9223372036854771712\n", None), ("", None)]
)
def test_no_limit_is_none(text: str, limit: int | None) -> None:
    assert memory_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "frozen"),
    [
        ("FROZEN\n", True),
        ("FREEZING\n", True),
        ("THAWED\n", False),
        ("populated 1\nfrozen 1\n", True),
        ("frozen 0\n", False),
    ],
)
def test_both_trees_tell_what_is_frozen(text: str, frozen: bool) -> None:
    assert is_frozen(text) is frozen
