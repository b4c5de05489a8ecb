"""Many problems under many settings, one table of results."""
