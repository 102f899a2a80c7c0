"""A service registry with ephemeral keys: registry.py HOST:PORT,HOST:PORT serve NAME ADDRESS | watch [COUNT]

`serve` registers an instance until its standard input ends; an instance whose program died vanishes after four seconds.
`watch` prints the instances each time they change, until COUNT are there.
"""
import sys
import threading

import leasemap


def serve(m, name, address):
    registry = leasemap.Registry(m, "example", duration=4)
    registry.register(name, address)
    print(f"{name} is at {address}", flush=True)
    sys.stdin.read()
    registry.unregister(name)


def watch(m, count):
    registry, enough = leasemap.Registry(m, "example"), threading.Event()

    def show(instances):
        print(", ".join(f"{name} at {address}" for name, address in sorted(instances.items())) or "none", flush=True)
        if len(instances) == count:
            enough.set()
    registry.on_change(show)
    show(registry.instances())
    enough.wait()


if __name__ == "__main__":
    with leasemap.SyncMap(sys.argv[1], **leasemap.from_environment()) as map_:
        if sys.argv[2] == "serve":
            serve(map_, *sys.argv[3:5])
        else:
            watch(map_, int(sys.argv[3]) if len(sys.argv) > 3 else -1)
