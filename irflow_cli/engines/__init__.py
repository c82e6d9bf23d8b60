"""A picture in, a picture out, and no files."""
