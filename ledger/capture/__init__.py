"""How operations come to be recorded: readers of provider bodies, importers of other logs."""
