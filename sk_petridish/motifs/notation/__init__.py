"""Motifs as people write them: formulas, genotypes, cells and recipes."""
