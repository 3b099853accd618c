"""Goods: what is there, what is promised to whom."""
