"""What each code of a problem means in one sentence, for formats that describe the rule beside the finding."""

from __future__ import annotations

import re

PAGE = "docs/problems.md"
POLICY = "policy/"
POLICY_HEADING = "policy/NAME"
"""The page has one heading for all policies: their names are the repository's."""

MEANINGS = {
    "yaml-syntax": "The file is not YAML",
    "duplicate-key": "A key stands twice in one mapping",
    "unsafe-yaml": "Something that reviewers do not see, that readers disagree on or that could stop the program",
    "ambiguous-scalar": "A value that YAML 1.1 and YAML 1.2 readers take for different things",
    "unknown-kind": "There is no such kind",
    "unknown-field": "The schema does not have this field here",
    "missing-field": "A required field is not there",
    "wrong-type": "A value of another type than the field wants",
    "not-allowed": "The field takes certain words only",
    "out-of-range": "A number outside its hard limits",
    "too-long": "Text that is longer than its column",
    "bad-format": "Text that does not look as it must",
    "not-finite": "Not a finite number",
    "secret": "A secret has no place in configuration",
    "duplicate-name": "Two documents declare the same kind and name",
    "duplicate-id": "Two resources of a kind have the same id",
    "dangling-reference": "A reference to something that nothing declares",
    "not-a-file": "A symbolic link or a submodule is not followed",
    "bad-schema": "A schema is wrong",
    "schema-narrowed": "A schema changed so that rows already written might no longer fit",
    "bad-policy": "A policy cannot be run",
    "bad-policy-test": "A test of a policy cannot be run",
    "untested-policy": "A policy has no tests",
    "guard/prune-limit": "More resources leave git at once than the prune limit allows",
}


def meaning(code: str) -> str:
    """One sentence about a code."""
    if code.startswith(POLICY):
        return f"The policy {code.removeprefix(POLICY)} is violated"
    return MEANINGS.get(code, code.replace("-", " ").replace("/", ": ").capitalize())


def anchor(code: str) -> str:
    """Where the page tells about a code, as GitHub links to headings: `#guardprune-limit`."""
    heading = POLICY_HEADING if code.startswith(POLICY) else code
    return "#" + re.sub(r"[^\w-]", "", heading.lower())
