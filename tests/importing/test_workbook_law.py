"""What a repository declares, into a workbook and back: nothing changes, and no text becomes a formula."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.adapters.workbookfile import read_workbook, write_workbook
from reconciler.importing.documents import Folders
from reconciler.importing.drafts import Drafts
from reconciler.importing.exporting import build_sheets
from reconciler.importing.interpret import interpret
from reconciler.importing.mapping import read_mapping, write_mapping
from reconciler.importing.tables import IncomingRows
from reconciler.model.limits import Limits
from reconciler.reconcile.importrows import declared_resources, plan_import
from reconciler.scaffold.yamltext import write_document
from reconciler.wiring.checkout import open_checkout
from tests.importing.widgets import SCHEMA_FILE, keys, texts
from tests.importing.widgets import rows as widgets
from tests.support.laws import examples

names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True)
labels = st.dictionaries(keys.filter(bool), texts, max_size=2)
resources = st.lists(
    st.tuples(names, labels, labels, widgets),
    max_size=4,
    unique_by=(lambda one: one[0], lambda one: one[3]["widget_id"]),
)


def documents(members: list[tuple[str, dict[str, str], dict[str, str], dict[str, Any]]]) -> dict[str, bytes]:
    files = {path: text.encode() for path, text in SCHEMA_FILE.items()}
    for number, (name, own, notes, row) in enumerate(members):
        metadata = {"name": name, **({"labels": own} if own else {}), **({"annotations": notes} if notes else {})}
        spec = {key: value for key, value in row.items() if value is not None}
        document = {"apiVersion": "reconciler/v1", "kind": "Widget", "metadata": metadata, "spec": spec}
        files[f"widgets/{number}.yaml"] = write_document(document).encode()
    return files


@settings(max_examples=examples(12, quick=2))
@given(resources)
def test_an_export_imported_again_changes_nothing(members: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = open_checkout(Path(folder), "")
        checked = checkout.check({**documents(members)})
        assert not [problem for problem in checked.problems if problem.is_error]
        declared = declared_resources(checked)
        kinds = [kind for kind in checked.kinds if kind.name == "Widget"]
        exported = build_sheets(kinds, checked.kinds, {one.key: one for one in declared.values()})
        file = Path(folder) / "desk.xlsx"
        write_workbook(file, exported.sheets, write_mapping(exported.mapping, "desk.xlsx")[0])
        assert b"<f>" not in b"".join(map(ZipFile(file).read, ZipFile(file).namelist()))
        book = read_workbook(file, Limits())
        mapping, problems, _ = read_mapping("desk.xlsx", book.mapping.encode())
        assert mapping is not None
        drafts = Drafts(checked.kinds, declared, lambda: "")
        read = interpret(book, mapping, checked.kinds, drafts, is_given=True)
        incoming = IncomingRows(tuple(drafts.rows()), (*problems, *read.problems))
        plan = plan_import(incoming, checked, Folders("", {}, {}), lambda kind, path: "", checkout.faults)
        assert (plan.problems, dict(plan.files), plan.plan.changes, read.open) == (checked.problems, {}, (), ())
        assert plan.rows.keys() == declared.keys()
