"""From URIs to programs, and from their complaints to hints."""

from itertools import pairwise

import pytest

from drillbook.errors import TargetUnreachable, UsageError
from drillbook.target import connect as connecting
from drillbook.target.connect import connect, connect_first, docker_argv, way_to


def test_ssh_takes_user_port_and_the_users_own_configuration() -> None:
    argv = way_to("ssh://ops@web-1:2222").argv
    assert argv[0] == "ssh"
    assert argv[-3:] == ("--", "ops@web-1", "exec sh")
    assert ("-p", "2222") in set(pairwise(argv))
    assert "BatchMode=yes" in argv
    assert not {"-F", "-i"} & set(argv)


def test_ssh_leaves_the_port_to_the_configuration_where_none_is_given() -> None:
    assert "-p" not in way_to("ssh://web-1").argv


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert way_to("ssh://ops@[::1]:22").argv[-2] == "ops@::1"


def test_become_is_sudo_without_a_password_and_root_in_a_container() -> None:
    assert way_to("ssh://web-1", become=True).argv[-1] == "exec sudo -n sh"
    argv = way_to("docker://web", become=True).argv
    assert argv[-4:] == ("-u", "0", "web", "sh")


@pytest.mark.parametrize(
    "uri",
    [
        "telnet://x", "web-1", "", "local:x", "local://x", "docker:web", "docker://", "docker://-x", "docker://a b",
        "docker:///srv", "ssh://", "ssh:web", "ssh://-oProxyCommand=reboot", "ssh://-l@x", "ssh://a:secret@x",
        "ssh://x:port", "ssh://x;reboot", "kubectl:x", "kubectl://kind/prod/web", "kubectl:///prod/pod/web",
        "kubectl://-x/prod/pod/web", "kubectl://kind/prod/configmap/web", "kubectl://kind/Prod/pod/web",
        "kubectl://kind/prod/pod/-web", "kubectl://kind/prod/pod/web/sh",
    ],
)  # fmt: skip
def test_a_uri_of_no_known_kind_is_refused_with_those_there_are(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(uri)
    assert "one of local:[/FOLDER], docker://NAME[/FOLDER], ssh://[USER@]HOST[:PORT][/FOLDER]" in str(caught.value)


def test_kubectl_takes_context_namespace_kind_and_name() -> None:
    argv = way_to("kubectl://kind-shop/prod/deployment/web").argv
    assert argv == (
        "kubectl",
        "--context",
        "kind-shop",
        "--namespace",
        "prod",
        "exec",
        "-i",
        "deployment/web",
        "--",
        "sh",
    )


def test_a_context_of_eks_is_percent_encoded() -> None:
    argv = way_to("kubectl://arn%3Aaws%3Aeks%3Aeu-west-1%3A123%3Acluster%2Fshop/prod/pod/web-0").argv
    assert argv[2] == "arn:aws:eks:eu-west-1:123:cluster/shop"


def test_nobody_becomes_root_in_a_pod() -> None:
    with pytest.raises(UsageError, match="`become` cannot be had"):
        way_to("kubectl://kind/prod/pod/web-0", become=True)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('error: context "shop" does not exist', "kubectl config get-contexts"),
        ('Error from server (NotFound): deployments.apps "web" not found', "get pods` lists"),
        ("error: context was not found for specified context: shop", "kubectl config get-contexts"),
        ("error: You must be logged in to the server (Unauthorized)", "auth whoami"),
        ("Unable to connect to the server: getting credentials: exec: no-such-plugin failed", "auth whoami"),
        (
            'Error from server (Forbidden): pods "web-0" is forbidden: User "x" cannot create resource "pods/exec"',
            "can-i create pods --subresource=exec",
        ),
        ("error: unable to upgrade connection: Forbidden (user=kubelet-client, verb=create)", "nodes/proxy"),
        ('Error from server (Forbidden): pods is forbidden: User "x" cannot list resource "pods"', "can-i --list"),
        ('error: unable to upgrade connection: container not found ("web")', "what became of it"),
        ("error: cannot exec into a container in a completed pod; current phase is Failed", "what became of it"),
        ('OCI runtime exec failed: exec: "sh": executable file not found in $PATH', "there is no sh"),
        ("The connection to the server 127.0.0.1:6443 was refused", "kubectl --context kind-shop -n prod cluster-info"),
        ("Unable to connect to the server: dial tcp: i/o timeout", "kubectl --context kind-shop -n prod cluster-info"),
        ("something else", ""),
    ],
)
def test_what_kubectl_complains_of_has_a_hint(words: str, hint: str) -> None:
    told = way_to("kubectl://kind-shop/prod/deployment/web").hint(words)
    assert hint in told
    assert "{place}" not in told


def test_the_docker_command_talks_to_the_engine_that_the_sdk_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert docker_argv() == ("docker", "-H", "tcp://127.0.0.1:1")


def test_an_engine_that_does_not_answer_is_unreachable_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(TargetUnreachable, match="start the Docker engine"):
        connect("docker://web")


def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "docker_argv", lambda: ("no-such-docker",))
    with pytest.raises(TargetUnreachable, match="install no-such-docker"):
        connect("docker://web")


@pytest.mark.docker
def test_a_container_that_does_not_exist_is_unreachable_in_dockers_own_words() -> None:
    with pytest.raises(TargetUnreachable) as caught:
        connect("docker://drillbook-no-such-container")
    text = str(caught.value)
    assert "docker://drillbook-no-such-container: expected a shell, got none" in text
    assert "No such container: drillbook-no-such-container" in text
    assert "hint: `docker ps -a`" in text


@pytest.mark.ssh
def test_a_host_that_refuses_is_unreachable_in_sshs_own_words() -> None:
    with pytest.raises(TargetUnreachable, match="Connection refused"):
        connect("ssh://127.0.0.1:1")


def test_the_first_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with connect_first(["docker://gone", "local:"], role="operator") as session:
        assert session.name == "operator (local:)"


def test_where_none_answers_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(TargetUnreachable, match="one of 2") as caught:
        connect_first(["docker://gone", "docker://too"])
    assert "docker://gone" in str(caught.value)
    assert "docker://too" in str(caught.value)


def test_a_wrong_uri_in_a_list_is_refused_before_any_is_tried() -> None:
    with pytest.raises(UsageError, match="telnet"):
        connect_first(["local:", "telnet://x"])


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one URI"):
        connect_first([])
