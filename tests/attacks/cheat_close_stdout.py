# verdict: runtime_error ; what: closes stdout under what is still to be written
import os

print("lost")
os.close(1)
