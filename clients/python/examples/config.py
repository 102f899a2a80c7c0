"""Live configuration, in asyncio: config.py HOST:PORT,HOST:PORT [set NAME VALUE]

Without `set` it prints the configuration and each change, until the key config/stop is set. Reads are a look into a
dict, so ask for each setting where it is used, and never keep a copy.
"""
import asyncio
import sys

from leasemap import aio, from_environment

DEFAULTS = {"config/color": "blue", "config/workers": "4"}


def setting(m, name):
    return m.get(f"config/{name}", DEFAULTS.get(f"config/{name}"))


async def follow(m):
    changes = asyncio.Queue()
    m.on("update", changes.put)
    m.on("delete", changes.put)
    print(f"color {setting(m, 'color')}, workers {setting(m, 'workers')}", flush=True)
    while "config/stop" not in m:
        event = await changes.get()
        print(f"{event.key} is now {m.get(event.key)}; color {setting(m, 'color')}", flush=True)


async def main(endpoints, command):
    # No lease: anyone may change a setting at any time.
    async with aio.SyncMap(endpoints, prefix="config/", lease=0, **from_environment()) as m:
        if command[:1] == ["set"]:
            await m.set(f"config/{command[1]}", command[2], ack="majority")
        else:
            await follow(m)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
