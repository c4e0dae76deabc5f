"""Start the provider: writes its port on one line, serves until standard input ends."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from pathlib import Path

from tools.provider.server import serve


def main() -> None:
    """Serve on the loopback address."""
    parser = argparse.ArgumentParser(prog="python -m tools.provider", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="file of paid calls; appended")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()
    server = serve(options.journal, options.port)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Ends with whoever started it, also when that was killed.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
