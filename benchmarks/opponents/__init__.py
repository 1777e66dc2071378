"""Other ways to compute the gradient through the inner loop, for comparison."""
