"""A page for one person, on this machine alone: photographs in, the engines' results beside them, and masks painted."""

OPENED = 2**26  # pixels of a picture that is opened, unless more are allowed: of what is shown, several copies are kept
