"""Dish settings that were published or measured, family by family."""
