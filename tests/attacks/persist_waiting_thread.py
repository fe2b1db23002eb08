# verdict: timed_out ; what: ends its main thread while another one waits for ever ; limits: cpu_seconds=1, wall_seconds=1
import threading

threading.Thread(target=threading.Event().wait).start()
