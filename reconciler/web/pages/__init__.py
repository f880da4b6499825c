"""The dashboard: pages made on the server, each from exactly what its address with `.json` answers.

`routes` has the addresses, `templates` makes HTML, `chart` computes a picture, `responses` adds the headers that keep
other sites out. What the pages show comes from `reconciler.service.pages`.
"""
