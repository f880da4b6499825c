"""The dashboard: pages made on the server, each from exactly the JSON that its twin answers with.

`routes` has the addresses, `templates` makes HTML, `chart` computes a picture, `responses` adds the headers that keep
other sites out. What the pages show comes from `reconciler.service.pages`.
"""
