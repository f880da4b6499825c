"""What people start from, made of schemas alone: skeletons, tables of fields, the files of a new repository. Pure."""
