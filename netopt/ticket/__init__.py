"""Structured strong lottery tickets: a target network found inside a random one by cutting whole filters."""
