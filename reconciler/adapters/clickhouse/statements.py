"""The ledger's queries. Nothing is formatted into them: names are bound as well, as `Identifier`.

FINAL leaves the newest of a commit's rows, merged by the engine already or not. Which history rows count is decided
by the table of versions alone: those of valid commits on the mainline that are not orphaned.
"""

from __future__ import annotations

DATABASES = "SELECT count() FROM system.databases WHERE name = {database:String}"

CATALOG = """
WITH (
  SELECT any(comment) FROM system.tables WHERE database = {database:String} AND name = 'config_versions'
) AS mark
SELECT table, name, type, mark FROM system.columns WHERE database = {database:String}
"""

GENERATION = """
SELECT max(generation) FROM {database:Identifier}.config_versions
WHERE repository = {repository:String} AND branch = {branch:String}
"""

RECORDED = """
SELECT commit_sha, mainline FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND NOT orphaned
"""

RECORDED_AMONG = RECORDED + "  AND commit_sha IN {shas:Array(String)}"

ABBREVIATED = """
SELECT * EXCEPT (repository, branch, generation) FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND startsWith(commit_sha, {sha:String})
ORDER BY commit_sha LIMIT 5
"""
"""Orphaned ones too; five are enough to say that a sha is ambiguous."""

BY_SHA = """
SELECT * EXCEPT (repository, branch, generation) FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND commit_sha IN {shas:Array(String)}
"""
"""Orphaned ones too."""

NEWEST_ON_MAINLINE = """
SELECT * EXCEPT (repository, branch, generation) FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND mainline AND NOT orphaned
  AND height <= {upto:UInt32}
ORDER BY height DESC LIMIT {limit:UInt64}
"""

MERGES = """
SELECT commit_sha, parents FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND mainline AND NOT orphaned
  AND length(parents) > 1
ORDER BY height
"""

SIDE = """
SELECT commit_sha, parents FROM {database:Identifier}.config_versions FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND NOT mainline AND NOT orphaned
"""

ROW_COUNTS = """
SELECT {commit_column:Identifier}, count() FROM {database:Identifier}.{table:Identifier} FINAL
WHERE {repository_column:Identifier} = {repository:String} AND {branch_column:Identifier} = {branch:String}
  AND {commit_column:Identifier} IN {shas:Array(String)}
GROUP BY {commit_column:Identifier}
"""

EVENTS = """
SELECT host, seq, happened_at, event, commit_sha, digest, duration_ms, detail, store
FROM {database:Identifier}.host_events FINAL
WHERE repository = {repository:String} AND branch = {branch:String} AND ({host:String} = '' OR host = {host:String})
ORDER BY happened_at DESC, host, store, seq DESC LIMIT {limit:UInt64}
"""
