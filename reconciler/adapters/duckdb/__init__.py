"""The live rows in DuckDB. Nothing else imports the driver, but for the sandbox.

From the bottom up: `connection` opens the file and turns the driver's errors into ours; `codec` turns records into
values and back; `tables` knows which tables there are and what they look like; `state` keeps what is neither row nor
table; `writing` changes rows; `base`, `rows` and `reader` look them up; `drift` finds and heals what somebody else
wrote; `store` puts each step into one transaction, and `sharing` opens it for the threads of a process that lives long.
`backup` is about copies of the file, `files` about those of others.
"""
