"""How the bytes of a kept frame become durable, and where they are found again after a restart."""

from dataclasses import replace
from pathlib import Path

from framegate.config.settings import Settings
from framegate.examining import sha256_of
from framegate.ingest.reading import read_frame
from framegate.keep.delivery import Deliverer
from framegate.keep.run_ledger import JudgingLedger
from framegate.model import EncodedFrame, Entry, Reason


class Keeping:
    """Delivers the frames that are kept, in an order from which a crash at any point can be recovered.

    Args:
        settings: the snapshot.
        deliverer: where kept frames go.
        ledger: remembers what is to be delivered, and what was.
    """

    def __init__(self, settings: Settings, deliverer: Deliverer, ledger: JudgingLedger) -> None:
        self._drop = Path(settings.drop.folder)
        self._deliverer = deliverer
        self._ledger = ledger
        self.retune(settings)

    def retune(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._most_bytes = settings.drop.max_size

    def deliver(self, entry: Entry, encoded: EncodedFrame) -> Entry:
        """Deliver a frame that is intended in the ledger, and record that at the next commit.

        Returns:
            The entry with its result.

        Raises:
            SinkError: a result cannot be written now.
        """
        delivery = self._deliverer.deliver(encoded, entry.captured_at_ns)
        self._ledger.finish(entry.key, delivery.name)
        return replace(entry, result=delivery.name)

    def recover(self, entry: Entry) -> Entry:
        """Deliver a frame that was intended before a crash.

        Returns:
            The entry with its result; as rejected, if its bytes are gone.

        Raises:
            SinkError: a result cannot be written now.
        """
        data = self.bytes_of(entry)
        if data is None:
            detail = "gone before it could be delivered"
            self._ledger.abandon(entry.key, Reason.VANISHED, detail)
            return replace(entry, reason=Reason.VANISHED, detail=detail)
        return self.deliver(entry, EncodedFrame(entry.key.name, data, entry.key.mtime_ns))

    def bytes_of(self, entry: Entry) -> bytes | None:
        """Return the bytes of a kept frame, from the results or the drop folder; None if they are gone."""
        name, size_bytes = entry.result or entry.key.name, entry.key.size_bytes
        for data in self._deliverer.standing(name, entry.captured_at_ns, size_bytes):
            beginning = data[:size_bytes]  # a crash may have come after later bytes were appended
            if sha256_of(beginning) == entry.sha256:
                return beginning
        read = read_frame(self._drop, entry.key, self._most_bytes)
        return read.data if isinstance(read, EncodedFrame) and sha256_of(read.data) == entry.sha256 else None
