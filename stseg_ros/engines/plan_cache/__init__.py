"""Built plans kept on disk."""
