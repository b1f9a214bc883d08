"""`python -m local.provision [TOPIC=URL…] [events=NAME]`: makes on the emulators what Terraform makes in production."""

import os
import sys

from local.project import buckets
from shared.adapters.google.clients import open_clients
from shared.adapters.google.names import Names
from shared.adapters.google.provision import Delivering, provision_buckets, provision_bus
from shared.adapters.google.relay import set_up_relay
from shared.config import read_settings
from shared.domain.messages import Topic


def main() -> None:
    where = dict(argument.split("=", 1) for argument in sys.argv[1:])
    events = where.pop("events", None)
    settings = read_settings(os.environ)
    clients = open_clients(project=settings.project, database=settings.database)
    push = {Topic(name): url for name, url in where.items()}
    provision_bus(clients.pubsub, Names(settings.project, settings.names), Delivering(push=push))
    provision_buckets(clients.storage, [name for name in buckets(settings).values() if name is not None])
    if events is not None:
        set_up_relay(clients.pubsub, project=settings.project, name=events)
    clients.close()


if __name__ == "__main__":
    main()
