"""A board on aiocoap without DTLS: prints the code of each answer, one a line.

Usage: aiocoap_board.py coap://HOST:PORT
"""

import asyncio
import sys

import aiocoap
from aiocoap import Code


async def main(hub: str) -> None:
    context = await aiocoap.Context.create_client_context()

    async def ask(code, path, payload=b"", **options):
        message = aiocoap.Message(code=code, uri=f"{hub}/{path}", payload=payload, **options)
        answer = await asyncio.wait_for(context.request(message).response, 20)
        print(path, code, answer.code.dotted, answer.payload.decode(errors="replace"), flush=True)

    await ask(Code.POST, "d", b"21.5 Cel")
    await ask(Code.PUT, "d", b"21.5 Cel")
    await ask(Code.POST, "d", b"x" * 5000)  # block-wise
    await ask(Code.GET, ".well-known/core")
    await ask(Code.POST, "nowhere", b"x")
    await ask(Code.DELETE, "d")
    await ask(Code.POST, "d", b"\xff\xff", content_format=112)  # no SenML
    await context.shutdown()


asyncio.run(main(sys.argv[1]))
