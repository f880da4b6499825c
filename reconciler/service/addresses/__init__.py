"""The rows of the endpoint table, in a module for each module of services: a command asks for its own alone."""
