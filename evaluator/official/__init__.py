"""The official harnesses' own rules, quirks included, run in the sandbox; one module a harness.

The expected values share a process with the solution here, because the harnesses do it: what cheats
them cheats these too. The strict rules are for scores; these are for parity.
"""
