"""`bench load`: an open-loop load generator for streams through pointsman.

    arrivals, schedule     when which request is due: pure
    reading, tally, merge  what came of it, counted and added up: pure
    objectives, verdict    what was good enough, and whether the numbers may be used: pure
    worker, processes      the processes that send
    run, cli               all of it together

Open loop: requests are due when the schedule says, whether or not earlier ones were answered, and
every latency counts from there. A server that stalls is charged for all whom it kept waiting.
"""
