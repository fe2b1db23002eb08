# verdict: runtime_error | out_of_memory | timed_out ; what: makes the parser go a million levels deep
import ast

ast.parse("-" * 1_000_000 + "1")
raise SystemExit(1)
