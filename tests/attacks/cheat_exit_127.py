# verdict: runtime_error ; what: ends with the code of a command that was not found
import os

os._exit(127)
