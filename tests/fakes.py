"""Hand-written stand-ins: a clock that only moves when somebody waits, and a system that a test breaks by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.alerts import Alert
from drillbook.evidence import Checked, Transcript
from drillbook.model import Command, Effect, Phase, Runbook, Step
from drillbook.outcome import Outcome
from drillbook.replica import HandStep, Holdings, Reply, Wait
from drillbook.site import DEFAULT_SLO, Site
from drillbook.target import DEFAULT_DEADLINE_S, Output


class FakeClock:
    """Time that passes only in ``pause``."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def utc(self) -> datetime:
        return datetime(2026, 1, 31, 3, 0, tzinfo=UTC) + timedelta(seconds=self.now_s - 1000.0)

    def pause(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.001)


class FakeTarget:
    """Answers commands from a function; remembers what it was asked."""

    name = "fake"

    def __init__(self, answer: Callable[[str], str] = lambda command: "") -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.deadlines_s: list[float] = []

    def run(
        self, command: str, *, deadline_s: float = DEFAULT_DEADLINE_S, variables: Mapping[str, str] | None = None
    ) -> Output:
        self.asked.append(command)
        self.deadlines_s.append(deadline_s)
        return Output(command, 0, self.answer(command).encode(), b"", 0.0)

    def close(self) -> None:
        pass


class FakeReplica:
    """A system with one switch, ``broken``, and what it would show."""

    slug = "shop"
    time_factor = 10.0
    waits: Sequence[Wait] = (Wait("alert's for", 60.0, 6.0),)
    changes: Mapping[str, Sequence[str]] = {"Strategy 4": ("limit",)}
    variables: Mapping[str, str] = {}
    sample_labels: Mapping[str, str] = {}
    slo = DEFAULT_SLO
    healthy_start_s = 1.0
    has_machine = True
    urls: Mapping[str, str] = {}

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.broken = False
        self.sticky = False
        self.alert_names: list[str] = ["ShopDown"]
        self.state: dict[str, str] = {"limit": "128"}
        self.running = False
        self.hand_steps: list[HandStep] = []
        self.done: dict[str, list[str]] | None = None
        """What was accepted; None for a shop that keeps no work."""
        self.operator = FakeTarget(self._answer)

    def _answer(self, command: str) -> str:
        if command.startswith("restart") and not self.sticky:
            self.broken = False
        if command.startswith("raise"):
            self.state["limit"] = "256"
            self.broken = False
        return "oom shop" if command == "dmesg" and self.broken and self.sticky else ""

    def start(self) -> None:
        self.running = True

    def wait_until_ready(self, within_s: float) -> None:
        pass

    def host(self, role: str) -> FakeTarget:
        return self.operator

    def ask_as_customer(self, key: str = "") -> Reply:
        """Take the work over, and have it done at once; the work is what it is called."""
        if self.broken:
            return Reply(served=False)
        if key and self.done is not None:
            self.done.setdefault(key, []).append(key)
        return Reply(served=True, accepted=key if key and self.done is not None else None)

    def work(self) -> Holdings | None:
        return None if self.done is None else Holdings(dict(self.done))

    def alerts(self) -> list[Alert]:
        return [Alert(name, {"job": "shop"}) for name in self.alert_names] if self.broken else []

    def evidence(self) -> list[str]:
        return ["the shop is closed"] if self.broken else []

    def posted(self) -> list[dict[str, object]]:
        return [{"path": "/incidents", "body": "the shop is back"}] if "post" in self.operator.asked else []

    def snapshot(self) -> dict[str, str]:
        return dict(self.state)

    def stop(self) -> None:
        self.running = False


class FakeFault:
    """Flips the fake replica's switch."""

    effect_within_s = 5.0

    def __init__(self, *, sticky: bool = False, works: bool = True) -> None:
        self.sticky = sticky
        self.works = works
        self.reverted = 0

    def describe(self) -> str:
        return "the shop breaks"

    def inject(self, replica: FakeReplica) -> None:
        replica.sticky = self.sticky
        replica.broken = self.works

    def is_present(self, replica: FakeReplica) -> bool:
        return replica.broken

    def revert(self, replica: FakeReplica) -> None:
        self.reverted += 1
        replica.broken = False


class FakeChecks:
    """One verification check that looks at the switch, one diagnosis check that looks for ``oom``."""

    def __init__(self, replica: FakeReplica) -> None:
        self.replica = replica
        self.blind = False

    def verify(self, site: Site) -> list[Checked]:
        red = self.replica.broken and not self.blind
        outcome = Outcome.FAILED if red else Outcome.PASSED
        return [Checked("test_sells", "verify", "The shop sells.", (), outcome, "a sale", "no sale")]

    def diagnose(self, site: Site, transcript: Transcript) -> list[Checked]:
        line = transcript.find("oom")
        outcome = Outcome.FAILED if line else Outcome.PASSED
        covers = ("fix/strategy-4#1",)
        return [Checked("test_memory", "diagnose", "Memory suffices.", covers, outcome, "no kill", line or "")]


def command(id_: str, text: str, effect: Effect = Effect.READ, line: int = 1) -> Command:
    return Command(id_, text, line, effect)


def shop_runbook() -> Runbook:
    """Read the kernel's log; restart as a route; raise the limit where memory ran out; tell everybody."""
    restart, limit = "Strategy 1: restart", "Strategy 4: more memory"
    steps = (
        Step("look#1", 3, Phase.DIAGNOSE, None, ("Look",), "bash", (command("look#1.1", "dmesg", line=3),)),
        Step(
            "fix/strategy-1#1",
            5,
            Phase.RECOVER,
            restart,
            ("Fix", restart),
            "bash",
            (
                command("fix/strategy-1#1.1", "restart shop", Effect.CHANGE, 5),
                command("fix/strategy-1#1.2", "sleep 30", line=6),
            ),
        ),
        Step(
            "fix/strategy-4#1",
            8,
            Phase.RECOVER,
            limit,
            ("Fix", limit),
            "bash",
            (command("fix/strategy-4#1.1", "raise limit", Effect.CHANGE, 8),),
        ),
        Step("tell#1", 10, Phase.COMMUNICATE, None, ("Tell",), "bash", (command("tell#1.1", "post", Effect.TELL, 10),)),
    )
    text = "# Shop\n\ndmesg\n\nService not restored within 15 minutes\n"
    return Runbook("shop", Path("runbooks/shop.md"), "Shop", text, steps)
