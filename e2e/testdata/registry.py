"""Reads the registry as a tool of somebody else's would: kazoo, ZooKeeper's client for Python.

    registry.py SERVERS list PATH          a JSON object: what is below the path
    registry.py SERVERS gone PATH          waits until the node is gone
"""

import json
import sys
import threading

from kazoo.client import KazooClient


def tree(client, path):
    value, stat = client.get(path)
    found = {
        path: {
            "value": (value or b"").decode(errors="replace"),
            "ephemeral": stat.ephemeralOwner != 0,
            "version": stat.version,
        }
    }
    for name in client.get_children(path):
        found.update(tree(client, path.rstrip("/") + "/" + name))
    return found


def main(servers, command, path):
    client = KazooClient(hosts=servers)
    client.start(timeout=20)
    if command == "list":
        json.dump(tree(client, path), sys.stdout)
    elif command == "gone":
        gone = threading.Event()
        if client.exists(path, watch=lambda event: gone.set() if event.type == "DELETED" else None) is None:
            gone.set()
        while not gone.wait(0.2):  # a change of the value takes the watch away
            if client.exists(path) is None:
                break
        print("gone")
    client.stop()
    client.close()


main(*sys.argv[1:])
