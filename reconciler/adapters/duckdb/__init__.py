"""The live rows in DuckDB. Nothing else imports the driver.

From the bottom up: `connection` opens the file and turns the driver's errors into ours; `codec` turns records into
values and back; `catalog` knows which tables there are; `state` keeps what is neither row nor table; `rebuild` and
`writing` change rows; `base` and `reader` look them up; `store` puts each step into one transaction.
`structure`, `drift` and `healing` are about what somebody else wrote; `copying`, `backup` and `restoring`
about copies of the file.
"""
