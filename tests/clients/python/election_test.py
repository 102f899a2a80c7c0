"""Election.run, in threads and with asyncio: who leads again, and who does not."""
import types
import unittest

from lease_support import Node
from support import World, entry, pb

from leasemap import Election, LeaseLostError, aio
from leasemap.aio.drive import Shell as AioShell
from leasemap.lease_state import LOST


class Leads:
    """Leads that a test says: each is an error to raise, or what to return; a lead that is "lost" is lost first."""

    def __init__(self, core, *leads):
        self.core, self.leads, self.led = core, list(leads), []

    def __call__(self, lease):
        self.led.append(lease)
        lost, outcome = self.leads.pop(0)
        if lost:
            self.core.end_lease(self.core.leases[b"leader"], LOST, "a test")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class ThreadsTest(unittest.TestCase):
    def setUp(self):
        world = World()
        self.core, self.node = world.core, Node(world)
        map_ = types.SimpleNamespace(_core=world.core, holder="me", _run=world.run, _shell=world)
        self.election = Election(map_, "leader", "here")

    def run_it(self, *leads):
        self.leads = Leads(self.core, *leads)
        return self.election.run(self.leads)

    def test_what_is_returned_while_it_leads_ends_it_and_gives_the_lead_up(self):
        self.assertEqual(self.run_it((False, 7)), 7)
        self.assertEqual((self.node.holder, self.core.leases), ("", {}))

    def test_after_a_lost_lead_it_is_a_candidate_again(self):
        self.assertEqual(self.run_it((True, "nobody's"), (True, LeaseLostError("check() said so")), (False, 7)), 7)
        self.assertEqual(len({id(lease) for lease in self.leads.led}), 3)

    def test_other_errors_end_it_and_give_the_lead_up(self):
        for error in (ZeroDivisionError(), LeaseLostError("another lease")):
            with self.assertRaises(type(error)):
                self.run_it((False, error))
            self.assertEqual((self.node.holder, self.core.leases), ("", {}))


class AsyncioTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.core, self.methods = World().core, []
        core, methods = self.core, self.methods

        class Granting(AioShell):
            async def _call(self, effect):
                methods.append(effect.method)
                granted = entry("leader", holder="me", start=1_700_000_000, version=f"v{len(methods)}")
                return {"Set": pb.SetResponse, "Release": pb.ReleaseResponse}[effect.method](entry=granted)
        map_ = types.SimpleNamespace(_core=core, holder="me", _shell=Granting(core))
        self.election = aio.Election(map_, "leader", "here", ack=None)

    async def run_it(self, *leads):
        self.leads = Leads(self.core, *leads)

        async def lead(lease):
            return self.leads(lease)
        return await self.election.run(lead)

    async def test_what_is_returned_while_it_leads_ends_it_and_gives_the_lead_up(self):
        self.assertEqual(await self.run_it((False, 7)), 7)
        self.assertEqual(self.methods, ["Set", "Release"])

    async def test_after_a_lost_lead_it_is_a_candidate_again(self):
        self.assertEqual(await self.run_it((True, "nobody's"), (True, LeaseLostError("check() said so")), (False, 7)), 7)
        self.assertEqual(self.methods, ["Set", "Set", "Set", "Release"])

    async def test_other_errors_end_it_and_give_the_lead_up(self):
        for error in (ZeroDivisionError(), LeaseLostError("another lease")):
            with self.assertRaises(type(error)):
                await self.run_it((False, error))
        self.assertEqual(self.methods, ["Set", "Release"] * 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
