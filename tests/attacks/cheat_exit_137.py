# verdict: runtime_error ; what: ends with the code that a shell gives to what was killed
import os

os._exit(137)
