"""Whether a host name means this machine, in any of the ways it can be written."""

import ipaddress
import socket


def is_this_machine(host: str) -> bool:
    """True for localhost, loopback and unspecified addresses, also short and mapped ones. Asks no name server."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))
        except OSError:
            return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_loopback or address.is_unspecified
