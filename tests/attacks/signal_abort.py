# verdict: runtime_error ; what: aborts, and would leave a core file
import os

os.abort()
