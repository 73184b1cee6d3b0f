"""The rendered configuration is sound as its pod sees it; values that cannot work are refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.parts.helm import notes, template, value_sets
from tests.integration.parts.manifests import (
    NAMES,
    PodOnDisk,
    of_kind,
    pod_templates,
    rendered,
)
from tests.integration.parts.web_secret import certificate, web_secret

ANCHORWATCH = Path(sys.executable).with_name("anchorwatch")
BROKERS = "kafka: {bootstrap_servers: ['kafka:9092']}"
WORKLOADS = [
    ("all", "all"),
    ("fleet", "worker"),
    ("fleet", "judge"),
    ("complete", "worker"),
    ("complete", "judge"),
]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The Secrets and the ConfigMap that the complete set names."""
    authority, _ = certificate(tmp_path_factory.mktemp("kafka"))
    return {
        "anchorwatch-kafka": {"password": "secret\n", "ca.crt": authority},
        "anchorwatch-web": web_secret(tmp_path_factory.mktemp("web")),
        "anchorwatch-references": {},
    }


def anchorwatch(pod, *arguments):
    return subprocess.run(
        [ANCHORWATCH, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **pod.environment},
        check=False,
    )


@pytest.mark.parametrize(("name", "component"), WORKLOADS)
def test_the_service_calls_the_rendered_configuration_sound(name, component, given, tmp_path):
    pod = PodOnDisk(tmp_path, rendered(name), component, given)
    done = anchorwatch(pod, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sound:" in done.stdout


@pytest.mark.parametrize(("name", "component"), WORKLOADS)
def test_a_command_in_a_pod_knows_its_role_its_state_and_its_port(name, component, given, tmp_path):
    pod = PodOnDisk(tmp_path, rendered(name), component, given)
    shown = yaml.safe_load(anchorwatch(pod, "config", "show").stdout)
    assert shown["role"] == component
    assert shown["state"]["store"] == ("directory" if component == "all" else "topic")
    port = pod.container["ports"][0]["containerPort"]
    assert shown["web"]["listen"] == f"0.0.0.0:{port}"
    if component == "all":
        assert shown["state"]["path"] == str(tmp_path / "var/lib/anchorwatch")


def test_the_text_reaches_the_pod_as_it_was_written():
    values = yaml.safe_load(value_sets()["complete"].read_text("utf-8"))
    texts = {m["metadata"]["name"]: m["data"] for m in of_kind(rendered("complete"), "ConfigMap")}
    assert texts["anchorwatch"] == {"anchorwatch.yaml": values["config"]}
    assert texts["anchorwatch-teams"] == values["teams"]


def test_a_file_can_be_the_configuration(tmp_path):
    text = "# ours\nkafka: {bootstrap_servers: 'kafka:9092'}\n"
    (tmp_path / "anchorwatch.yaml").write_text(text, "utf-8")
    [config_map] = of_kind(
        rendered("all", "--set-file", f"config={tmp_path}/anchorwatch.yaml"), "ConfigMap"
    )
    assert config_map["data"]["anchorwatch.yaml"] == text


def test_a_changed_configuration_starts_pods_anew_and_a_file_of_a_team_does_not(tmp_path):
    def checksum(config, *arguments):
        path = tmp_path / "anchorwatch.yaml"
        path.write_text(config, "utf-8")
        text = template(value_sets()["fleet"], "--set-file", f"config={path}", *arguments)
        pods = dict(pod_templates(tuple(filter(None, yaml.safe_load_all(text)))))
        return pods["judge"]["metadata"]["annotations"]["checksum/config"]

    config = f"{BROKERS}\ninclude: [models.d/*.yaml]\n"
    assert checksum(config) != checksum(config + "log: {level: debug}\n")
    team = r"teams.retail\.yaml=team: retail"
    assert checksum(config) == checksum(config, "--set-string", team)


def test_files_of_teams_lie_where_the_configuration_includes_them(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(
        yaml.safe_dump(
            {
                "mode": "fleet",
                "config": f"{BROKERS}\ninclude: [models.d/*.yaml]\n",
                "teams": {"retail.yaml": "team: retail\n", "cards.yaml": "team: cards\n"},
            }
        ),
        "utf-8",
    )
    resources = tuple(filter(None, yaml.safe_load_all(template(values))))
    PodOnDisk(tmp_path / "pod", resources, "worker")
    directory = tmp_path / "pod" / "etc/anchorwatch/config/models.d"
    assert {p.name: p.read_text() for p in directory.iterdir()} == {
        "retail.yaml": "team: retail\n",
        "cards.yaml": "team: cards\n",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "config="], "--set-file config=anchorwatch.yaml"),
        (["--set", "config=kafka: [unclosed"], "config is no YAML mapping"),
        (["--set", "config=log: {level: info}"], "say kafka.bootstrap_servers"),
        (["--set-json", f'config="{BROKERS}"'], "say include: [models.d/*.yaml]"),
        (["--set", "worker.autoscaling.authentication="], "name a TriggerAuthentication"),
        (["--set", "terminationGracePeriodSeconds=25"], "terminationGracePeriodSeconds"),
        (["--set", "worker.replica=3"], "replica"),
        (["--set", "mode=both"], "mode"),
        (["--set", "image.digest=sha256:short"], "digest"),
    ],
)
def test_values_that_cannot_work_are_refused_before_anything_is_installed(arguments, words):
    with pytest.raises(RuntimeError) as refused:
        template(value_sets()["complete"], *arguments)
    assert words in str(refused.value)


def test_an_older_kubernetes_is_refused():
    with pytest.raises(RuntimeError, match=r"requires kubeVersion: >=1\.30"):
        template(value_sets()["all"], kubernetes="1.29.0")


@pytest.mark.parametrize("name", NAMES)
def test_notes_name_what_there_is(name):
    said = notes(name)
    resources = rendered(name)
    [service] = of_kind(resources, "Service")
    assert f"service/{service['metadata']['name']}" in said
    for kind, prefix in (("Deployment", "deploy/"), ("StatefulSet", "statefulset/")):
        for workload in of_kind(resources, kind):
            assert f"{prefix}{workload['metadata']['name']} " in said
    assert ("Nobody is paged yet" in said) == (name != "complete")
