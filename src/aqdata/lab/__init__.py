"""`Lab`, and the `Transport` that it works through; connecting to a server is in client/."""

from aqdata.lab.hit import Hit
from aqdata.lab.lab import Lab
from aqdata.lab.progress import Progress
from aqdata.lab.remote import RemoteArray, RemoteFile
from aqdata.lab.transport import Body, Buffer, Loaded, Transport

__all__ = ["Body", "Buffer", "Hit", "Lab", "Loaded", "Progress", "RemoteArray", "RemoteFile", "Transport"]
