"""Files to what they declare: the fast validator gives the verdict, the reference explains what is wrong.

Before its schema is looked at, a document has a kind and a name, no secrets, no numbers that are none, and no scalars
that YAML readers take for different things. A valid one becomes a resource in canonical form; `reconciler.yaml` is
checked like any other, against a schema that ships with the program.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from reconciler import canonical
from reconciler.kinds.kind import INTEGER_MAX, INTEGER_MIN, Kind, Kinds, SqlType, child, join, locate
from reconciler.model.change import FileEntry, Identified, Key, Prune, Resource, content_digest
from reconciler.model.problem import Problem
from reconciler.model.spec import GrowthRule, PruneRule, RepositorySpec
from reconciler.validate.filepatterns import FilePatterns
from reconciler.validate.finding import (
    AMBIGUOUS,
    EXPONENT,
    MISSING,
    SECRET,
    Finding,
    NumberHint,
    describe_type,
    drop_consequences,
    field_at,
    join_words,
    locate_findings,
    number_hint,
    quote_value,
    takes_ratio,
    unit_at,
)
from reconciler.validate.judge import Judge, make_judge
from reconciler.words import closest, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.model.change import Decoded, Document


T = TypeVar("T", Finding, Problem)


def find_unfit_integers(kind: Kind, value: Any) -> Iterator[Finding]:
    """Integers written with a decimal point, which JSON Schema accepts, or beyond the column's range."""
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict):
        return
    for name in _find_integers(kind):
        integer = spec.get(name)
        if integer is not None:
            yield from _check_integer(name, integer)


@lru_cache(maxsize=64)
def _find_integers(kind: Kind) -> tuple[str, ...]:
    return tuple(column.name for column in kind.columns if column.type is SqlType.INTEGER)


def build_resource(kind: Kind, name: str, value: Any, path: str, line: int) -> Resource:
    """The resource that a valid document declares."""
    metadata, spec = value["metadata"], value["spec"]
    values: dict[str, Value] = {}
    for field, convert in _list_fields(kind):
        written = spec.get(field)
        values[field] = written if convert is None or written is None else convert(written)
    row_id = values[kind.key] = str(values[kind.key] or canonical.derived_id(kind.name, name))
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    refs = _normalize_references(kind, metadata.get("refs", {}))
    digest = content_digest(Key(kind.name, name), values, labels, annotations, refs)
    return Resource(kind.name, name, row_id, values, labels, annotations, refs, path, line, digest)


def _check_integer(field: str, value: Any) -> Iterator[Finding]:
    if isinstance(value, float) and value.is_integer():
        message = f"{value} is written with a point, and a whole number is wanted"
        yield Finding(child("/spec", field), "wrong-type", message, f"write {canonical.text(value)}")
    elif isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        message = f"{value} is out of range: {INTEGER_MIN} to {INTEGER_MAX}"
        yield Finding(child("/spec", field), "out-of-range", message, "whole numbers are stored in 32 bits")


_CANONICAL: Mapping[SqlType, Callable[[Any], Value]] = {
    SqlType.FLOAT: canonical.number,
    SqlType.UUID: str.lower,
    SqlType.JSON: canonical.normalize,
}


@lru_cache(maxsize=64)
def _list_fields(kind: Kind) -> tuple[tuple[str, Callable[[Any], Value] | None], ...]:
    """The fields of a kind's columns, each with what makes its values canonical, if anything does."""
    return tuple((column.name, _CANONICAL.get(column.type)) for column in kind.columns)


def _normalize_references(kind: Kind, written: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The references by role; the order of several names has no meaning, so they are sorted."""
    refs: dict[str, tuple[str, ...]] = {}
    for reference in kind.references:
        if reference.role in written:
            names = written[reference.role]
            refs[reference.role] = tuple(sorted(set(names))) if reference.many else (names,)
    return refs


class Envelope(NamedTuple):
    """The kind and name of a document, None where they cannot be known, and why the kind cannot."""

    kind: Kind | None = None
    name: str | None = None
    findings: tuple[Finding, ...] = ()


def read_envelope(value: Any, kinds: Kinds) -> Envelope:
    """The envelope of a document. Everything else is checked by the kind's schema."""
    if not isinstance(value, dict):
        message = (
            f"a document is a mapping of apiVersion, kind, metadata and spec, and this one is {describe_type(value)}"
        )
        return Envelope(findings=(Finding("", "wrong-type", message, "write it as lines of `field: value`"),))
    if "kind" not in value:
        return Envelope(findings=(_missing_kind(value, kinds),))
    name = value["kind"]
    kind = kinds.by_name.get(name) if isinstance(name, str) else None
    if kind is None:
        return Envelope(findings=(_unknown_kind(name, kinds),))
    return Envelope(kind, _name(value))


def _name(value: dict[str, Any]) -> str | None:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def _missing_kind(value: dict[str, Any], kinds: Kinds) -> Finding:
    meant = closest("kind", value)
    if meant is not None:
        return Finding(child("", meant), "unknown-field", "unknown field (did you mean kind?)", at_key=True)
    hint = f"kinds: {join_words(kinds.by_name)}; a file that is no configuration belongs in a hidden folder"
    return Finding("/kind", MISSING, "kind is missing: nothing says what this document declares", hint, at_key=True)


def _unknown_kind(name: Any, kinds: Kinds) -> Finding:
    hint = f"kinds: {join_words(kinds.by_name)}"
    if not isinstance(name, str):
        return Finding("/kind", "wrong-type", f"the kind must be text, and this is {describe_type(name)}", hint)
    kind = kinds.find(name)
    suggestion = kind.name if kind is not None else closest(name, kinds.by_name)
    question = f" (did you mean {suggestion}?)" if suggestion else ""
    return Finding("/kind", "unknown-kind", f"there is no kind {quote_value(name)}{question}", hint)


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRETS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "token", "login", "credential", "credentials"}
    | {"apikey", "accesskey", "authkey", "privatekey", "secretkey"}
)
_BEYOND_DOUBLE = 1024
"""Bits of an integer that no double holds any more."""

_SECRET_MESSAGE = "no secrets in configuration: what is committed stays in the history of every clone"  # noqa: S105
_SECRET_HINT = "delete it, change the secret itself, and let the program read it from its host instead"  # noqa: S105


def find_odd_values(value: Any) -> Iterable[Finding]:
    """Every key that names a secret (its value is in no message), and every number beyond a double."""
    # Nearly all documents have none: pointers are made only when there is something to point at
    return () if _is_plain(value) else _iter_odd(value, "")


@lru_cache(maxsize=4096)
def is_secret_name(key: str) -> bool:
    """Whether a key names a secret, however it is spelt: `password`, `API-Key`, `apiKey`, `mt5_login`."""
    words = [word.lower() for word in _WORD.findall(key)]
    return any("".join(words[-count:]) in _SECRETS for count in (1, 2) if words)


_NEVER_ODD = frozenset({str, bool, type(None)})
"""Types of values that cannot be odd; a value is of one of these, a number, a mapping or a list."""
_NESTED = frozenset({dict, list})
MANY_KEYS = 32
"""Keys of a mapping that are more than those of any resource."""


@lru_cache(maxsize=512)
def _has_secret_name(keys: tuple[str, ...]) -> bool:
    """Whether one of some keys names a secret: the mappings of a repository have few sets of keys."""
    return any(map(is_secret_name, keys))


def _is_plain(value: Any) -> bool:
    """Whether nothing is odd. A loop, because every document of a repository passes through it."""
    pending = [value]
    for item in pending:
        if isinstance(item, dict):
            if _has_secret_name(tuple(item)) if len(item) <= MANY_KEYS else any(map(is_secret_name, item)):
                return False
            members: Iterable[Any] = item.values()
        else:
            members = item if isinstance(item, list) else (item,)
        for member in members:
            of_type = type(member)
            if of_type in _NEVER_ODD:
                continue
            if of_type in _NESTED:
                pending.append(member)
            elif isinstance(member, (int, float)) and not _is_finite(member):
                return False
    return True


def _iter_odd(value: Any, pointer: str) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key, member in value.items():
            if is_secret_name(key):
                yield Finding(child(pointer, key), SECRET, _SECRET_MESSAGE, _SECRET_HINT, at_key=True)
            else:
                yield from _iter_odd(member, child(pointer, key))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _iter_odd(member, child(pointer, position))
    elif isinstance(value, (int, float)) and not _is_finite(value):
        yield Finding(pointer, "not-finite", "this is not a finite number", "write the number itself, such as 0.75")


def _is_finite(value: float) -> bool:
    return value.bit_length() <= _BEYOND_DOUBLE if isinstance(value, int) else math.isfinite(value)


_SEXAGESIMAL = re.compile(r"[0-9]+(?::[0-5]?[0-9])+")
_TRUE = frozenset({"y", "yes", "on"})
_FALSE = frozenset({"n", "no", "off"})


def find_ambiguous_scalars(texts: Mapping[str, str], kind: Kind | None) -> Iterator[Finding]:
    """A finding for each ambiguous scalar of a document; `kind` is None when it is not known."""
    for pointer, text in texts.items():
        hint = _ambiguity_hint(pointer, text, kind)
        message = f"{text} {_describe_readings(text)}"
        yield Finding(pointer, AMBIGUOUS, message, hint.words, bounds=hint.bounds)


def _describe_readings(text: str) -> str:
    word = text.lower()
    if word in _TRUE | _FALSE:
        return f"is read as {'true' if word in _TRUE else 'false'} by some YAML readers and as text by others"
    if _SEXAGESIMAL.fullmatch(text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return f"is read as {total} by some YAML readers (base 60) and as text by others"
    if EXPONENT.fullmatch(text):
        return "is a number to some YAML readers and text to others (YAML 1.1 wants a point and a signed exponent)"
    return "is not the same number to all YAML readers"


def _ambiguity_hint(pointer: str, text: str, kind: Kind | None) -> NumberHint:
    field = field_at(kind.schema, pointer) if kind is not None else {}
    words = [word for word in field.get("enum", ()) if isinstance(word, str)]
    if words:
        return NumberHint(f"write one of {join_words(words)}{did_you_mean(text, words)}")
    match field.get("type"):
        case "number" | "integer":
            unit = unit_at(kind, pointer) if kind is not None else ""
            is_ratio = kind is not None and takes_ratio(kind, pointer)
            return number_hint(text, field, unit, quoted=False, ratio_means_number=is_ratio)
        case "boolean" if text.lower() in _TRUE | _FALSE:
            return NumberHint(f"write {'true' if text.lower() in _TRUE else 'false'}")
        case "boolean":
            return NumberHint("write true or false")
        case _:
            return NumberHint(f"if it is meant as text, quote it: '{text}'")


MAX_PROBLEMS, MAX_TOLD = 10_000, 1_000_000
"""Problems of a file, and characters of them, after which it is not looked at any further."""
UNREADABLE_CODES = frozenset({"yaml-syntax", "unsafe-yaml"})
"""The codes of problems that leave it unknown what a part of a file declares."""


class Validator:
    """Checks files against a set of kinds. A schema is compiled for the first document of its kind."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._judges: dict[str, Judge] = {}

    def check(self, path: str, decoded: Decoded) -> FileEntry:
        """What a file declares, and everything wrong with it. Never raises; problems are sorted."""
        resources: list[Resource] = []
        identified: list[Identified] = []
        all_problems: list[Problem] = list(decoded.problems)
        unreadable = any(problem.code in UNREADABLE_CODES for problem in decoded.problems)
        room = MAX_TOLD
        for document in decoded.documents:
            if len(all_problems) >= MAX_PROBLEMS or room < 0:
                all_problems.append(_too_many_problems(path, locate(document.marks, "").line))
                unreadable = True
                break
            kind, name, unknown = read_envelope(document.value, self.kinds)
            line = locate(document.marks, "").line
            findings = [*unknown, *self.findings(kind, document)]
            if findings:
                located = locate_findings(path, document, drop_consequences(findings), decoded.problems)
                fitting, room = take_fitting(located, room)
                all_problems.extend(fitting)
                if len(fitting) < len(located):
                    all_problems.append(_too_many_problems(path, line))
            if kind is None or name is None:
                unreadable = True
            elif findings:
                identified.append(Identified(Key(kind.name, name), line))
            else:
                resources.append(build_resource(kind, name, document.value, path, line))
        return FileEntry(
            tuple(resources), tuple(sorted(all_problems)), tuple(identified), unreadable, len(decoded.documents)
        )

    def is_costly(self, decoded: Decoded) -> bool:
        """Whether checking a file may hold the interpreter for longer than other threads should wait."""
        return any(map(self._is_costly, decoded.documents))

    def _is_costly(self, document: Document) -> bool:
        kind = read_envelope(document.value, self.kinds).kind
        try:
            return kind is not None and self._judge(kind).is_costly(document)
        except ValueError:  # a schema that this version cannot judge by: `check` tells
            return False

    def findings(self, kind: Kind | None, document: Document) -> list[Finding]:
        """What is wrong inside a document; `kind` is None when it is not known."""
        findings, left = take_fitting(find_odd_values(document.value), MAX_TOLD)
        if left < 0:  # other messages may quote a secret that was not found any more
            return findings
        if document.ambiguous:
            findings += find_ambiguous_scalars(document.ambiguous, kind)
        if kind is not None and not (findings and any(finding.code == "not-finite" for finding in findings)):
            findings += self._violations(kind, document)
            findings += find_unfit_integers(kind, document.value)
        return findings

    def _violations(self, kind: Kind, document: Document) -> list[Finding]:
        value = document.value
        try:
            judge = self._judge(kind)
        except ValueError:  # it came from a store, and the version that took it knew other patterns
            message = f"the schema of {kind.name} is none that this version can judge by"
            return [Finding("/kind", "bad-schema", message, "mend it: validate says what is wrong with it")]
        if judge.is_too_costly(document):
            message = f"this document is too large, or nested too deep, for what the schema of {kind.name} compares"
            return [Finding("", "bad-format", message, "spread it over several documents, or ask less in the schema")]
        if judge.validator.is_valid(value):
            return []
        # Only a wrong file pays the 150 ms that the reference takes to import.
        from reconciler.validate.explain import explain  # noqa: PLC0415

        return [*explain(kind, value)] or [
            Finding(join(error.instance_path), "bad-format", f"the schema's {error.kind.name} does not allow this")
            for error in judge.validator.iter_errors(value)
        ]

    def _judge(self, kind: Kind) -> Judge:
        judge = self._judges.get(kind.name)
        if judge is None:
            judge = self._judges[kind.name] = make_judge(kind.schema)
        return judge


def take_fitting(told: Iterable[T], room: int) -> tuple[list[T], int]:
    """The first of what is told until its text takes more than so many characters, and how many are left."""
    taken = []
    for one in told:
        taken.append(one)
        room -= len(one.pointer) + len(one.message) + len(one.hint)
        if room < 0:
            break
    return taken, room


def _too_many_problems(path: str, line: int) -> Problem:
    message = f"the file has more than {MAX_PROBLEMS:,} problems, or longer ones; what follows was not looked at"
    return Problem(path, line, 1, "unsafe-yaml", "", message, "mend the first ones")


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
    if not counted:
        counted += _find_bad_patterns(document.value)
    return locate_findings(path, document, drop_consequences(counted), decoded.problems)


def _find_bad_patterns(value: Any) -> Iterator[Finding]:
    for field in ("include", "exclude"):
        for position, line in enumerate(value["spec"].get(field, ())):
            try:
                FilePatterns((line,))
            except ValueError:
                message = f"{quote_value(line)} is no pattern of files"
                hint = "write it as in .gitignore: drafts/ or **/*.local.yaml"
                yield Finding(join(("spec", field, position)), "bad-format", message, hint)


def _read_spec(value: Any) -> RepositorySpec:
    spec, default = value["spec"], RepositorySpec()
    prune, growth = spec.get("prune", {}), spec.get("growth", {})
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
        growth=GrowthRule(
            max_new_percent=growth.get("max_new_percent", default.growth.max_new_percent),
            max_new_count=int(growth.get("max_new_count", default.growth.max_new_count)),
        ),
    )
