"""The manifests are what Kubernetes expects, and fit together."""

import re
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import (
    KUBERNETES,
    OVERLAYS,
    OWN_KINDS,
    PROCESSES,
    Manifest,
    container,
    labels,
    named,
    pod,
    render,
    selects,
    write,
)
from tests.deploy.tools import ROOT, passes

OLDEST, NEWEST = "1.30", "1.37"
CERTIFICATES = "scheduler-certificates"
overlays = pytest.mark.parametrize("overlay", OVERLAYS)


def test_the_files_are_clean() -> None:
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"

    passes(["yamllint", "--strict", "-d", rules, KUBERNETES])


@pytest.mark.parametrize(("overlay", "version"), list(product(OVERLAYS, (OLDEST, NEWEST))))
def test_an_overlay_is_valid_and_has_no_unknown_field(overlay: str, version: str, tmp_path: Path) -> None:
    found = render(overlay)
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(each for each in found.all if each["kind"] not in OWN_KINDS))

    said = passes(["kubernetes-validate", "--strict", "--kubernetes-version", version, file])

    assert "WARN" not in said
    assert len(found.all) > 15


def test_objects_of_operators_have_no_unknown_field(tmp_path: Path) -> None:
    objects = render("production").of(*OWN_KINDS)

    assert {each["kind"] for each in objects} == set(OWN_KINDS)
    for each in objects:
        schema = ROOT / "tests" / "deploy" / "schemas" / f"{each['kind']}.json"
        passes(["check-jsonschema", "--schemafile", schema, write(tmp_path, each)])


@overlays
def test_everything_is_in_one_namespace(overlay: str) -> None:
    found = render(overlay)
    (namespace,) = found.of("Namespace")

    others = [each for each in found.all if each is not namespace]
    assert {each["metadata"]["namespace"] for each in others} == {named(namespace)}


@overlays
def test_selectors_take_the_pods_of_one_workload(overlay: str) -> None:
    found = render(overlay)
    workloads = found.workloads().values()

    for deployment in found.of("Deployment"):
        assert deployment["spec"]["selector"]["matchLabels"] == labels(deployment)
    for budget in found.of("PodDisruptionBudget"):
        assert [named(each) for each in workloads if selects(budget["spec"]["selector"], each)] == [named(budget)]
    for service in found.of("Service"):
        (target,) = (each for each in workloads if selects({"matchLabels": service["spec"]["selector"]}, each))
        assert named(service).removesuffix("-headless") == named(target)
    for policy in found.of("NetworkPolicy"):
        assert any(selects(policy["spec"]["podSelector"], each) for each in workloads), named(policy)


@overlays
def test_what_pods_need_is_there_or_is_made_by_hand(overlay: str) -> None:
    found = render(overlay)
    maps, accounts = ({named(each) for each in found.of(kind)} for kind in ("ConfigMap", "ServiceAccount"))
    secrets = {named(each) for each in found.of("Secret")} or {"scheduler"}

    for workload in [*found.processes().values(), found.one("Job", "scheduler-migrate")]:
        sources = container(workload)["envFrom"]
        assert pod(workload)["serviceAccountName"] in accounts
        assert {each["configMapRef"]["name"] for each in sources if "configMapRef" in each} == maps
        needed = [
            each["secretRef"] for each in sources if "secretRef" in each and not each["secretRef"].get("optional")
        ]
        assert {each["name"] for each in needed} == secrets
        volumes = [each["secret"] for each in pod(workload)["volumes"] if "secret" in each]
        assert [(each["secretName"], each["optional"]) for each in volumes] == [(CERTIFICATES, True)]


def test_a_migration_may_have_rights_that_processes_lack_and_workers_know_what_others_need_not() -> None:
    found = render("production")

    def optional(kind: str, name: str) -> list[str]:
        refs = [each.get("secretRef", {}) for each in container(found.one(kind, name))["envFrom"]]
        return [each["name"] for each in refs if each.get("optional")]

    assert optional("Job", "scheduler-migrate") == ["scheduler-migrate"]
    assert optional("Deployment", "scheduler-worker") == ["scheduler-worker"]
    assert optional("Deployment", "scheduler-api") == optional("Deployment", "scheduler-reaper") == []


@overlays
def test_no_secret_is_checked_in(overlay: str) -> None:
    secrets = render(overlay).of("Secret")

    # The databases of the development overlay ask for no password: there is nothing between "//user" and "@".
    assert len(secrets) == (overlay == "dev")
    for text in (file.read_text() for file in KUBERNETES.rglob("*") if file.is_file()):
        assert not re.search(r"://[^@\s]*:[^@\s]*@|PASSWORD=\S", text)


@overlays
def test_every_pod_is_allowed_as_little_as_the_restricted_standard_asks(overlay: str) -> None:
    found = render(overlay)
    (namespace,) = found.of("Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in found.workloads().values():
        spec, only = pod(workload), container(workload)["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False


@overlays
def test_services_of_other_names_set_no_variables(overlay: str) -> None:
    for workload in render(overlay).workloads().values():
        assert pod(workload)["enableServiceLinks"] is False


@overlays
def test_every_pod_says_what_it_needs(overlay: str) -> None:
    for workload in render(overlay).workloads().values():
        resources = container(workload)["resources"]
        assert {"cpu", "memory"} == resources["requests"].keys()
        assert {"memory"} == resources["limits"].keys()  # a processor limit would stall leases


@overlays
def test_an_update_never_leaves_fewer_ready_pods_and_a_node_can_always_be_drained(overlay: str) -> None:
    found = render(overlay)

    for process, deployment in found.processes().items():
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
        assert "maxUnavailable" in found.one("PodDisruptionBudget", f"scheduler-{process}")["spec"]


@overlays
def test_what_is_scaled_by_load_has_no_count_of_its_own(overlay: str) -> None:
    found = render(overlay)
    targets = [each["spec"]["scaleTargetRef"]["name"] for each in found.of("HorizontalPodAutoscaler", "ScaledObject")]

    assert sorted(targets) == (["scheduler-api", "scheduler-worker"] if overlay == "production" else [])
    for target in targets:
        assert "replicas" not in found.one("Deployment", target)["spec"]


def test_production_survives_the_loss_of_any_one_pod() -> None:
    found = render("production")

    assert found.one("HorizontalPodAutoscaler", "scheduler-api")["spec"]["minReplicas"] >= 2
    assert found.one("ScaledObject", "scheduler-worker")["spec"]["minReplicaCount"] >= 2
    assert found.one("Deployment", "scheduler-reaper")["spec"]["replicas"] >= 2


@overlays
def test_pods_of_one_kind_and_version_are_spread(overlay: str) -> None:
    for deployment in render(overlay).processes().values():
        for constraint in pod(deployment)["topologySpreadConstraints"]:
            assert selects(constraint["labelSelector"], deployment)
            assert constraint["matchLabelKeys"] == ["app.kubernetes.io/component", "pod-template-hash"]
            assert "app.kubernetes.io/component" in labels(deployment)


def test_all_processes_but_the_migration_are_left_out_by_the_label_that_the_documentation_uses() -> None:
    found = render("production")
    text = (ROOT / "docs" / "deployment.md").read_text()

    assert f"app.kubernetes.io/component notin ({','.join(PROCESSES)})" in text
    components = {named(each): labels(each)["app.kubernetes.io/component"] for each in found.workloads().values()}
    assert components == {f"scheduler-{each}": each for each in (*PROCESSES, "migrate")}
    for each in (each for each in found.all if each["kind"] in {"Deployment", "Job"}):
        assert each["metadata"]["labels"] == labels(each)
    for each in found.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = found.one("Deployment", each["spec"]["scaleTargetRef"]["name"])
        assert each["metadata"]["labels"] == labels(target)


def test_the_documentation_names_objects_folders_and_secrets_that_exist() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text().partition("## Kubernetes")[2]
    found = render("production")
    kinds = {"deployment": "Deployment", "deploy": "Deployment", "job": "Job", "service": "Service"}

    objects = re.findall(rf"\b({'|'.join(kinds)})/(scheduler-[\w-]+\w)", text)
    assert len(objects) > 5
    for kind, name in objects:
        assert found.one(kinds[kind], name)
    for folder in set(re.findall(r"deploy/kubernetes/[\w/-]+", text)) - {"deploy/kubernetes/overlays/YOURS"}:
        assert (ROOT / folder / "kustomization.yaml").exists(), folder
    needed = {ref["name"] for each in found.workloads().values() for ref in _secrets(each)} | {CERTIFICATES}
    assert needed == set(re.findall(r"^   \| `(scheduler[\w-]*)`", text, re.MULTILINE))


def _secrets(workload: Manifest) -> list[Manifest]:
    return [each["secretRef"] for each in container(workload)["envFrom"] if "secretRef" in each]
