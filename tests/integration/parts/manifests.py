"""What the chart renders, resource by resource, and a pod of it laid out on this machine's disk."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.integration.parts.helm import KUBERNETES, template, value_sets

Resource = dict[str, Any]
NAMES = ("all", "fleet", "complete")
"""The value sets that a fresh checkout has."""


@cache
def rendered(name: str, *arguments: str, kubernetes: str = KUBERNETES) -> tuple[Resource, ...]:
    """Every resource that the chart makes of a value set; treat them as frozen."""
    text = template(value_sets()[name], *arguments, kubernetes=kubernetes)
    return tuple(filter(None, yaml.safe_load_all(text)))


def of_kind(resources: tuple[Resource, ...], kind: str) -> list[Resource]:
    """Those of one kind."""
    return [resource for resource in resources if resource["kind"] == kind]


def pod_templates(resources: tuple[Resource, ...]) -> Iterator[tuple[str, Resource]]:
    """Every pod that is made, by its component: all, worker, judge, test."""
    for resource in resources:
        pod = resource if resource["kind"] == "Pod" else resource.get("spec", {}).get("template")
        if pod is not None:
            yield pod["metadata"]["labels"]["app.kubernetes.io/component"], pod


class PodOnDisk:
    """The container of a pod as this machine can run it: volumes as directories under `directory`.

    `given` are the files of Secrets and ConfigMaps that the chart does not make, by their name.
    Paths of mounts are replaced in the environment and in files alike.
    """

    def __init__(
        self,
        directory: Path,
        resources: tuple[Resource, ...],
        component: str,
        given: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.spec = dict(pod_templates(resources))[component]["spec"]
        [self.container] = self.spec["containers"]
        self.root = directory
        self._files = {**(given or {}), **_config_maps(resources)}
        self._mounts = {m["mountPath"]: m["name"] for m in self.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", ())}
        for path, name in self._mounts.items():
            self._lay(directory / path.lstrip("/"), volumes.get(name, {}))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the container."""
        return {v["name"]: self._placed(v["value"]) for v in self.container["env"]}

    def _lay(self, directory: Path, volume: Mapping[str, Any]) -> None:
        directory.mkdir(parents=True)
        for source in volume.get("projected", {}).get("sources", ()):
            items = {item["path"]: item["key"] for item in source["configMap"]["items"]}
            self._write(directory, source["configMap"]["name"], items)
        for kind, key in (("secret", "secretName"), ("configMap", "name")):
            if kind in volume:
                name = volume[kind][key]
                self._write(directory, name, {key: key for key in self._files[name]})

    def _write(self, directory: Path, name: str, items: Mapping[str, str]) -> None:
        for path, key in items.items():
            target = directory / path
            target.parent.mkdir(exist_ok=True)
            target.write_text(self._placed(self._files[name][key]), "utf-8")

    def _placed(self, text: str) -> str:
        for path in self._mounts:
            text = text.replace(path, f"{self.root}{path}")
        return text


def _config_maps(resources: tuple[Resource, ...]) -> dict[str, Mapping[str, str]]:
    return {found["metadata"]["name"]: found["data"] for found in of_kind(resources, "ConfigMap")}
