#!/usr/bin/env python3
"""docker/base-image.sh: which mirrors the image's apt is told, by the host's own apt or by MIRROR. Makes no image."""
import os
import subprocess
import tempfile
import unittest

from basics import BOUND, ROOT, SCRATCH

# Suites of several makers, as the apt of a machine in use has them: of Debian, and others that are named alike.
SOURCES = """Types: deb
URIs: http://other.test/prod
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.test/debian/
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://other.test/tools
Suites: tools-bookworm
Components: main

Types: deb
URIs: http://second.test/debian
Suites: bookworm
Components: main
"""


class BaseImageTest(unittest.TestCase):
    def sources(self, text, **variables):
        """What the script says on a host whose apt has these sources."""
        folder = tempfile.mkdtemp(dir=SCRATCH)
        for name in ("sources.list.d", "lists", "apt.conf.d"):
            os.mkdir(f"{folder}/{name}")
        with open(f"{folder}/sources.list.d/host.sources", "w") as file:
            file.write(text)
        with open(f"{folder}/apt.conf", "w") as file:
            file.write(f'Dir::Etc::sourcelist "{folder}/none"; Dir::Etc::sourceparts "{folder}/sources.list.d";\n'
                       f'Dir::State::lists "{folder}/lists"; Dir::Etc::parts "{folder}/apt.conf.d";\n')
        environment = {**os.environ, "APT_CONFIG": f"{folder}/apt.conf", "MIRROR": "", **variables}
        return subprocess.run([ROOT / "docker/base-image.sh", "--sources"], capture_output=True, text=True,
                              timeout=BOUND, env=environment)

    def test_the_mirrors_are_the_hosts(self):
        said = self.sources(SOURCES)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertEqual(said.stdout.splitlines(), ["deb http://mirror.test/debian bookworm main",
                                                    "deb http://mirror.test/debian bookworm-updates main",
                                                    "deb http://mirror.test/security bookworm-security main"])

    def test_MIRROR_overrides_them(self):
        said = self.sources(SOURCES, MIRROR="http://given.test/debian")
        self.assertEqual(said.stdout.splitlines(), ["deb http://given.test/debian bookworm main",
                                                    "deb http://given.test/debian bookworm-updates main",
                                                    "deb http://given.test/debian-security bookworm-security main"])

    def test_a_host_of_another_distribution_is_told_what_to_do(self):
        said = self.sources(SOURCES.replace("bookworm", "noble"))
        self.assertEqual(said.returncode, 1)
        self.assertIn("MIRROR=URL", said.stderr)

    def test_no_security_updates_are_told(self):
        said = self.sources(SOURCES.split("\n\n")[1] + "\n")
        self.assertEqual(said.returncode, 0)
        self.assertIn("bookworm-security", said.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
