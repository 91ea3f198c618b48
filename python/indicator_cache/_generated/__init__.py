"""Made by tools/generate.py. Do not edit: `make generate`."""
