"""The ancestor's calls: programs that used py2p's sync_socket go on with `from leasemap import compat as sync`."""
from leasemap.compat.sync_socket import HeldError, sync_socket

__all__ = ["HeldError", "sync_socket"]
