"""How fast this package is, beside others and beside what the machine allows.

``make bench`` measures, writes a record to ``benchmarks/history`` and fills in
``docs/performance.md``; ``make bench-compare`` measures again and tells what became slower.
"""
