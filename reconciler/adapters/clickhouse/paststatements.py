"""What is asked about the past. As in `statements.py`, nothing from outside is formatted in: `$PARTS` are the constants
here, and names are bound as `Identifier`.

A history row counts if its commit is valid, on the mainline and not orphaned, or one of some commits that were.
"""

from __future__ import annotations

from string import Template

PARTS = {
    "OURS": "repository = {repository:String} AND branch = {branch:String}",
    "ROWS_OF_OURS": (
        "{repository_column:Identifier} = {repository:String} AND {branch_column:Identifier} = {branch:String}"
    ),
    "TABLE": "{database:Identifier}.{table:Identifier}",
    "VERSIONS": "{database:Identifier}.config_versions",
    "VERSION": "* EXCEPT (repository, branch, generation)",
    "COMMIT": "{commit_column:Identifier}",
    "HEIGHT": "{height_column:Identifier}",
    "KEY": "{key:Identifier}",
}


def _made(text: str, **more: str) -> str:
    return Template(text).substitute(PARTS | more)


PARTS["VALID"] = _made("$OURS AND mainline AND NOT orphaned AND status = 'VALID'")

PARTS["NAMED"] = _made("""
SELECT $KEY FROM $TABLE
WHERE $ROWS_OF_OURS AND ({name_column:Identifier} = {name:String} OR $KEY IN {ids:Array(UUID)})
""")
"""The resources that ever went by a name. FINAL makes no difference to which they are."""

FOUND = _made("""
SELECT $VERSION FROM $VERSIONS FINAL
WHERE $OURS AND orphaned = {orphaned:Bool} AND ({status:String} = '' OR status = {status:String})
  AND positionCaseInsensitiveUTF8(concat(author_name, ' <', author_email, '>'), {author:String}) > 0
  AND committer_time >= {since:DateTime64(6, 'UTC')} AND committer_time < {until:DateTime64(6, 'UTC')}
  AND ({after_sha:String} = '' OR committer_time < {after:DateTime64(6, 'UTC')}
    OR committer_time = {after:DateTime64(6, 'UTC')} AND (
      height < {after_height:UInt32} OR height = {after_height:UInt32} AND commit_sha > {after_sha:String}
    ))
""")
"""An empty author is part of every one."""

NEWEST_FIRST = "ORDER BY committer_time DESC, height DESC, commit_sha LIMIT {limit:UInt64}"

ACTIVITY = _made("""
SELECT toString(toDate(committer_time, 'UTC')) AS day, count(), countIf(status = 'INVALID'),
  sum(creates), sum(updates), sum(deletes)
FROM $VERSIONS FINAL
WHERE $OURS AND mainline AND NOT orphaned AND committer_time >= {since:DateTime64(6, 'UTC')}
GROUP BY day ORDER BY day
""")

ORPHANS = _made("SELECT count() FROM $VERSIONS FINAL WHERE $OURS AND orphaned")

OFF_THE_MAINLINE = _made("""
SELECT commit_sha, parents, mainline AND status = 'VALID' FROM $VERSIONS FINAL
WHERE $OURS AND (orphaned OR NOT mainline)
""")

LIVE_AT = _made("""
SELECT commit_sha FROM {database:Identifier}.host_events FINAL
WHERE $OURS AND host = {host:String} AND happened_at <= {moment:DateTime64(6, 'UTC')}
  AND event IN ('applied', 'restored') AND commit_sha IS NOT NULL
ORDER BY happened_at DESC, seq DESC LIMIT 1
""")

COMMITTED_BY = _made("""
SELECT $VERSION FROM $VERSIONS FINAL
WHERE $OURS AND mainline AND NOT orphaned AND committer_time <= {moment:DateTime64(6, 'UTC')}
ORDER BY height DESC LIMIT 1
""")

_AT = """
SELECT * FROM $TABLE FINAL
WHERE $ROWS_OF_OURS AND $WHICH AND ($COMMIT IN {${POINT}_dropped:Array(String)}
  OR $HEIGHT <= {$POINT:UInt32} AND $COMMIT IN (
    SELECT commit_sha FROM $VERSIONS FINAL WHERE $VALID AND height <= {$POINT:UInt32} AND $THOSE
  ))
ORDER BY $KEY, $HEIGHT DESC
LIMIT 1 BY $KEY
"""


def _at(point: str, keys: str) -> str:
    """The newest row up to a point of each of some keys. Only the commits that touched them are looked up."""
    which = _made("$KEY IN ($KEYS)", KEYS=keys)
    those = _made("commit_sha IN (SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $WHICH)", WHICH=which)
    return _made(_AT, POINT=point, WHICH=which, THOSE=those)


_TOUCHED = _made("""
SELECT $KEY FROM $TABLE
WHERE $ROWS_OF_OURS AND (
  $HEIGHT > {low:UInt32} AND $HEIGHT <= {high:UInt32}
  OR $COMMIT IN {old_dropped:Array(String)} OR $COMMIT IN {new_dropped:Array(String)}
)
""")
"""The rows with anything of only one of two points; others may be among them."""

STATE = _made(_AT, POINT="new", WHICH="true", THOSE="true")

DECLARED = _made("""
SELECT countIf(last != 'delete') AS declared FROM (
  SELECT argMax({op_column:Identifier}, $HEIGHT) AS last FROM $TABLE
  WHERE $ROWS_OF_OURS AND ($COMMIT IN {new_dropped:Array(String)}
    OR $HEIGHT <= {new:UInt32} AND $COMMIT IN (
      SELECT commit_sha FROM $VERSIONS FINAL WHERE $VALID AND height <= {new:UInt32}
    ))
  GROUP BY $KEY
)
""")
"""Without FINAL, which takes four times as long: a row that was recorded again says the same here."""

STATE_OF = _at("new", PARTS["NAMED"])

BETWEEN = _made(
    "SELECT 'old' AS history_side, * FROM ($OLD) UNION ALL SELECT 'new', * FROM ($NEW)",
    OLD=_at("old", _TOUCHED),
    NEW=_at("new", _TOUCHED),
)

PAST_OF = _made("""
SELECT history_version, row.* FROM (
  SELECT * FROM $TABLE FINAL WHERE $ROWS_OF_OURS AND $KEY IN ($NAMED)
) AS row INNER JOIN (
  SELECT commit_sha AS history_commit, tuple($VERSION) AS history_version FROM $VERSIONS FINAL
  WHERE $OURS AND mainline AND status = 'VALID' AND commit_sha IN (
    SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $KEY IN ($NAMED)
  )
) AS versions ON row.$COMMIT = versions.history_commit
ORDER BY row.$HEIGHT DESC, row.$COMMIT, row.$KEY
""")

PARTS["WITHIN"] = _made("indexOf({order:Array(String)}, {op_column:Identifier}) - 1, {name_column:Identifier}")
"""The order of the changes of a commit, but for the id."""

PARTS["AFTER"] = _made("""
($HEIGHT < {after_height:UInt32} OR $HEIGHT = {after_height:UInt32}
  AND (
    indexOf({order:Array(String)}, {op_column:Identifier}) - 1, {kind:String}, {name_column:Identifier}, toString($KEY)
  ) > ({after_rank:UInt8}, {after_kind:String}, {after_name:String}, {after_id:String}))
""")

PARTS["HIGH_ENOUGH"] = _made("""
$HEIGHT >= (SELECT min(high) FROM (
  SELECT DISTINCT $HEIGHT AS high FROM $TABLE
  WHERE $ROWS_OF_OURS AND $HEIGHT < {after_height:UInt32}
    AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS FINAL WHERE $VALID)
  ORDER BY high DESC LIMIT {limit:UInt64}
))
""")
"""As many commits hold at least as many changes: the others need not be put in order. All, where there are fewer."""

PARTS["NEWEST_KEYS"] = _made("""
SELECT DISTINCT $KEY, $HEIGHT, $WITHIN FROM $TABLE
WHERE $ROWS_OF_OURS AND $HIGH_ENOUGH AND $AFTER AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS FINAL WHERE $VALID)
ORDER BY $HEIGHT DESC, $WITHIN, toString($KEY) LIMIT {limit:UInt64}
""")

NEWEST = _made("""
SELECT history_version, row.* FROM (
  SELECT * FROM $TABLE FINAL
  WHERE $ROWS_OF_OURS AND $KEY IN (SELECT $KEY FROM ($NEWEST_KEYS)) AND $AFTER
    AND $COMMIT IN (SELECT commit_sha FROM $VERSIONS FINAL WHERE $VALID)
  ORDER BY $HEIGHT DESC LIMIT {limit:UInt64} + 1 BY $KEY
) AS row INNER JOIN (
  SELECT commit_sha AS history_commit, tuple($VERSION) AS history_version FROM $VERSIONS FINAL WHERE $VALID
) AS versions ON row.$COMMIT = versions.history_commit
ORDER BY row.$HEIGHT DESC, $WITHIN, toString(row.$KEY)
""")

_OF_A_KIND = ("table", "key", "name_column", "repository_column", "branch_column", "commit_column")


def touching(number: int, *, named: bool) -> str:
    """The commits that changed a resource of the kind with this number, or one that went by a name."""
    which = _made("$KEY IN ($NAMED)") if named else "true"
    statement = _made("SELECT $COMMIT FROM $TABLE WHERE $ROWS_OF_OURS AND $WHICH", WHICH=which)
    for name in _OF_A_KIND:
        statement = statement.replace(f"{{{name}:", f"{{{name}_{number}:")
    return statement
