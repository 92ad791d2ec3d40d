package backend

const encryptHelp = `
A service hands over data and stores the ciphertext itself: the engine keeps nothing. A context names what the data are for, such
as billing. It needs no creation, and each has a key of its own: what is encrypted under one opens under no other, nor in another
workspace. Plaintext and associated data are base64.

    $ vault write -field=ciphertext stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64) > card
    $ vault write -field=plaintext stashbase/decrypt/acme/billing ciphertext=@card | base64 -d

    $ echo '{"batch_input": [{"plaintext": "b25l", "reference": "row 1"}]}' | vault write stashbase/encrypt/acme/billing -

associated_data binds a ciphertext to where it belongs, such as the id of its row: it opens only together with the same data. Give
it whenever somebody could put one ciphertext in the place of another.

Everything that does not open is answered alike, "invalid: ciphertext: cannot be opened here": a changed byte, other associated
data, another context, a key version that is gone. Vault itself takes at most 1 MiB in one JSON string and 32 MiB in a request.
`

const rewrapHelp = `
After a rotation of the workspace's key, older ciphertexts go on opening. A rewrap seals one again under the latest version, and
the plaintext stays in the engine, so that who rewraps needs no right to decrypt. The associated data must be the same as ever.

    $ vault write -field=ciphertext stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64) > card
    $ vault write -field=ciphertext stashbase/rewrap/acme/billing ciphertext=@card > moved

The engine does not hold these ciphertexts and cannot count them: rewrap them all before an old key version is destroyed.
`

const hmacHelp = `
A digest tells whether data are the same without showing them, for instance to search an encrypted column. Equal data have equal
digests under the same key version: after a rotation, search for both, or make the stored digests anew. verify follows the version
that the digest names. It answers valid=false for a digest of other data, another context or workspace, or a key version that is
gone.

    $ vault write -field=hmac stashbase/hmac/acme/billing input=$(printf 4111111111111111 | base64) > digest
    $ vault write stashbase/verify/acme/billing input=$(printf 4111111111111111 | base64) hmac=@digest
`

const batchHelp = `
Up to 1,000 items go into one request, as a list in batch_input. batch_results has their results in the same order; a reference,
any text, comes back with its item.

An item that fails has an error in place of its result, and the others are done all the same. The status is then 400, with all
results in the body; partial_failure_response_code asks for another one, such as 200, when not all have failed. Vault's CLI shows
no body of a 400. An item of the wrong shape (an unknown field, a missing one, a value that is no string) refuses the request.
`

const dataKeyHelp = `
A data key is 32 random bytes for a service that encrypts by itself: large files, or without asking Vault each time. It stores the
ciphertext beside its data and has it decrypted (decrypt/<workspace>/<context>) when it needs the key again.

    $ vault write stashbase/datakey/acme/billing type=plaintext
    $ vault write stashbase/datakey/acme/billing type=wrapped

With type=wrapped nobody sees the key until somebody decrypts it, so a service may prepare keys that it cannot use. type has no
default: a policy decides who sees keys, by the values it allows.

    path "stashbase/datakey/acme/billing" {
      capabilities       = ["update"]
      allowed_parameters = { "type" = ["wrapped"], "associated_data" = [] }
    }
`
