"""Files to what they declare: the fast validator gives the verdict, the reference explains what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator

from reconciler.kinds.pointers import join, place
from reconciler.model.resource import FileEntry, Identified, Key
from reconciler.validate.ambiguity import ambiguous_scalars
from reconciler.validate.envelope import read_envelope
from reconciler.validate.finding import Finding, problems, settled
from reconciler.validate.resources import resource, unfit_integers
from reconciler.validate.scan import odd_values

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind, Kinds
    from reconciler.model.problem import Problem
    from reconciler.model.resource import Decoded, Document, Resource

UNREADABLE_CODES = frozenset({"yaml-syntax", "unsafe-yaml"})
"""What decoding says when a part of a file could not be read, so that nobody knows what it declares."""


class Validator:
    """Checks files against a set of kinds. Schemas are compiled when a document of their kind first comes along."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._compiled: dict[str, Draft202012Validator] = {}

    def check(self, path: str, decoded: Decoded) -> FileEntry:
        """What a file declares, and everything wrong with it. Never raises; problems are sorted."""
        resources: list[Resource] = []
        identified: list[Identified] = []
        found: list[Problem] = list(decoded.problems)
        unreadable = any(problem.code in UNREADABLE_CODES for problem in decoded.problems)
        for document in decoded.documents:
            envelope = read_envelope(document.value, self.kinds)
            kind, name, line = envelope.kind, envelope.name, place(document.marks, "").line
            findings = [*envelope.findings, *self.findings(kind, document)]
            if findings:
                found.extend(problems(path, document, settled(findings), decoded.problems))
            if kind is None or name is None:
                unreadable = True
            elif findings:
                identified.append(Identified(Key(kind.name, name), line))
            else:
                resources.append(resource(kind, name, document.value, path, line))
        return FileEntry(tuple(resources), tuple(sorted(found)), tuple(identified), unreadable, len(decoded.documents))

    def findings(self, kind: Kind | None, document: Document) -> list[Finding]:
        """What is wrong inside a document; `kind` is None when it is not known."""
        findings = [*odd_values(document.value), *ambiguous_scalars(document.ambiguous, kind)]
        if kind is not None and not any(finding.code == "not-finite" for finding in findings):
            findings += self._violations(kind, document.value)
            findings += unfit_integers(kind, document.value)
        return findings

    def _violations(self, kind: Kind, value: Any) -> list[Finding]:
        validator = self._validator(kind)
        if validator.is_valid(value):
            return []
        # Only a wrong file pays the 150 ms that the reference takes to import.
        from reconciler.validate.explain import explanations  # noqa: PLC0415

        return [*explanations(kind, value)] or [
            Finding(join(error.instance_path), "bad-format", f"the schema's {error.kind.name} does not allow this")
            for error in validator.iter_errors(value)
        ]

    def _validator(self, kind: Kind) -> Draft202012Validator:
        compiled = self._compiled.get(kind.name)
        if compiled is None:
            compiled = Draft202012Validator(dict(kind.schema), offline=True, validate_formats=True)
            self._compiled[kind.name] = compiled
        return compiled
