"""What `reconciler.yaml` says of a repository."""

from __future__ import annotations

from msgspec import Struct

from reconciler.model.change import Prune

SCHEMA_SUFFIX = ".schema.json"
POLICY_SUFFIX = ".sql"
RESOURCE_SUFFIXES = (".yaml", ".yml")


class PruneRule(Struct, frozen=True):
    """What becomes of rows that leave git, and how many of one kind may do so in one step.

    `max_percent` is of the kind's declared resources before, 0 to 100; more than either limit is refused.
    """

    mode: Prune = Prune.DEACTIVATE
    max_percent: float = 20
    max_count: int = 50


class GrowthRule(Struct, frozen=True):
    """How many resources of one kind a commit may add: what exceeds both limits is refused.

    `max_new_percent` is of the resources that were declared before, and may be more than 100.
    """

    max_new_percent: float = 100
    max_new_count: int = 20


class RepositorySpec(Struct, frozen=True):
    """The `spec` of kind Repository. Without the file, or without a field in it, the defaults count.

    `include` and `exclude` are patterns as in .gitignore, relative to the file's folder; an empty `include` stands
    for everything. `schemas` and `policies` are folders there.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    schemas: str = "schemas"
    policies: str = "policies"
    prune: PruneRule = PruneRule()
    growth: GrowthRule = GrowthRule()
