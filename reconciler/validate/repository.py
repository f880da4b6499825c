"""`reconciler.yaml` to what it says. Checked like any other document, against a schema that ships with the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import Kind, Kinds
from reconciler.model.change import Prune
from reconciler.model.commit import PruneRule, RepositorySpec
from reconciler.model.problem import Problem
from reconciler.validate.finding import AMBIGUOUS, drop_consequences, locate_findings
from reconciler.validate.validator import Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.change import Decoded, Document

MODE = "/spec/prune/mode"
"""Its `off` is one of the three words, which no reader can take for anything else."""


def read_repository(
    path: str, decoded: Decoded, schema: Mapping[str, Any]
) -> tuple[RepositorySpec | None, tuple[Problem, ...]]:
    """What the file says, None when something is wrong with it, and what that is."""
    problems = list(decoded.problems)
    if len(decoded.documents) == 1:
        problems += _document_problems(path, decoded.documents[0], decoded, schema)
    elif not problems:
        message = f"this file holds one document of kind Repository, and here are {len(decoded.documents)}"
        hint = "write apiVersion: reconciler/v1, kind: Repository and spec: {}"
        problems.append(Problem(path, 1, 1, "missing-field", "", message, hint))
    if problems:
        return None, tuple(sorted(problems))
    return _read_spec(decoded.documents[0].value), ()


def _document_problems(path: str, document: Document, decoded: Decoded, schema: Mapping[str, Any]) -> list[Problem]:
    # A kind without a table: the validator needs its schema and its name only.
    kind = Kind("Repository", "", "", (), (), (), schema, path, "")
    findings = Validator(Kinds(())).findings(kind, document)
    counted = [finding for finding in findings if not (finding.code == AMBIGUOUS and finding.pointer == MODE)]
    return locate_findings(path, document, drop_consequences(counted), decoded.problems)


def _read_spec(value: Any) -> RepositorySpec:
    spec, default = value["spec"], RepositorySpec()
    prune = spec.get("prune", {})
    return RepositorySpec(
        include=tuple(spec.get("include", default.include)),
        exclude=tuple(spec.get("exclude", default.exclude)),
        schemas=spec.get("schemas", default.schemas),
        policies=spec.get("policies", default.policies),
        prune=PruneRule(
            mode=Prune(prune.get("mode", default.prune.mode)),
            max_percent=prune.get("max_percent", default.prune.max_percent),
            max_count=int(prune.get("max_count", default.prune.max_count)),
        ),
    )
