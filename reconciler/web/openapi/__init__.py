"""What the HTTP side says about itself: one table of addresses, and the document and page made from it."""
