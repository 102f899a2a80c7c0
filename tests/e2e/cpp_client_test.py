#!/usr/bin/env python3
"""The C++ client against real nodes: calls, watches, the near cache, leases and the registry, and what they do while nodes
are killed, drained or stand still. The tests are those of the Go client, with the C++ client's driver."""
import unittest

import cpp_package
import go_client_test


class CallsTest(go_client_test.CallsTest):
    DRIVER = cpp_package.Driver


class FaultsTest(go_client_test.FaultsTest):
    DRIVER = cpp_package.Driver


if __name__ == "__main__":
    unittest.main(verbosity=2)
