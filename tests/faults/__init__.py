"""Real services under load while everything fails: no step lost, none applied twice.

deployment.py     what is run and broken: service processes, Redis, the connections between
schedule.py       which faults, and when
writer.py         sessions and those who write to them, each in its own way
requests.py       what they ask for
client.py         how a client insists: the same request until it is answered
history.py        one session: every answer in its place, against the undisturbed run
fallen_*.py       likewise, where the store may come back with an older file
undisturbed.py    the same requests computed here, one after the other
fault_run.py      all of it together
figures.py        what is counted
"""
