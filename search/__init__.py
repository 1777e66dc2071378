"""Architecture search with a surrogate, and the ground truths that it saves."""
