"""Training of networks, from folders of photographs to a checkpoint."""
