"""What compose.yaml starts fits together, and is closed to the outside."""

from pathlib import Path

import pytest
import yaml

from config.loader import load
from service.commands.demo_events import events

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
SETTINGS = load(DEPLOY / "anchorwatch.yaml", {}).settings
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service.get("read_only") or name == "kafka"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_interface_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_a_version_and_files_are_there(name):
    tag = SERVICES[name]["image"].partition(":")[2]
    assert tag not in {"", "latest"}
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert not source.startswith(".") or (DEPLOY / source).exists()


@pytest.mark.parametrize("name", ["kafka", "prometheus", "alertmanager", "grafana"])
def test_services_that_others_wait_for_tell_their_health(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_nothing_starts_before_what_it_reads_is_there():
    assert SERVICES["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    after = SERVICES["anchorwatch"]["depends_on"]["topics"]["condition"]
    assert after == "service_completed_successfully"


def test_the_broker_is_the_one_that_anchorwatch_connects_to():
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert [f"INSIDE://{server}" for server in SETTINGS.kafka.bootstrap_servers] == (
        advertised.split(",")[:1]
    )


def test_every_topic_that_anchorwatch_uses_is_created():
    [script] = SERVICES["topics"]["command"]
    created = {word.split(":")[0] for word in script.partition(" in ")[2].split(";")[0].split()}
    used = {topic for source in SETTINGS.sources for topic in source.topics}
    assert created == used | {SETTINGS.kafka.dead_letters}


def test_prometheus_scrapes_anchorwatch_where_it_listens():
    [job] = [j for j in PROMETHEUS["scrape_configs"] if j["job_name"] == "anchorwatch"]
    assert job["static_configs"] == [{"targets": [f"anchorwatch:{SETTINGS.web.port}"]}]
    assert job["honor_labels"] is True
    published = [port.rpartition(":")[2] for port in SERVICES["anchorwatch"]["ports"]]
    assert published == [str(SETTINGS.web.port)]


def test_prometheus_reads_the_rules_and_tells_alertmanager():
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    [pattern] = PROMETHEUS["rule_files"]
    assert mounted["./prometheus/rules"] == f"/etc/prometheus/{pattern.removesuffix('/*.yml')}"
    assert list(DEPLOY.glob(pattern))
    [alerting] = PROMETHEUS["alerting"]["alertmanagers"]
    assert alerting["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert SERVICES["alertmanager"]["ports"] == ["127.0.0.1:9093:9093"]


def test_grafana_has_the_dashboards_where_it_looks_for_them_and_the_prometheus_beside_it():
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    provisioning = DEPLOY / "grafana" / "provisioning"
    providers = yaml.safe_load((provisioning / "dashboards" / "anchorwatch.yaml").read_text())
    [provider] = providers["providers"]
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    environment = SERVICES["grafana"]["environment"]
    home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    path, _, name = home.rpartition("/")
    assert path == provider["options"]["path"]
    assert (DEPLOY / "grafana" / "dashboards" / name).is_file()
    sources = yaml.safe_load((provisioning / "datasources" / "anchorwatch.yaml").read_text())
    [source] = sources["datasources"]
    assert source["url"].removeprefix("$") in environment
    assert environment["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


def test_the_events_go_where_anchorwatch_reads_them():
    arguments = SERVICES["events"]["command"]
    parsed = events.make_context("events", arguments[2:]).params
    assert arguments[:2] == ["demo", "events"]
    assert (parsed["broker"],) == SETTINGS.kafka.bootstrap_servers
    assert parsed["topic"] in {topic for source in SETTINGS.sources for topic in source.topics}
    learning = SETTINGS.reference.learn.events / parsed["per_second"]
    assert parsed["drift_after"] > 2 * learning  # a drift is no part of what is normal
    assert SERVICES["events"]["image"] == SERVICES["anchorwatch"]["image"]


def test_state_is_on_a_volume():
    assert f"state:{SETTINGS.state.path}" in SERVICES["anchorwatch"]["volumes"]


def test_it_is_the_kafka_that_the_tests_use():
    pom = (DEPLOY.parent / "tests" / "kafka" / "pom.xml").read_text("utf-8")
    version = SERVICES["kafka"]["image"].partition(":")[2]
    assert f"<kafka.version>{version}</kafka.version>" in pom
