"""Use cases, one a file: a frozen request in, a frozen result out. Nothing here prints."""
