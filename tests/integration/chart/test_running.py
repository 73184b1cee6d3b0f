"""The containers of the chart, run on this machine with a real Kafka as a node would run them."""

import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.integration.parts.helm import value_sets
from tests.integration.parts.manifests import PodOnDisk, of_kind, pod_templates, rendered
from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.service_process import get, scrape

PROGRAM = Path(sys.executable).with_name("anchorwatch")
READY_SECONDS = 90.0


class Node:
    """Runs one container of a value set, with the brokers and the topic that there are."""

    def __init__(self, directory, values, component, port):
        directory.mkdir()
        resources = rendered(values.mode, "--values", str(values.path), "--set", f"port={port}")
        self.port = port
        self.pod = PodOnDisk(directory / "root", resources, component)
        self.log = directory / "log"
        arguments = [str(PROGRAM), *self.pod.container["args"]]
        self.process = ChildProcess(component, arguments, self.log, self.pod.environment)

    def probe(self, name):
        """The status that a probe of the container gets; None while nothing listens."""
        asked = self.pod.container[name]["httpGet"]
        [port] = self.pod.container["ports"]
        assert asked["port"] == port["name"]
        try:
            return get(port["containerPort"], asked["path"])[0]
        except OSError:
            return None

    def wait_for(self, probe, seconds=READY_SECONDS):
        end = time.monotonic() + seconds
        while self.probe(probe) != 200:
            assert self.process.running, self.process.tail()
            assert time.monotonic() < end, self.process.tail()
            time.sleep(0.2)

    def end(self):
        """As a node ends it: SIGTERM, and SIGKILL once its grace period is over."""
        begun = time.monotonic()
        code = self.process.terminate(self.pod.spec["terminationGracePeriodSeconds"])
        return code, time.monotonic() - begun


class Values:
    """A file of values on top of one of the chart's sets."""

    def __init__(self, mode, path, brokers, topic):
        self.mode, self.path = mode, path
        config = yaml.safe_load(
            yaml.safe_load(value_sets()[mode].read_text("utf-8"))["config"],
        )
        config["kafka"] |= {"bootstrap_servers": brokers, "group": topic, "start": "earliest"}
        config["sources"][0]["topics"] = [topic]
        if mode == "fleet":
            names = ("state", "panes", "schedules")
            own = {name: f"{topic}.{name}" for name in names} | {"partitions": 2}
            config["state"] = {"topics": own, "episodes": {"topic": f"{topic}.episodes"}}
            config["reference"]["from"] = f"topic:{topic}.schedules"
        path.write_text(yaml.safe_dump({"config": yaml.safe_dump(config)}), "utf-8")


@pytest.fixture
def node(kafka, topic, tmp_path):
    """`node(mode, component)` starts a container; all of a test share a topic and end with it."""
    name = topic(2)
    started = []

    def start(mode, component):
        path = tmp_path / f"{mode}.yaml"
        values = Values(mode, path, [kafka.bootstrap], name)
        started.append(Node(tmp_path / component, values, component, free_port()))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()


def helm_test(node, tmp_path):
    """Run the program of `helm test`'s pod against a node; the exit code, and what it says."""
    pod = dict(pod_templates(rendered("all")))["test"]
    [container] = pod["spec"]["containers"]
    *program, url = container["args"]
    [service] = of_kind(rendered("all"), "Service")
    [port] = service["spec"]["ports"]
    assert url == f"http://{service['metadata']['name']}:{port['port']}"
    assert container["command"][0] == "python"
    arguments = [sys.executable, *container["command"][1:], *program]
    log = tmp_path / "helm-test"
    test = ChildProcess("helm test", [*arguments, f"http://127.0.0.1:{node.port}"], log)
    return test.wait(30), log.read_text("utf-8")


def test_the_one_pod_of_mode_all_starts_is_ready_and_ends_in_time(node, tmp_path):
    one = node("all", "all")
    one.wait_for("startupProbe", 60)
    one.wait_for("readinessProbe")
    assert one.probe("livenessProbe") == 200
    code, said = helm_test(one, tmp_path)
    assert code == 0, said
    assert "is alive and ready" in said
    code, seconds = one.end()
    assert code == 0, one.process.tail()
    assert seconds < 25


def test_a_worker_and_a_judge_of_mode_fleet_start_are_ready_and_end_in_time(node, tmp_path):
    pods = [node("fleet", "worker"), node("fleet", "judge")]
    for pod in pods:
        pod.wait_for("readinessProbe")
    roles = [labels["role"] for pod in pods for labels, _ in scrape(pod.port).each("build_info")]
    assert roles == ["worker", "judge"]
    code, said = helm_test(pods[1], tmp_path)
    assert code == 0, said
    for pod in pods:
        code, seconds = pod.end()
        assert code == 0, pod.process.tail()
        assert seconds < 25


def test_the_test_of_helm_says_what_does_not_answer(tmp_path):
    program = Path(__file__).parents[3] / "deploy/helm/anchorwatch/files/answers.py"
    module = {}
    exec(compile(program.read_text("utf-8"), str(program), "exec"), module)  # noqa: S102 - ours
    assert "does not answer" in module["complaint"](f"http://127.0.0.1:{free_port()}")
