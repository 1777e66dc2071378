"""Motifs as people write them: formulas and recipes."""
