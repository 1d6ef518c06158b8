"""The manifests in deploy/kubernetes, as kustomize renders them."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, passes

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("dev", "production")
PROCESSES = ("api", "worker", "reaper")
OWN_KINDS = ("ScaledObject", "PodMonitor")
"""Of operators, and not Kubernetes' own."""
_OLDEST_KUSTOMIZE = 5

Manifest = Mapping[str, Any]


class Manifests:
    """All objects of an overlay."""

    def __init__(self, text: str) -> None:
        """Read them."""
        self.all: Sequence[Manifest] = list(yaml.safe_load_all(text))

    def of(self, *kinds: str) -> Sequence[Manifest]:
        """Return the objects of these kinds."""
        return [manifest for manifest in self.all if manifest["kind"] in kinds]

    def one(self, kind: str, name: str) -> Manifest:
        """Return an object."""
        (found,) = (each for each in self.of(kind) if named(each) == name)
        return found

    def workloads(self) -> Mapping[str, Manifest]:
        """Return what runs pods, by name."""
        return {named(each): each for each in self.of("Deployment", "Job")}

    def processes(self) -> Mapping[str, Manifest]:
        """Return the Deployments of api, worker and reaper, by these names."""
        return {each: self.one("Deployment", f"scheduler-{each}") for each in PROCESSES}

    def policy(self, name: str) -> Manifest:
        """Return what a NetworkPolicy says."""
        spec: Manifest = self.one("NetworkPolicy", name)["spec"]
        return spec

    def config(self) -> Mapping[str, str]:
        """Return the variables of all processes that are no secrets."""
        (only,) = self.of("ConfigMap")
        data: Mapping[str, str] = only["data"]
        return data


@cache
def render(overlay: str) -> Manifests:
    """Render an overlay; skip the test where no kubectl can do so."""
    require_kustomize()
    return Manifests(passes(["kubectl", "kustomize", KUBERNETES / "overlays" / overlay]))


def require_kustomize() -> None:
    """Skip the test, saying so, where kubectl is missing or too old for components."""
    known = json.loads(passes(["kubectl", "version", "--client", "--output=json"])).get("kustomizeVersion", "v0")
    if int(known.lstrip("v").split(".")[0]) < _OLDEST_KUSTOMIZE:
        pytest.skip(f"kubectl's kustomize is {known}, older than v{_OLDEST_KUSTOMIZE}")


def named(manifest: Manifest) -> str:
    """Return an object's name."""
    name: str = manifest["metadata"]["name"]
    return name


def pod(workload: Manifest) -> Manifest:
    """Return the pod that a Deployment or Job makes."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def container(workload: Manifest) -> Manifest:
    """Return the only container of its pod."""
    (only,) = pod(workload)["containers"]
    found: Manifest = only
    return found


def labels(workload: Manifest) -> Mapping[str, str]:
    """Return the labels of its pods."""
    found: Mapping[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def ports(workload: Manifest) -> Mapping[str, int]:
    """Return its container's ports by name."""
    return {port["name"]: port["containerPort"] for port in container(workload).get("ports", ())}


def selects(selector: Manifest, workload: Manifest) -> bool:
    """Tell whether a selector with labels and `In` expressions takes the pods of a workload."""
    found = labels(workload)
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", ())
    assert all(expression["operator"] == "In" for expression in expressions)
    return wanted.items() <= found.items() and all(
        found.get(expression["key"]) in expression["values"] for expression in expressions
    )


def write(folder: Path, manifest: Manifest) -> Path:
    """Write an object to a file of its own."""
    file = folder / f"{manifest['kind']}-{named(manifest)}.yaml"
    file.write_text(yaml.safe_dump(dict(manifest)))
    return file
