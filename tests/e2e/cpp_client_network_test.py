#!/usr/bin/env python3
"""The C++ client in networks that fail: the tests of the Go client, with the C++ client's driver. Needs root and `ip
netns`; skipped, with a message, without."""
import sys
import unittest

import cpp_package
import go_client_network_test
import network_test


class PartitionTest(go_client_network_test.PartitionTest):
    DRIVER = cpp_package.Driver


if __name__ == "__main__":
    reason = network_test.why_not()
    if reason:
        print(f"cpp_client_network_test: skipped: {reason}")
        sys.exit(0)
    unittest.main(verbosity=2)
