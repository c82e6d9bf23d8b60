"""Many pictures, from files to files."""
