"""The dashboard: pages made on the server, each from exactly the JSON that its twin answers with.

`views` is what is asked of the daemon, `routes` the addresses, `rendering` and `words` make HTML of answers, `chart`
makes a picture, `refusals` dresses errors. Nothing here knows a store.
"""
