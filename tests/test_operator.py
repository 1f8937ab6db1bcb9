"""The operator runs the document's commands and writes down what came back."""

from pathlib import Path

import pytest
from fakes import FakeClock, FakeTarget, command, shop_runbook

from drillbook.errors import CommandRefused, CommandTimeout, TargetUnreachable
from drillbook.evidence import Finding
from drillbook.model import Effect, Phase, Step
from drillbook.operator import Operator, reading_commands
from drillbook.parser import parse_text
from drillbook.site import Site
from drillbook.timeline import Timeline

STEP = Step("look#1", 3, Phase.DIAGNOSE, None, ("Look",), "bash")


@pytest.fixture
def target():
    return FakeTarget(lambda command: f"ran {command}")


@pytest.fixture
def operator(target):
    site = Site("fake", shop_runbook(), lambda role: target, variables={"pod": "shop-1"})
    return Operator(site, Timeline(FakeClock()))


def test_reading_comes_from_diagnosis_and_from_scenarios_up_to_their_first_change():
    assert [command.id for _, command in reading_commands(shop_runbook())] == ["look#1.1"]


def test_a_command_runs_verbatim(operator, target):
    record = operator.run(STEP, command("look#1.1", "dmesg | tail -20"))
    assert target.asked == ["dmesg | tail -20"]
    assert (record.exit_status, record.out) == (0, "ran dmesg | tail -20")
    assert operator.transcript["look#1.1"] is record


def test_a_placeholder_is_bound_from_the_target(operator, target):
    operator.run(STEP, command("look#1.1", "kubectl logs <pod>"))
    assert target.asked == ["kubectl logs shop-1"]


def test_the_alerts_labels_bind_what_the_target_does_not(operator, target):
    operator.bind({"pod": "other", "instance": "shop:80"})
    operator.run(STEP, command("look#1.1", "curl <instance>/<pod>"))
    assert target.asked == ["curl shop:80/shop-1"]


def test_a_label_with_underscores_fills_in_a_name_with_dashes(operator, target):
    operator.bind({"service_name": "web"})
    operator.run(STEP, command("look#1.1", "kubectl get pods -l app=<service-name>"))
    assert target.asked == ["kubectl get pods -l app=web"]


def test_a_pod_that_an_earlier_command_listed_is_bound():
    target = FakeTarget(lambda command: "web-1   0/1   Error   3   1m\n" if "get pods" in command else "")
    operator = Operator(Site("fake", shop_runbook(), lambda role: target), Timeline(FakeClock()))
    operator.run(STEP, command("look#1.1", "kubectl get pods -n shop"))
    operator.run(STEP, command("look#1.2", "kubectl logs <pod-name> -n shop"))
    assert target.asked[-1] == "kubectl logs web-1 -n shop"


def test_what_opens_a_client_is_filled_in_like_any_command():
    target = FakeTarget(lambda command: "db-1   0/1   Error   3   1m\n" if "get pods" in command else "")
    text = "# T\n\n## Look\n\n```bash\nkubectl get pods\nkubectl exec -it <pod-name> -- sh\nuptime\n```\n"
    runbook = parse_text(text, Path("shop.md"))
    operator = Operator(Site("fake", runbook, lambda role: target), Timeline(FakeClock()))
    for step, each in runbook.commands():
        operator.run(step, each)
    assert target.asked[-1].startswith("kubectl exec -i db-1 -- sh <<")


def test_what_reads_in_a_recovery_has_the_time_to_wait(target):
    site = Site("fake", shop_runbook(), lambda role: target)
    operator = Operator(site, Timeline(FakeClock()))
    operator.run(STEP, command("look#1.1", "kubectl rollout status deployment/web"))
    operator.run(STEP, command("look#1.1", "kubectl rollout status deployment/web"), is_patient=True)
    assert target.deadlines_s == [15.0, 120.0]


def test_an_unresolved_placeholder_never_reaches_a_shell(operator, target):
    record = operator.run(STEP, command("look#1.1", "kubectl describe <node>"))
    assert target.asked == []
    assert "no value for <node>" in record.skipped


def test_what_is_typed_into_a_client_reaches_it_on_its_standard_input(target):
    text = "# T\n\n## Look\n\n```bash\nkubectl exec -it <pod> -- sh\npsql -U shop\nSELECT 1;\n```\n"
    runbook = parse_text(text, Path("shop.md"))
    operator = Operator(Site("fake", runbook, lambda role: target, variables={"pod": "db-0"}), Timeline(FakeClock()))
    step, typed = list(runbook.commands())[-1]
    assert operator.run(step, typed).text == "SELECT 1;"
    shell = "kubectl exec -i db-0 -- sh <<'TYPED_'\npsql -U shop <<'TYPED'\nSELECT 1;\nTYPED\nTYPED_"
    assert target.asked == [shell]


def test_what_is_typed_into_a_client_whose_name_is_not_known_does_not_run(target):
    runbook = parse_text("# T\n\n## Look\n\n```bash\npsql -h <db>\nSELECT 1;\n```\n", Path("shop.md"))
    operator = Operator(Site("fake", runbook, lambda role: target), Timeline(FakeClock()))
    assert operator.run(*list(runbook.commands())[-1]).skipped == "no value for <db>"
    assert target.asked == []


def test_both_lines_of_a_rewritten_command_are_recorded(operator):
    record = operator.run(STEP, command("look#1.1", "docker logs shop -f"))
    assert (record.text, record.ran) == ("docker logs shop -f", "docker logs shop")


def test_the_record_has_no_value_of_a_secret_and_the_checks_have_what_was_printed():
    timeline = Timeline(FakeClock())
    site = Site("fake", shop_runbook(), lambda role: FakeTarget(lambda command: "Z2Vo"))
    record = Operator(site, timeline).run(STEP, command("look#1.1", "kubectl get secret db -o jsonpath={.data.url}"))
    assert record.out == "Z2Vo"
    assert [event.fields["stdout"] for event in timeline.events if event.kind == "command"] == ["[redacted]"]


def test_what_was_not_run_is_unknown_to_whoever_looks_for_its_output(operator):
    operator.run(STEP, command("look#1.1", "kubectl describe <node>"))
    with pytest.raises(TargetUnreachable, match="no value for"):
        operator.transcript["look#1.1"]
    with pytest.raises(TargetUnreachable, match="not in the transcript"):
        operator.transcript["look#1.2"]


def test_a_command_that_hangs_is_written_down_and_the_next_one_runs(operator, target):
    def run(text, *, deadline_s=0.0, variables=None):
        raise CommandTimeout("fake", "still running")

    target.run = run
    assert "did not end within 15 s" in operator.run(STEP, command("look#1.1", "curl shop")).skipped


def test_a_check_gets_a_finding_for_a_hang_and_an_error_for_a_refusal(operator, target):
    def hang(text, *, deadline_s=0.0, variables=None):
        raise CommandTimeout("fake", "still running")

    def refuse(text, *, deadline_s=0.0, variables=None):
        raise CommandRefused("fake", "`rm` is not known to read")

    target.run = hang
    with pytest.raises(Finding, match="did not end"):
        operator.run_or_raise(STEP, command("look#1.1", "curl shop"))
    target.run = refuse
    with pytest.raises(CommandRefused, match="not known to read"):
        operator.run_or_raise(STEP, command("look#1.1", "rm x", Effect.DESTROY))


def test_the_same_is_read_once_and_told_for_each_command(target):
    look, fix = "```bash\ndf -h\n```", "```bash\ndf -h\nrm -rf /tmp/x\n```"
    text = f"# T\n\n## Diagnosis\n\n{look}\n\n## Fix\n\n### Strategy 1: Room\n\n{fix}\n"
    runbook = parse_text(text, Path("shop.md"))
    timeline = Timeline(FakeClock())
    read = Operator(Site("fake", runbook, lambda role: target), timeline).read_all()
    assert target.asked == ["df -h"]
    assert [record.out for record in read] == ["ran df -h", "ran df -h"]
    first, second = (event.fields for event in timeline.events)
    assert first["id"] != second["id"]
    assert (second["same_as"], second["stdout"]) == (first["id"], "ran df -h")
