"""What aqdata takes on this machine, against what plain HTTP and plain files take: `python -m benchmarks`.

How it measures. aqdata's server and a bare one (`bare.py`) run in processes of their own; the client is this process.
In a row's loop the work and its baselines take turns (A B C A B C …), so that drift hits all alike, after warm-ups that
don't count. Times are wall-clock medians with their quartiles, ratios are medians over medians. The garbage collector
stays on, as it is for users, but is run and frozen before each row, so that what earlier rows left costs nothing.
Preparing an input and cleaning up after it are not timed.

The baselines, each measured with the row that it belongs to:

- R  a GET of 8 kB from the bare server (uvicorn with httptools and uvloop, a raw ASGI app) by urllib3;
- H  the row's array through these two: up, sent as memoryviews of 1 MiB into a server that reads the stream into a
     buffer that it has already and answers after all came; down, sent so and read into a new numpy array, as a load is;
- W  the same bytes written to a new file in pieces of 1 MiB, then one fsync, on the disk of the server's data;
- F  32 kB written to a new file, then fsync, on that disk.
"""
