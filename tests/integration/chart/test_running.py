"""The containers of the chart, run on this machine with a real Kafka as a node would run them."""

import ssl
import sys
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
import yaml

from tests.integration.parts.helm import ROOT, value_sets
from tests.integration.parts.manifests import PodOnDisk, of_kind, pod_templates, rendered
from tests.integration.parts.ports import free_port
from tests.integration.parts.process import ChildProcess
from tests.integration.parts.service_process import scrape
from tests.integration.parts.web_secret import web_secret
from tests.unit.deploy.dockerfile import final, pairs, read_dockerfile

PROGRAM = Path(sys.executable).with_name("anchorwatch")
TOLD_WRITES = Path(__file__).with_name("told_writes")
READY_SECONDS = 90.0
ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


def image_environment():
    """What the image sets for Python."""
    said = pairs(final(read_dockerfile(ROOT / "Dockerfile"), "ENV")[0].value)
    return {name: value for name, value in said.items() if name.startswith("PYTHON")}


class Node:
    """Runs one container of a value set, with the brokers and the topic that there are."""

    def __init__(self, directory, values, component, given):
        directory.mkdir()
        self.port = free_port()
        resources = rendered(
            values.mode, "--values", str(values.path), "--set", f"port={self.port}"
        )
        self.pod = PodOnDisk(directory / "root", resources, component, given)
        self.log = directory / "log"
        arguments = [str(PROGRAM), *self.pod.container["args"]]
        self._told = directory / "told"
        environment = {
            **image_environment(),
            "PYTHONPATH": str(TOLD_WRITES),
            "TOLD_WRITES": str(self._told),
            **self.pod.environment,
        }
        self.process = ChildProcess(component, arguments, self.log, environment)

    @property
    def written(self):
        """What it wrote, made, moved or removed, as the container has it."""
        lines = self._told.read_text("utf-8").splitlines()
        return {line.removeprefix(str(self.pod.root)) for line in lines} - {"/dev/null"}

    def probe(self, name):
        """The status that a probe of the container gets; None while nothing listens."""
        asked = self.pod.container[name]["httpGet"]
        [port] = self.pod.container["ports"]
        assert asked["port"] == port["name"]
        address = ("127.0.0.1", port["containerPort"])
        if asked["scheme"] == "HTTPS":
            connection = HTTPSConnection(*address, timeout=5, context=ANY_CERTIFICATE)
        else:
            connection = HTTPConnection(*address, timeout=5)
        try:
            connection.request("GET", asked["path"])
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

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

    def __init__(self, mode, path, brokers, topic, given):
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
        values = {"secrets": [{"name": name, "secretName": name} for name in given]}
        if "web" in given:
            values["tls"] = True
            config["web"] = {"config_file": "/etc/anchorwatch/secrets/web/web.yml"}
        values["config"] = yaml.safe_dump(config)
        path.write_text(yaml.safe_dump(values), "utf-8")


@pytest.fixture
def node(kafka, topic, tmp_path):
    """`node(mode, component, **secrets)` starts a container; those of a test share a topic."""
    name = topic(2)
    started = []

    def start(mode, component, **given):
        values = Values(mode, tmp_path / f"{mode}.yaml", [kafka.bootstrap], name, given)
        started.append(Node(tmp_path / component, values, component, given))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()


def helm_test(node, tmp_path, scheme="http"):
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
    test = ChildProcess("helm test", [*arguments, f"{scheme}://127.0.0.1:{node.port}"], log)
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
    assert one.written
    assert all(path.startswith("/var/lib/anchorwatch") for path in one.written)


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
        assert pod.written == set()


def test_probes_and_the_test_of_helm_get_through_tls_and_need_no_login(node, tmp_path):
    one = node("all", "all", web=web_secret(tmp_path))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        one.wait_for(probe)
    code, said = helm_test(one, tmp_path, "https")
    assert code == 0, said


def test_the_test_of_helm_says_what_does_not_answer(tmp_path):
    program = Path(__file__).parents[3] / "deploy/helm/anchorwatch/files/answers.py"
    module = {}
    exec(compile(program.read_text("utf-8"), str(program), "exec"), module)  # noqa: S102 - ours
    assert "does not answer" in module["complaint"](f"http://127.0.0.1:{free_port()}")
