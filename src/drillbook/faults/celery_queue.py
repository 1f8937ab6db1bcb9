"""What faults of Celery workers see in the broker, which is a Redis: the queue's own view, not the worker's."""

from dataclasses import dataclass

from drillbook.faults._common import in_service, must_be_name
from drillbook.replica import Replica

__all__ = ["Queue"]

_LOOKS = 5
_GAP_S = 0.1


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of Celery in Redis; the broker's keys are those of kombu's transport ``redis``.

    Args:
        broker: The Redis service, as the runbook has it.
        cli: How ``redis-cli`` is called there for the broker's database, with its password where it has one.
        name: Of the queue.
    """

    broker: str
    cli: str = "redis-cli"
    name: str = "celery"

    def __post_init__(self) -> None:
        must_be_name(self, "broker", self.broker)
        must_be_name(self, "name", self.name)

    def looks(self, replica: Replica) -> list[tuple[int, frozenset[str]]]:
        """Return a few looks in a row, each as how many tasks wait, and which ones a worker holds."""
        one = f"{self.cli} llen {self.name}; {self.cli} hkeys unacked; echo --"
        said = in_service(replica, self.broker, f"for look in $(seq {_LOOKS}); do {one}; sleep {_GAP_S}; done")
        parts = [part.split() for part in said.out.split("--\n") if part.strip()]
        return [(int(part[0]), frozenset(part[1:])) for part in parts if part[0].isdigit()]

    def remove(self, replica: Replica, mark: str) -> None:
        """Take every task out, waiting or held, whose message names the mark among its arguments."""
        script = (
            f"for _, m in ipairs(redis.call('lrange', '{self.name}', 0, -1)) do if string.find(m, ARGV[1], 1, true) "
            f"then redis.call('lrem', '{self.name}', 0, m) end end "
            "for _, t in ipairs(redis.call('hkeys', 'unacked')) do "
            "if string.find(redis.call('hget', 'unacked', t), ARGV[1], 1, true) "
            "then redis.call('hdel', 'unacked', t) redis.call('zrem', 'unacked_index', t) end end"
        )
        in_service(replica, self.broker, f'{self.cli} eval "{script}" 0 {mark}')
