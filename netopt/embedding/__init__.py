"""Networks inside models that belong to the user."""
