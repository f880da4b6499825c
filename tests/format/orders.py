"""The order of keys under the shipped kinds and the example's own."""

from __future__ import annotations

from reconciler.adapters.bundled import find_example_repository
from reconciler.format.format import KeyOrder
from reconciler.reconcile.rules import read_kinds
from reconciler.wiring.bundled import bundled_kinds
from reconciler.wiring.checkout import fault_finder

_SHIPPED = bundled_kinds()
_OWN = {
    f"schemas/{file.name}": file.read_bytes() for file in (find_example_repository() / "schemas").glob("*.schema.json")
}

ORDER = KeyOrder(read_kinds(_OWN, _SHIPPED, fault_finder())[0], {"Repository": _SHIPPED.repository})
