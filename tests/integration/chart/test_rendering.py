"""What the chart renders is what clusters and operators accept, field by field."""

import copy
import gzip
import json
import tarfile
import tomllib

import kubernetes_validate
import pytest
import yaml

from tests.integration.parts.custom_resources import complaints, is_custom
from tests.integration.parts.helm import (
    CHART,
    KUBERNETES,
    MANIFESTS,
    PLAIN,
    ROOT,
    helm,
    rendering,
    value_sets,
)
from tests.integration.parts.manifests import NAMES, of_kind, pod_templates, rendered
from tests.integration.parts.prometheus_server import promtool

SECRET_BYTES_MAX = 1024 * 1024
MINORS = ("1.35", "1.36", "1.37")
FLEET = {
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
}


def test_the_value_sets_are_those_that_are_tried():
    assert set(value_sets()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_helm_finds_nothing_to_say_against_the_chart(name):
    done = helm(
        *("lint", str(CHART), "--strict", "--kube-version", KUBERNETES),
        *("--values", str(value_sets()[name])),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifests_in_deploy_are_what_the_chart_renders():
    found = {path.stem: path.read_text("utf-8") for path in MANIFESTS.glob("*.yaml")}
    assert found == {name: rendering(name) for name in PLAIN}, "run make manifests"


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("name", NAMES)
def test_three_minors_of_kubernetes_know_every_field(name, minor):
    resources = rendered(name, kubernetes=f"{minor}.0")
    for resource in resources:
        if not is_custom(resource):
            assert kubernetes_validate.validate(resource, minor, strict=True) == minor


def test_the_definitions_of_custom_resources_know_every_field():
    custom = [resource for resource in rendered("complete") if is_custom(resource)]
    assert {r["kind"] for r in custom} == {"PodMonitor", "PrometheusRule", "ScaledObject"}
    assert {r["metadata"]["name"]: complaints(r) for r in custom if complaints(r)} == {}


def test_a_misspelt_field_is_noticed_in_both():
    [judge] = [d for d in of_kind(rendered("fleet"), "Deployment") if d["spec"]["replicas"] == 1]
    wrong = copy.deepcopy(judge)
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(wrong, MINORS[-1], strict=True)
    [monitor] = of_kind(rendered("complete"), "PodMonitor")
    wrong = copy.deepcopy(monitor)
    wrong["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    [complaint] = complaints(wrong)
    assert "honourLabels" in complaint


def test_each_set_makes_the_kinds_that_it_should():
    kinds = {name: {resource["kind"] for resource in rendered(name)} for name in NAMES}
    assert kinds["fleet"] == FLEET
    assert kinds["all"] == FLEET - {"Deployment", "PodDisruptionBudget"} | {"StatefulSet"}
    assert kinds["complete"] == FLEET | {"PodMonitor", "PrometheusRule", "ScaledObject"}


def test_prometheus_gets_the_rules_that_are_shipped():
    found = of_kind(rendered("complete"), "PrometheusRule")
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    assert len(files) > 0
    assert [r["spec"] for r in found] == [yaml.safe_load(f.read_text("utf-8")) for f in files]
    assert len({r["metadata"]["name"] for r in found}) == len(files)


def test_prometheus_accepts_the_rendered_rules(tmp_path):
    for number, rule in enumerate(of_kind(rendered("complete"), "PrometheusRule")):
        path = tmp_path / f"{number}.yml"
        path.write_text(yaml.safe_dump(rule["spec"]), "utf-8")
        done = promtool("check", "rules", str(path))
        assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_gets_the_dashboards_that_are_shipped():
    labelled = [
        c
        for c in of_kind(rendered("complete"), "ConfigMap")
        if "grafana_dashboard" in c["metadata"]["labels"]
    ]
    files = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
    assert len(labelled) == len(files) > 0
    for found, file in zip(labelled, files, strict=True):
        assert {k: json.loads(v) for k, v in found["data"].items()} == {
            file.name: json.loads(file.read_text("utf-8"))
        }


def test_a_package_holds_the_rules_and_dashboards_and_no_values_of_tests(tmp_path):
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        held = set(archive.getnames())
    rules = {f"anchorwatch/rules/{p.name}" for p in (CHART / "rules").glob("*.yml")}
    dashboards = {f"anchorwatch/dashboards/{p.name}" for p in (CHART / "dashboards").glob("*.json")}
    assert rules
    assert dashboards
    assert rules | dashboards <= held
    assert not [name for name in held if name.startswith("anchorwatch/ci/")]


def test_a_release_fits_into_the_secret_that_helm_keeps_it_in(tmp_path):
    helm("package", str(CHART), "--destination", str(tmp_path))
    [package] = tmp_path.iterdir()
    manifests = gzip.compress(json.dumps(rendered("complete")).encode())
    encoded = (package.stat().st_size + len(manifests)) * 4 / 3
    assert encoded < SECRET_BYTES_MAX / 2  # the other half is for people's own configuration


def test_every_value_has_a_default_and_a_schema_and_no_other_is_taken():
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))

    def keys(tree, said):
        for key, below in said.get("properties", {}).items():
            yield key
            if below.get("additionalProperties") is False and isinstance(tree[key], dict):
                assert set(below["properties"]) in (set(tree[key]), {*tree[key], "claims"})
                yield from keys(tree[key], below)

    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) - {"global"} == set(values)
    assert len(list(keys(values | {"global": {}}, schema))) > 60


@pytest.mark.parametrize("name", NAMES)
def test_whatever_selects_pods_selects_those_that_it_is_for(name):
    resources = rendered(name)
    pods = {c: pod["metadata"]["labels"] for c, pod in pod_templates(resources)}
    watching = {c for c in pods if c != "test"}

    def selected(selector):
        labels = selector.get("matchLabels", selector)
        return {c for c, has in pods.items() if labels.items() <= has.items()}

    for workload in (*of_kind(resources, "Deployment"), *of_kind(resources, "StatefulSet")):
        component = workload["metadata"]["labels"]["app.kubernetes.io/component"]
        assert selected(workload["spec"]["selector"]) == {component}
    [service] = of_kind(resources, "Service")
    assert selected(service["spec"]["selector"]) == {"all" if name == "all" else "judge"}
    [policy] = of_kind(resources, "NetworkPolicy")
    assert selected(policy["spec"]["podSelector"]) == set(pods)
    for budget in of_kind(resources, "PodDisruptionBudget"):
        assert selected(budget["spec"]["selector"]) == {"worker"}
    for monitor in of_kind(resources, "PodMonitor"):
        [only] = monitor["spec"]["selector"]["matchExpressions"]
        assert watching <= set(only["values"])
        assert "test" not in only["values"]


def test_labels_of_ours_survive_the_scrape_and_the_job_has_the_name_that_rules_may_use():
    [monitor] = of_kind(rendered("complete"), "PodMonitor")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert endpoint["port"] == "http"
    for _, pod in pod_templates(rendered("complete")):
        assert pod["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "anchorwatch"


def test_workers_are_scaled_on_the_lag_of_the_group_and_by_nobody_else():
    [scaled] = of_kind(rendered("complete"), "ScaledObject")
    [worker] = [
        d for d in of_kind(rendered("complete"), "Deployment") if "replicas" not in d["spec"]
    ]
    assert scaled["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    [trigger] = scaled["spec"]["triggers"]
    config = yaml.safe_load(
        of_kind(rendered("complete"), "ConfigMap")[0]["data"]["anchorwatch.yaml"]
    )
    assert trigger["metadata"]["consumerGroup"] == config["kafka"]["group"]
    assert (
        trigger["metadata"]["bootstrapServers"].split(",") == config["kafka"]["bootstrap_servers"]
    )


def test_chart_image_and_program_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert chart["version"] == chart["appVersion"] == version
    for _, pod in pod_templates(rendered("all")):
        assert pod["spec"]["containers"][0]["image"] == f"anchorwatch:{version}"
