# verdict: runtime_error ; what: ends with a code that test runners use among themselves
import os

os._exit(97)
