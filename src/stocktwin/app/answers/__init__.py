"""Answers: from columns to the plain JSON values that faces show, the same for CLI and REST."""
