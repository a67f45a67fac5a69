"""imgtool in one process: one request a line in JSON, one answer a line.

Signs with keys made at the start, builds images of everything that a request says, and verifies images.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from imgtool import image, version
from imgtool.keys import ecdsa

KEYS = [ecdsa.ECDSA256P1.generate() for _ in range(3)]


def public(key):
    return key.get_public_bytes()


def sign(request, folder):
    """An image of a body, as `imgtool sign` makes it."""
    path = os.path.join(folder, "body.bin")
    with open(path, "wb") as body:
        body.write(bytes.fromhex(request["body"]))
    made = image.Image(
        version=version.decode_version(request["version"]),
        header_size=request["header_size"],
        pad_header=True,
        align=4,
        slot_size=request.get("slot_size", 0),
        pad=request.get("pad", False),
        confirm=request.get("confirm", False),
        rom_fixed=request["address"],
        security_counter=request["security_counter"],
    )
    made.load(path)
    dependencies = None
    if request["dependencies"]:
        images, versions = zip(*request["dependencies"])
        dependencies = {
            image.DEP_IMAGES_KEY: list(images),
            image.DEP_VERSIONS_KEY: [version.decode_version(one) for one in versions],
        }
    # imgtool takes one value of a kind.
    custom = {0xA0: bytes.fromhex(key) for key in request["revoked_keys"]} or None
    key = None if request["key"] is None else KEYS[request["key"]]
    made.create(key, "hash", None, dependencies, None, custom)
    path = os.path.join(folder, "signed.bin")
    made.save(path)
    with open(path, "rb") as signed:
        return {"image": signed.read().hex()}


def verify(request, folder):
    """What `imgtool verify` says of an image."""
    path = os.path.join(folder, "image.bin")
    with open(path, "wb") as file:
        file.write(bytes.fromhex(request["image"]))
    try:
        result, of, digest, _ = image.Image.verify(path, KEYS[request["key"]])
    except (Exception, SystemExit) as refused:  # It stumbles over what it does not expect.
        return {"result": type(refused).__name__}
    if result != image.VerifyResult.OK:
        return {"result": result.name}
    return {"result": "OK", "version": list(of), "digest": digest.hex()}


def answer(request, folder):
    if request["ask"] == "keys":
        keys = [{"spki": public(key).hex(), "id": hashlib.sha256(public(key)).hexdigest()} for key in KEYS]
        return {"keys": keys}
    if request["ask"] == "sign":
        return sign(request, folder)
    if request["ask"] == "sign-digest":
        digest = bytes.fromhex(request["digest"])
        signature = KEYS[request["key"]].key.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
        return {"signature": signature.hex()}
    return verify(request, folder)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            # imgtool prints as it goes.
            with contextlib.redirect_stdout(sys.stderr):
                said = answer(json.loads(line), folder)
            print(json.dumps(said), flush=True)


main()
