"""Training: a plan carried out by `model.fit`, phase by phase."""
