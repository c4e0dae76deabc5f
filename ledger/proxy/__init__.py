"""A loopback HTTP proxy in front of a provider: every call is recorded before its answer is seen.

For programs in any language: they are given the proxy's address in place of the provider's, and
their own keys pass through it. It follows specs/10 with the same core as the clients of a session
(`ledger.capture.transports`): an intent is durable before a request leaves, and an answer, or the
end event of a stream, is passed on when its outcome is durable. It fails closed: what cannot be
recorded is an error to the client, in the middle of a stream a broken connection.

| module | what |
|---|---|
| `target` | where a request may go: the host is never the client's choice |
| `headers` | which headers pass; `vif-replicate` and `vif-stage` |
| `refusals` | errors as HTTP answers |
| `fetch` | one request to the upstream, in a task that outlives its client |
| `waiting` | answers whose client went away |
| `app` | the application: from a client's request to its answer |
| `serve` | the server, in a thread |

It needs the libraries starlette, uvicorn, and httpx2 or httpx.
"""
