"""The OpenAPI document in generators of clients."""
