"""The C++ client's driver and examples, as the build made them."""
import go_package
from basics import BUILD

EXAMPLES = BUILD / "clients/cpp/examples"


class Driver(go_package.Driver):
    """Takes the same commands as the Go client's."""
    PROGRAM = BUILD / "tests/e2e/cpp_client/cpp_client_driver"
