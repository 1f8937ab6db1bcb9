from typing import Any

from drillbook.replica.snapshot import (
    container_state,
    file_state,
    image_state,
    iptables_state,
    network_state,
    own_aliases,
    port_state,
    process_state,
    volume_state,
)

ID = "0123456789ab" + "c" * 52


def container(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Id": ID,
        "Name": "/the-web",
        "Image": "sha256:" + "f" * 64,
        "State": {"Status": "running", "ExitCode": 0, "Pid": 42, "StartedAt": "2026-01-31T03:00:00Z"},
        "Config": {
            "Image": "web:1",
            "Env": ["B=2", "A=1"],
            "Cmd": ["run"],
            "Labels": {"com.docker.compose.service": "web"},
        },
        "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "Memory": 1024},
        "Mounts": [{"Type": "volume", "Name": "a" * 64, "Destination": "/d"}],
        "NetworkSettings": {"Networks": {"inner": {"Aliases": ["web", "the-web", ID[:12]], "IPAddress": "10.0.0.2"}}},
    }
    return {**made, **changes}


def test_a_container_is_its_definition_and_whether_it_runs() -> None:
    assert container_state(container()) == {
        "container/web/image": "web:1 ffffffffffff",
        "container/web/state": "running",
        "container/web/restart_policy": "always:0",
        "container/web/memory_bytes": "1024",
        "container/web/environment": container_state(container())["container/web/environment"],
        "container/web/command": '["run"]',
        "container/web/mounts": "anonymous:/d:rw",
        "container/web/network/inner": "the-web web",
    }


def test_a_recreated_container_is_the_same() -> None:
    other = "9" * 64
    networks = {"inner": {"Aliases": ["web", "the-web", other[:12]], "IPAddress": "10.0.0.7"}}
    again = container(
        Id=other,
        State={"Status": "running", "ExitCode": 0, "Pid": 77},
        NetworkSettings={"Networks": networks},
        Mounts=[{"Type": "volume", "Name": "b" * 64, "Destination": "/d"}],
    )
    assert container_state(again) == container_state(container())


def test_a_lost_alias_and_a_lost_fixed_address_are_seen() -> None:
    bare = container(NetworkSettings={"Networks": {"inner": {"Aliases": [ID[:12]], "IPAMConfig": None}}})
    assert container_state(bare)["container/web/network/inner"] == ""
    fixed = container(
        NetworkSettings={"Networks": {"inner": {"Aliases": None, "IPAMConfig": {"IPv4Address": "10.0.0.9"}}}}
    )
    assert container_state(fixed)["container/web/network/inner"] == "10.0.0.9"


def test_the_environment_is_told_apart_but_not_told() -> None:
    secret = container(Config={**container()["Config"], "Env": ["PASSWORD=hunter2"]})
    state = container_state(secret)
    assert "hunter2" not in str(state)
    assert state["container/web/environment"] != container_state(container())["container/web/environment"]


def test_a_container_without_a_service_keeps_its_name() -> None:
    assert "container/the-web/image" in container_state(container(Config={"Image": "x", "Labels": None}))


def test_an_exit_status_is_part_of_the_state() -> None:
    state = container_state(container(State={"Status": "exited", "ExitCode": 137}))
    assert state["container/web/state"] == "exited 137"


def test_an_alias_that_looks_like_another_id_stays() -> None:
    assert own_aliases({"Aliases": ["0123", "feedfeedfeed"]}, {"Id": ID}) == ("0123", "feedfeedfeed")


def test_networks_volumes_and_images_that_the_engine_makes_are_left_out() -> None:
    networks = [{"Name": "bridge", "Driver": "bridge"}, {"Name": "inner", "Driver": "bridge", "Internal": True}]
    assert network_state(networks) == {"network/inner": "bridge internal"}
    volumes = {"Volumes": [{"Name": "a" * 64, "Driver": "local"}, {"Name": "state", "Driver": "local"}]}
    assert volume_state(volumes) == {"volume/state": "local"}
    assert volume_state({"Volumes": None}) == {}
    images = [{"Id": "sha256:" + "1" * 64, "RepoTags": ["web:1", "web:2"]}, {"Id": "sha256:2", "RepoTags": None}]
    assert image_state(images) == {"image/web:1": "1" * 12, "image/web:2": "1" * 12}


def test_ports_name_their_program_whatever_its_process_id() -> None:
    text = (
        'tcp LISTEN 0 4096 0.0.0.0:8000 0.0.0.0:* users:(("docker-proxy",pid=300,fd=4))\n'
        "udp UNCONN 0 0 127.0.0.1:53 0.0.0.0:*\n"
    )
    assert port_state(text) == {"port/tcp/0.0.0.0:8000": "docker-proxy", "port/udp/127.0.0.1:53": "?"}
    assert port_state(text.replace("300", "301")) == port_state(text)


def test_a_question_of_a_resolver_is_no_service() -> None:
    asks = "udp UNCONN 0 0 [::1]:56133 [::]:*\n"
    serves = "udp UNCONN 0 0 [::1]:5353 [::]:*\ntcp LISTEN 0 5 [::1]:56133 [::]:*\n"
    assert port_state(asks + serves) == {"port/udp/[::1]:5353": "?", "port/tcp/[::1]:56133": "?"}


def test_processes_of_sessions_and_of_containers_do_not_count() -> None:
    stat = (
        "1 (replica-host) S 0 1 1\n"
        "10 (dockerd) S 1 10 10\n"
        "11 (docker-proxy) S 10 10 10\n"
        "12 (containerd) S 10 12 12\n"
        "13 (runc) S 12 12 12\n"
        "14 (containerd-shim) S 1 12 12\n"
        "15 (runc) S 14 12 12\n"
        "40 (bash) S 0 40 40\n"
        "41 (my (odd) name) S 40 41 40\n"
        "50 (nc) S 1 50 50\n"
        "51 (nc) Z 1 50 50\n"
        "60 (orphan of a gone session) S 59 50 50\n"
    )
    assert process_state(stat) == {
        "process/replica-host": "1",
        "process/dockerd": "1",
        "process/containerd": "1",
        "process/nc": "1",
    }


RULES = """*filter
:INPUT ACCEPT [12:300]
:DOCKER - [0:0]
-A DOCKER -d 10.213.0.2/32 ! -i br-0123456789ab -o br-0123456789ab -p tcp -m tcp --dport 8000 -j ACCEPT
-A DOCKER -d 10.213.0.3/32 ! -i br-0123456789ab -o br-0123456789ab -p tcp -m tcp --dport 9090 -j ACCEPT
COMMIT
"""


def test_firewall_rules_are_the_same_with_other_addresses_bridges_counters_and_order() -> None:
    lines = RULES.replace("br-0123456789ab", "br-ba9876543210").replace("[12:300]", "[99:999]").splitlines()
    lines[3], lines[4] = lines[4].replace("0.3/", "0.8/"), lines[3].replace("0.2/", "0.9/")
    assert iptables_state("filter", "\n".join(lines)) == iptables_state("filter", RULES)


def test_a_rule_that_somebody_added_is_seen() -> None:
    before = iptables_state("filter", RULES)
    after = iptables_state("filter", RULES.replace("COMMIT", "-A INPUT -s 10.213.0.2/32 -j DROP\nCOMMIT"))
    assert {key for key in after if after[key] != before[key]} == {"iptables/filter/INPUT"}
    moved = iptables_state("filter", RULES.replace("COMMIT", "-A INPUT -s 10.213.0.3/32 -j DROP\nCOMMIT"))
    assert moved != after


def test_files_below_the_project_have_relative_names() -> None:
    digest = "d" * 64
    text = f"{digest}  compose.yaml\n{digest}  /srv/p/.env\n{digest}  /etc/hosts\n"
    assert set(file_state(text, "/srv/p")) == {"file/compose.yaml", "file/.env", "file//etc/hosts"}
