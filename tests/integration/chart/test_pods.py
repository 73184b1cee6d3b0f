"""Every pod of the chart keeps to the restricted Pod Security Standard, and ends in order."""

from functools import reduce

import pytest

from tests.integration.parts.helm import ROOT
from tests.integration.parts.manifests import NAMES, of_kind, pod_templates, rendered
from tests.unit.deploy.dockerfile import final, read_dockerfile

SHUTDOWN_SECONDS = 25
PODS = [
    (name, component)
    for name, components in {
        "all": ("all", "test"),
        "fleet": ("worker", "judge", "test"),
        "complete": ("worker", "judge", "test"),
    }.items()
    for component in components
]

POLICY = {
    "runs as a user who is not root": ("spec.securityContext.runAsNonRoot", True),
    "as the user of the image": ("spec.securityContext.runAsUser", 10001),
    "in the group of the image": ("spec.securityContext.runAsGroup", 10001),
    "owns its volumes": ("spec.securityContext.fsGroup", 10001),
    "with the system calls of the runtime's profile": (
        "spec.securityContext.seccompProfile.type",
        "RuntimeDefault",
    ),
    "without a token of the cluster": ("spec.automountServiceAccountToken", False),
    "without variables of other services": ("spec.enableServiceLinks", False),
    "not in the host's network": ("spec.hostNetwork", None),
    "not among the host's processes": ("spec.hostPID", None),
    "not among the host's shared memory": ("spec.hostIPC", None),
    "gains no rights": ("container.securityContext.allowPrivilegeEscalation", False),
    "is not privileged": ("container.securityContext.privileged", None),
    "without capabilities": ("container.securityContext.capabilities", {"drop": ["ALL"]}),
    "writes to no file of the image": ("container.securityContext.readOnlyRootFilesystem", True),
    "takes no port of the host": ("container.ports.0.hostPort", None),
    "has no limit of CPU": ("container.resources.limits.cpu", None),
}


def pod_of(name, component):
    return dict(pod_templates(rendered(name)))[component]


def at(pod, path):
    """The value at a dotted path; None where there is none."""
    [container] = pod["spec"]["containers"]

    def step(value, key):
        if isinstance(value, list):
            return value[int(key)] if int(key) < len(value) else None
        return None if value is None else value.get(key)

    return reduce(step, path.split("."), {**pod, "container": container})


def test_no_pod_is_left_out():
    assert [
        (name, c)
        for name in NAMES
        for c in sorted(
            dict(pod_templates(rendered(name))), key=["all", "worker", "judge", "test"].index
        )
    ] == PODS


@pytest.mark.parametrize("rule", POLICY)
@pytest.mark.parametrize(("name", "component"), PODS)
def test_every_pod(name, component, rule):
    path, wanted = POLICY[rule]
    assert at(pod_of(name, component), path) == wanted


@pytest.mark.parametrize(("name", "component"), PODS)
def test_pods_have_one_container_and_mount_nothing_of_the_host(name, component):
    spec = pod_of(name, component)["spec"]
    assert len(spec["containers"]) == 1
    assert "initContainers" not in spec
    kinds = {kind for volume in spec.get("volumes", ()) for kind in volume.keys() - {"name"}}
    assert kinds <= {"projected", "configMap", "secret", "persistentVolumeClaim"}


@pytest.mark.parametrize(("name", "component"), PODS)
def test_what_a_pod_may_take_is_said(name, component):
    resources = at(pod_of(name, component), "container.resources")
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("name", NAMES)
def test_the_account_has_no_token_either(name):
    [account] = of_kind(rendered(name), "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & {
        resource["kind"] for resource in rendered(name)
    }


def test_the_user_is_that_of_the_image():
    [user] = final(read_dockerfile(ROOT / "Dockerfile"), "USER")
    assert user.value == "10001:10001"


@pytest.mark.parametrize(("name", "component"), [p for p in PODS if p[1] != "test"])
def test_probes_ask_the_watchdog_for_life_and_the_service_for_readiness(name, component):
    pod = pod_of(name, component)
    paths = {"livenessProbe": "/livez", "startupProbe": "/livez", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        asked = at(pod, f"container.{probe}.httpGet")
        scheme = "HTTPS" if name == "complete" else "HTTP"
        assert asked == {"path": path, "port": "http", "scheme": scheme}
    assert at(pod, "container.ports.0.name") == "http"


def test_scrapes_and_the_test_use_tls_where_probes_do():
    resources = rendered("complete")
    [monitor] = of_kind(resources, "PodMonitor")
    assert monitor["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
    assert at(dict(pod_templates(resources))["test"], "container.args.1").startswith("https://")


@pytest.mark.parametrize(("name", "component"), [p for p in PODS if p[1] != "test"])
def test_there_is_time_for_a_last_checkpoint(name, component):
    assert pod_of(name, component)["spec"]["terminationGracePeriodSeconds"] > SHUTDOWN_SECONDS


@pytest.mark.parametrize("name", ["fleet", "complete"])
def test_there_is_one_judge_at_a_time_and_workers_follow_one_another(name):
    found = {
        d["metadata"]["labels"]["app.kubernetes.io/component"]: d["spec"]
        for d in of_kind(rendered(name), "Deployment")
    }
    assert found["judge"]["replicas"] == 1
    assert found["judge"]["strategy"] == {"type": "Recreate"}
    assert found["worker"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_one_pod_of_mode_all_has_a_volume_for_its_state():
    [workload] = of_kind(rendered("all"), "StatefulSet")
    assert workload["spec"]["replicas"] == 1
    [claim] = workload["spec"]["volumeClaimTemplates"]
    mounts = at(pod_of("all", "all"), "container.volumeMounts")
    [path] = [m["mountPath"] for m in mounts if m["name"] == claim["metadata"]["name"]]
    assert path == "/var/lib/anchorwatch"


@pytest.mark.parametrize("name", ["fleet", "complete"])
def test_workers_are_spread_over_zones_and_nodes(name):
    spread = pod_of(name, "worker")["spec"]["topologySpreadConstraints"]
    assert [s["topologyKey"] for s in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert {s["whenUnsatisfiable"] for s in spread} == {"ScheduleAnyway"}


@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_closed_but_for_prometheus_kafka_and_names(name):
    [policy] = of_kind(rendered(name), "NetworkPolicy")
    spec = policy["spec"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    [ingress] = spec["ingress"]
    assert [port["port"] for port in ingress["ports"]] == ["http"]
    assert {"matchLabels": {"app.kubernetes.io/name": "prometheus"}} in [
        peer.get("podSelector") for peer in ingress["from"]
    ]
    assert all(ingress["from"])  # an empty peer would be everybody
    ports = [{port["port"] for port in rule["ports"]} for rule in spec["egress"]]
    assert ports == [{53}, {9093 if name == "complete" else 9092}, {9108}]
    assert [bool(rule.get("to")) for rule in spec["egress"]] == [True, name == "complete", True]


@pytest.mark.parametrize("name", ["fleet", "complete"])
def test_a_drain_takes_one_worker_at_a_time_and_is_never_blocked(name):
    [budget] = of_kind(rendered(name), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
