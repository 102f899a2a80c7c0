#!/usr/bin/env python3
"""The C++ client's examples over TLS with real nodes, as go_client_access_test has those of the Go client."""
import unittest

import cpp_package
import go_client_access_test


class AccessTest(go_client_access_test.AccessTest):
    BINARIES = cpp_package.EXAMPLES


if __name__ == "__main__":
    unittest.main(verbosity=2)
