"""Documents to resources: the verdict of the kind's JSON Schema, and an explanation a trader understands."""
