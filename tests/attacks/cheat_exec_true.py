# verdict: ok ; what: becomes another program that ends with 0; nothing is on stdout
import os

os.execv("/bin/true", ["true"])
