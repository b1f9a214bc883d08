"""What is asked of Pub/Sub for each topic."""

from shared.adapters.google.names import Names
from shared.adapters.google.provision import Delivering, subscription
from shared.domain.messages import Topic

NAMES = Names("project", "mill")


def test_a_push_has_the_longest_lease_since_nobody_can_extend_it() -> None:
    asked = subscription(Topic.DOCUMENTS, NAMES, Delivering(push={Topic.DOCUMENTS: "https://prepare.example"}))

    assert asked.ack_deadline_seconds == 600


def test_what_is_pulled_has_the_lease_that_the_bus_extends() -> None:
    asked = subscription(Topic.PAGES_BULK, NAMES, Delivering(push={Topic.DOCUMENTS: "https://prepare.example"}))

    assert asked.ack_deadline_seconds == 60
