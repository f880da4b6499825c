"""HTTP as a transport: routes, the OpenAPI document and the dashboard. Answers come from `reconciler.service`.

starlette and uvicorn are imported here and nowhere else: nothing but a daemon needs them.
"""
