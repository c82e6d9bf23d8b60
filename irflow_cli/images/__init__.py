"""Pictures: the value, and how files hold it."""
