"""`cloudctl serve` and `cloudctl worker`: the processes that stay."""

import argparse
import os
import sys

from cloudctl.cli.commands import Args, Verb
from cloudctl.cli.exits import Complaint
from cloudctl.config import home_directory


class Serve(Verb):
    """Serve the portal and the API, with a worker inside, until stopped.

    Listens on loopback and on a socket in CLOUDCTL_HOME; logs go to CLOUDCTL_HOME/log.
    """

    def options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--listen",
            metavar="HOST:PORT",
            help="where to listen (default: listen_host and listen_port of cloudctl.yaml); "
            "beyond loopback only where cloudctl.yaml says so",
        )
        parser.add_argument(
            "--no-worker", action="store_true", help="only serve; `cloudctl worker` does the work"
        )

    def take_action(self, parsed_args: Args) -> None:
        from cloudctl import logs, serving
        from cloudctl.config import load

        os.umask(0o077)
        home = home_directory()
        settings = load(home)
        if pid := serving.is_running(home):
            raise Complaint("conflict", f"this home is served already, by process {pid}")
        at = serving.claim_port(serving.place(settings, parsed_args.listen))
        logs.configure(settings.log_level, home / "log" / "master.log")
        sys.stdout.write(f"cloudctl serves at {at.url} and {settings.socket}\n")
        sys.stdout.flush()
        serving.serve(home, at, not parsed_args.no_worker)


class Work(Verb):
    """Work on operations until stopped; any number of these on any number of hosts.

    They meet in the database of cloudctl.yaml; a broker there wakes them without delay.
    """

    def take_action(self, parsed_args: Args) -> None:
        from cloudctl import logs, worker
        from cloudctl.config import load

        os.umask(0o077)
        home = home_directory()
        logs.configure(load(home).log_level, home / "log" / "worker.log")
        self.say("cloudctl works")
        worker.run(home)
