"""Graphs of what builds on what, for people and for other programs; they read and never write."""
