"""
Reading the manifests, and what can be said of each alone: published schemas, documented fields, the lists of files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # without py.typed (1.37)
import yaml

from tests.deploy.custom_kinds import CUSTOM_KINDS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

FOLDER = "deploy/kubernetes"
#: The oldest that has every field we use, one between, and the newest whose schemas are here.
VERSIONS = ("1.27", "1.31", kubernetes_validate.latest_version())
#: For people: no kustomization may name it.
EXAMPLE = "secret.example.yaml"
LIST = "kustomization.yaml"

Document = dict[str, Any]


class OneOfEach(yaml.SafeLoader):
    """
    Refuses a key that stands there twice, of which YAML's usual reader drops one without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """
        See SafeLoader.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Manifests:
    """
    The documents of a folder, by the file they stand in.
    """

    folder: Path
    files: dict[str, list[Document]]

    def kind(self, kind: str) -> list[Document]:
        """
        Every document of one kind, without the examples of secrets.
        """
        return [each for _, each in self.documents() if each["kind"] == kind]

    def one(self, kind: str, name: str = "vpn-worker") -> Document:
        """
        The document of that kind and name.
        """
        return next(each for each in self.kind(kind) if each["metadata"]["name"] == name)

    def documents(self) -> Iterator[tuple[str, Document]]:
        """
        Every document that a cluster would get, with its file.
        """
        for file, documents in self.files.items():
            if not file.endswith((LIST, EXAMPLE)):
                yield from ((file, document) for document in documents)

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """
        The example of each secret.
        """
        return {each["metadata"]["name"]: each["stringData"] for each in self.files[EXAMPLE]}

    @property
    def pods(self) -> list[Document]:
        """
        The templates of all pods.
        """
        return [each["spec"]["template"] for _, each in self.documents() if each["kind"] in {"Deployment", "Job"}]


def read(folder: Path) -> Manifests:
    """
    All manifests below a folder.
    """
    files = sorted(folder.rglob("*.yaml"))
    return Manifests(folder, {str(file.relative_to(folder)): documents_in(file.read_text("utf-8")) for file in files})


def documents_in(text: str) -> list[Document]:
    """
    The documents of one file.
    """
    return list(yaml.load_all(text, OneOfEach))


def schema_faults(manifests: Manifests) -> list[str]:
    """
    What the API server would refuse, or drop without a word: built-in kinds by the published schemas, others by ours.
    """
    examples = [(EXAMPLE, document) for document in manifests.files[EXAMPLE]]
    faults = []
    for file, document in [*manifests.documents(), *examples]:
        if schema := CUSTOM_KINDS.get((document["apiVersion"], document["kind"])):
            found = jsonschema.Draft202012Validator(schema).iter_errors(document)
            faults += [f"{file}: {error.json_path}: {error.message}" for error in found]
        else:
            faults += [fault for version in VERSIONS for fault in built_in_faults(file, document, version)]
    return faults


def built_in_faults(file: str, document: Document, version: str) -> list[str]:
    """
    By the schema of one version of Kubernetes; a field that it does not have is a fault.
    """
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as fault:
        return [f"{file}: Kubernetes {version}: {fault.json_path}: {fault.message}"]
    except kubernetes_validate.SchemaNotFoundError as fault:
        return [f"{file}: {fault.message}"]
    return []


def list_faults(manifests: Manifests) -> list[str]:
    """
    Files that no kustomization names, names without a file, and patches that change nothing.
    """
    faults = [
        f"{file}: belongs to a namespace" for file, each in manifests.documents() if "namespace" in each["metadata"]
    ]
    lists = {file: documents[0] for file, documents in manifests.files.items() if file.endswith(LIST)}
    for file, listed in lists.items():
        schema = CUSTOM_KINDS[listed["apiVersion"], listed["kind"]]
        found = jsonschema.Draft202012Validator(schema).iter_errors(listed)
        faults += [f"{file}: {error.json_path}: {error.message}" for error in found]
        beside = {path.name for path in (manifests.folder / file).parent.glob("*.yaml")} - {LIST, EXAMPLE}
        named = set(listed.get("resources", []))
        faults += [f"{file}: {name} is missing" for name in sorted(named - beside)]
        faults += [f"{file}: does not name {name}" for name in sorted(beside - named)]
        for patch in listed.get("patches", []):
            faults += [f"{file}: {fault}" for fault in patch_faults(manifests, patch)]
    return faults


def patch_faults(manifests: Manifests, patch: Document) -> list[str]:
    """
    Whether a patch finds what it removes; kustomize stops when it does not.
    """
    target = manifests.one(patch["target"]["kind"], patch["target"]["name"])
    faults = []
    for operation in yaml.safe_load(patch["patch"]):
        found: Any = target
        for step in operation["path"].split("/")[1:]:
            found = found.get(step.replace("~1", "/")) if isinstance(found, dict) else None
        if operation["op"] != "remove" or found is None:
            faults.append(f"cannot {operation['op']} {operation['path']}")
    return faults
