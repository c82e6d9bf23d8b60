"""A page for one person, on this machine alone: photographs in, the engines' results beside them, and masks painted."""
