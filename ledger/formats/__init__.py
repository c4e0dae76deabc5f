"""How records are written: bytes in, checked values out, and back; nothing here does I/O."""
