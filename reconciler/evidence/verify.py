#!/usr/bin/env python3
"""Check a report of `reconciler evidence`. One file: Python 3.11, its standard library, and `ssh-keygen`.

    python3 verify_evidence.py REPORT [--allowed-signers FILE] [--root FILE]...

REPORT is the JSON of a report, or the zip that has it. FILE of --allowed-signers is in ssh-keygen's format and says
which key a host signs with. FILE of --root is a root that you kept or were sent earlier: the report has to have it.
Ends with 0 when all is in order, 1 when something is not, 2 when it could not be checked.

How it works. Everything that the host did is an entry, a JSON object. The *link* of an entry is the SHA-256 of

    {"entry": SHA-256 of the entry, "previous": link of the entry before}

both as canonical JSON: sorted keys, no white space, UTF-8. So no entry can be changed, left out, put in or moved
without another link at the end. Once a day the host writes down the last link as `head` of a *root*, and signs the root
with its SSH key. Whoever keeps a root elsewhere can tell later whether the entries up to it are still the same, even
against somebody who can write to every database, and has the key.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Json = dict[str, Any]

FORMAT = 1
NAMESPACE = "reconciler-evidence"
"""What a signature of a root is for, so that no other signature of the same key passes for one (ssh-keygen -n)."""
START = "0" * 64
"""The link before the first entry of a chain."""
REPORT_NAME = "report.json"
MAX_BYTES = 1_000_000_000
KEYGEN_SECONDS = 20.0


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value that is hashed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def link(previous: str, entry: Json) -> str:
    """The link of an entry that follows another one."""
    return digest({"entry": digest(entry), "previous": previous})


def check_chain(sections: Sequence[Json]) -> Iterator[str]:
    """What is wrong with the entries and roots of a report.

    A section is what happened from one root to the next: its entries, and the root at its end, null in the last.
    """
    head, total = None, None
    for section in sections:
        root = section["root"]
        where = f"root of {root['day']}" if root else "entries after the last root"
        if head is None:
            head = root["previous"] if root else _first(section)
        elif root and root["previous"] != head:
            yield _explain_break(root, where)
            head, total = root["previous"], None
        for number, one in enumerate(section["entries"], 1):
            if one["previous"] != head:
                yield f"{where}: its entry {number} does not follow the one before: {_describe(one['entry'])}"
            head = link(head, one["entry"])
        if root is None:
            continue
        if head != root["head"]:
            yield f"{where}: entries were changed, left out or put in: they lead to {head}, not to {root['head']}"
        if total is not None and root["entries"] != total + len(section["entries"]):
            yield f"{where}: it counts {root['entries']} entries, and there are {total + len(section['entries'])}"
        head, total = root["head"], root["entries"]


def _first(section: Json) -> str:
    return section["entries"][0]["previous"] if section["entries"] else START


def _explain_break(root: Json, where: str) -> str:
    if root["previous"] == START:
        return f"{where}: a new chain begins here: the store was made anew, or the record was replaced"
    return f"{where}: it does not follow the root before: a store was restored, or roots were dropped or rewritten"


def _describe(entry: Json) -> str:
    return f"{entry.get('event') or entry.get('what')} at {entry.get('at') or entry.get('from') or entry.get('until')}"


def check_kept_root(sections: Sequence[Json], kept: Json) -> str:
    """What is wrong with a report for somebody who kept a root; empty when it has just that root."""
    roots = [section["root"] for section in sections if section["root"]]
    if kept in roots:
        return ""
    same_day = [root for root in roots if root["day"] == kept["day"]]
    if same_day:
        return f"the root of {kept['day']} is another one than you kept: what was recorded until then was rewritten"
    days = f"from {roots[0]['day']} to {roots[-1]['day']}" if roots else "there are none"
    return f"the root of {kept['day']} that you kept is not in the report (its roots: {days})"


def check_changes(report: Json) -> Iterator[str]:
    """What the list of changes says of this host, and no entry of the chain does."""
    entries = [one["entry"] for section in report["chain"] for one in section["entries"]]
    began = {(one["commit"], one["from"]) for one in entries if one["what"] == "live"}
    ended = {(one["commit"], one["until"]) for one in entries if one["what"] == "ended"}
    for change in report["commits"]:
        for span in change["live"]:
            if span["host"] != report["host"]:
                continue
            if report["from"] <= span["from"] and (change["commit"], span["from"]) not in began:
                yield f"commit {change['commit'][:12]}: no entry says that it went live at {span['from']}"
            until = span["until"]
            if until and report["from"] <= until and (change["commit"], until) not in ended:
                yield f"commit {change['commit'][:12]}: no entry says that it was live until {until}"


def check_signature(section: Json, allowed_signers: Path, principal: str) -> str:
    """What is wrong with the signature of a root; empty when ssh-keygen accepts it."""
    root = section["root"]
    if not section["signature"]:
        return f"root of {root['day']}: it is not signed: {section['unsigned']}"
    with tempfile.TemporaryDirectory() as folder:
        signature = Path(folder, "root.sig")
        signature.write_text(section["signature"], encoding="ascii")
        command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed_signers), "-I", principal]
        command += ["-n", NAMESPACE, "-s", str(signature)]
        done = subprocess.run(
            command, input=canonical_json(root), capture_output=True, timeout=KEYGEN_SECONDS, check=False
        )
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return f"root of {root['day']}: {allowed_signers} has no key of {principal} that signed it: {' '.join(said[-1:])}"


def key_fingerprint(signature: str) -> str:
    """The fingerprint of the key in an SSH signature, as `ssh-keygen -l` shows it (PROTOCOL.sshsig, section 2)."""
    lines = [line for line in signature.splitlines() if line and not line.startswith("-----")]
    blob = base64.b64decode("".join(lines))
    size = int.from_bytes(blob[10:14])
    key = hashlib.sha256(blob[14 : 14 + size]).digest()
    return "SHA256:" + base64.b64encode(key).decode().rstrip("=")


def check_report(report: Json, kept: Iterable[Json] = (), allowed_signers: Path | None = None) -> list[str]:
    """Everything that is wrong with a report."""
    sections = report["chain"]
    found = [*check_chain(sections), *check_changes(report), *report["findings"]]
    found += filter(None, (check_kept_root(sections, root) for root in kept))
    if allowed_signers is not None:
        rooted = [section for section in sections if section["root"]]
        found += filter(None, (check_signature(one, allowed_signers, one["root"]["host"]) for one in rooted))
    return found


def read_report(file: Path) -> Json:
    """The JSON of a report, also out of its zip. Raises `ValueError` for what is none."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive, archive.open(REPORT_NAME) as inside:
            return _parse(inside)
    with file.open("rb") as plain:
        return _parse(plain)


def _parse(file: IO[bytes]) -> Json:
    text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    report = json.loads(text)
    if not isinstance(report, dict) or report.get("evidence") != FORMAT:
        raise ValueError(f"it is no evidence of format {FORMAT}")
    return report


def read_root(file: Path) -> Json:
    """A root out of a file that has it alone, or with its signature."""
    kept = json.loads(file.read_bytes())
    root: Json = kept.get("root", kept)
    return root


def summarize(report: Json) -> Iterator[str]:
    """What was checked, in a few lines."""
    roots = [section for section in report["chain"] if section["root"]]
    entries = sum(len(section["entries"]) for section in report["chain"])
    yield f"host {report['host']}, repository {report['repository']}, {report['from']} to {report['to']}"
    yield f"{len(report['commits'])} commits, {entries} entries, {len(roots)} roots"
    if roots:
        unsigned = sum(not section["signature"] for section in roots)
        yield f"roots of {roots[0]['root']['day']} to {roots[-1]['root']['day']}, {unsigned} of them not signed"
    for key in sorted({key_fingerprint(section["signature"]) for section in roots if section["signature"]}):
        yield f"signed by {key}"
    tail = sum(len(section["entries"]) for section in report["chain"] if not section["root"])
    if tail:
        yield f"{tail} entries are after the last root: the next one vouches for them"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Check a report of `reconciler evidence`.")
    parser.add_argument("report", type=Path)
    parser.add_argument("--allowed-signers", type=Path, help="which key each host signs with, as for ssh-keygen")
    parser.add_argument("--root", type=Path, action="append", default=[], help="a root that you kept (repeatable)")
    given = parser.parse_args(arguments)
    try:
        report = read_report(given.report)
        kept = [read_root(file) for file in given.root]
        found = check_report(report, kept, given.allowed_signers)
        lines = [*summarize(report), *(f"WRONG: {one}" for one in found)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.TimeoutExpired) as error:
        print(f"it cannot be checked: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if not found:
        signed = "signatures are good" if given.allowed_signers else "signatures were not checked: --allowed-signers"
        against = f", and it has the {len(kept)} roots that you kept" if kept else ""
        lines.append(f"the chain is whole{against}; {signed}")
    print("\n".join(lines))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
