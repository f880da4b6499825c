"""Problems, plans, states as text and JSON. Returns strings; printing is the command line's business."""
