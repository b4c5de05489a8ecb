"""HARP: rates of every layer and scores of every weight learned together under attack."""
