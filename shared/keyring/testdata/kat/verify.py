"""Verifies known-answer vectors of package keyring, independently of its code.

usage: verify.py FILE

Prints "ok NAME" or "FAIL NAME: reason" for each vector of the file, and exits with 1 if a vector
fails. Derives every key from the vector's master key, and checks every field against the others.
"""

import base64
import hmac
import json
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

COMMON = {"name", "master_key", "master_version", "domain", "scope", "context_key"}
WORKSPACE = {"ws_id", "workspace", "wrapped_workspace_key", "workspace_key", "workspace_key_version"}
SEALED = {"binding", "plaintext", "ciphertext", "text"}
DIGEST = {"message", "mac"}

# By domain: the byte in the envelope, and the number of fields after the scope in a binding.
SEALS = {
    "secret": (2, 2),
    "integration-credential": (3, 3),
    "sync-metadata": (4, 1),
    "application": (5, 1),
    "credential-lease": (6, 4),
    "rotation-journal": (7, 3),
    "webhook": (8, 2),
}
# By domain: the number of fields of the scope, and the indexes of the ids among them.
SCOPES = {
    "secret": (4, {0, 3}),
    "integration-credential": (4, {0, 3}),
    "credential-lease": (4, {0, 3}),
    "rotation-journal": (4, {0, 3}),
    "sync-metadata": (6, {0, 5}),
    "sync-fingerprint": (6, {0, 5}),
    "webhook": (3, {0, 2}),
    "application": (2, {0}),
    "application-hmac": (2, {0}),
    "access-token": (1, {0}),
    "activity": (1, {0}),
    "engine-activity": (1, {0}),
}
# By domain: the label of the HMAC input, and the number of its fields.
DIGESTS = {
    "access-token": ("access-token", 6),
    "sync-fingerprint": ("sync-fingerprint", 2),
    "activity": ("activity", 4),
    "application-hmac": ("application-hmac", 2),
    "engine-activity": ("activity", 4),
}


class Wrong(Exception):
    pass


def require(condition, reason):
    if not condition:
        raise Wrong(reason)


def encode(*fields):
    out = bytes([len(fields)])
    for field in fields:
        field = field.encode() if isinstance(field, str) else field
        out += len(field).to_bytes(2, "big") + field
    return out


def decode(data):
    """Splits an encoded list of fields, and returns what follows it."""
    fields, at = [], 1
    for _ in range(data[0]):
        size = int.from_bytes(data[at : at + 2], "big")
        field = data[at + 2 : at + 2 + size]
        require(len(field) == size, "truncated list of fields")
        fields.append(field)
        at += 2 + size
    return fields, data[at:]


def expand(key, info, size=32):
    return HKDFExpand(algorithm=hashes.SHA256(), length=size, info=info).derive(key)


def open_envelope(parent, domain, version, binding, envelope, what):
    require(len(envelope) >= 84, what + ": too short")
    require(envelope[:4] == bytes([1, 1, domain, 0]), what + ": format, suite, domain or flags")
    require(int.from_bytes(envelope[4:8], "big") == version, what + ": key version")
    info = encode("stash/v1", "message", envelope[:8], envelope[8:24], binding)
    okm = expand(parent, info, 64)
    require(hmac.compare_digest(okm[32:], envelope[24:56]), what + ": commitment")
    try:
        return AESGCM(okm[:32]).decrypt(envelope[56:68], envelope[68:], binding)
    except InvalidTag:
        raise Wrong(what + ": tag") from None


def verify(v):
    engine = v["domain"] == "engine-activity"
    sealed = v["domain"] in SEALS
    require(sealed or v["domain"] in DIGESTS, "domain")
    wanted = COMMON | (set() if engine else WORKSPACE) | (SEALED if sealed else DIGEST)
    require(set(v) == wanted, "fields of the vector")

    parent = bytes.fromhex(v["master_key"])
    require(len(parent) == 32, "size of master_key")
    require(v["master_version"] >= 1, "master_version")
    if not engine:
        owner = bytes.fromhex(v["ws_id"])
        binding = encode("workspace-key", owner, v["workspace"], v["workspace_key_version"].to_bytes(4, "big"))
        kek = expand(parent, encode("stash/v1", "kek", owner, v["workspace"]))
        wrapped = bytes.fromhex(v["wrapped_workspace_key"])
        parent = open_envelope(kek, 1, v["master_version"], binding, wrapped, "wrapped_workspace_key")
        require(parent.hex() == v["workspace_key"], "workspace_key")
        require(v["scope"][0] == "hex:" + v["ws_id"], "scope: workspace")

    scope = [bytes.fromhex(s[4:]) if s.startswith("hex:") else s.encode() for s in v["scope"]]
    count, ids = SCOPES[v["domain"]]
    require(len(scope) == count, "scope: fields")
    require(all(s.startswith("hex:") == (i in ids) for i, s in enumerate(v["scope"])), "scope: ids")
    require(all(len(scope[i]) == 16 for i in ids), "scope: size of an id")
    key = expand(parent, encode("stash/v1", v["domain"], *scope))
    require(key.hex() == v["context_key"], "context_key")

    if sealed:
        domain, located = SEALS[v["domain"]]
        binding = bytes.fromhex(v["binding"])
        fields, rest = decode(binding)
        require(rest == b"", "binding: trailing bytes")
        require(fields[: len(fields) - located] == [v["domain"].encode(), *scope], "binding: scope")
        ciphertext = bytes.fromhex(v["ciphertext"])
        version = v["workspace_key_version"]
        plaintext = open_envelope(key, domain, version, binding, ciphertext, "ciphertext")
        require(plaintext.hex() == v["plaintext"], "plaintext")
        text = base64.urlsafe_b64encode(ciphertext).rstrip(b"=").decode()
        require(v["text"] == f"stash:v{version}:{text}", "text")
        return

    message = bytes.fromhex(v["message"])
    label, count = DIGESTS[v["domain"]]
    fields, rest = decode(message)
    require(fields[0] == label.encode() and len(fields) == count, "message: fields")
    require(v["domain"] != "application-hmac" or fields[1] == scope[1], "message: scope")
    require(v["domain"] != "access-token" or len(fields[3]) == 16, "message: environment id")
    require(int.from_bytes(rest[:8], "big") == len(rest) - 8, "message: length of the data")
    require(hmac.digest(key, message, "sha256").hex() == v["mac"], "mac")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        vectors = json.load(f)
    failed = len(vectors) == 0
    for v in vectors:
        try:
            verify(v)
            print("ok", v["name"])
        except (Wrong, ValueError, IndexError, OverflowError) as e:
            failed = True
            print(f"FAIL {v['name']}: {e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
