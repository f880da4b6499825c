"""What CI does with a change: check it, show what it would do to the live rows, and say so where its reviewers look.

`python -m reconciler_ci github` is the job behind `action.yml`, `python -m reconciler_ci gitlab` the one behind
`deploy/gitlab-ci.yml`. Both run the `reconciler` of their own Python and depend on the standard library alone.
"""
