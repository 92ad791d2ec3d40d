package backend

const encryptHelp = `
A service sends data and stores the returned ciphertext itself. The engine stores neither. A context
names the purpose of the data, such as billing, and is not created first. Each context has its own
key: a ciphertext can be decrypted only under its own context and workspace. Plaintext and associated
data are base64.

    $ vault write -field=ciphertext stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64) > card
    $ vault write -field=plaintext stashbase/decrypt/acme/billing ciphertext=@card | base64 -d

    $ echo '{"batch_input": [{"plaintext": "b25l", "reference": "row 1"}]}' | vault write stashbase/encrypt/acme/billing -

associated_data binds a ciphertext to the record that it belongs to, for example to the id of its row.
Decryption requires the same associated data. Use it whenever somebody could replace one ciphertext
with another.

Every ciphertext that cannot be decrypted returns the same error:
"invalid: ciphertext: cannot be opened here". Possible causes are a changed byte, different associated
data, another context, and a destroyed key version. Vault accepts at most 1 MiB in one JSON string and
32 MiB in one request.
`

const rewrapHelp = `
After a rotation of the workspace's key, older ciphertexts can still be decrypted. A rewrap encrypts
the data of a ciphertext again under the latest key version. The plaintext does not leave the engine,
so the caller needs no permission to decrypt. The associated data must be the same as at encryption.

    $ vault write -field=ciphertext stashbase/encrypt/acme/billing plaintext=$(printf 4111111111111111 | base64) > card
    $ vault write -field=ciphertext stashbase/rewrap/acme/billing ciphertext=@card > moved

The engine does not store these ciphertexts and cannot count them. Rewrap all of them before you
destroy an old key version.
`

const hmacHelp = `
A digest shows whether data are equal without showing the data, for example to search an encrypted
column. Equal data have equal digests under the same key version. After a rotation, search for the
digests of both versions, or compute the stored digests again. verify uses the key version that the
digest names. It returns valid=false if the data, the context or the workspace differ, or if the key
version is destroyed.

    $ vault write -field=hmac stashbase/hmac/acme/billing input=$(printf 4111111111111111 | base64) > digest
    $ vault write stashbase/verify/acme/billing input=$(printf 4111111111111111 | base64) hmac=@digest
`

const batchHelp = `
batch_input is a list of up to 1,000 items. batch_results contains their results in the same order.
An item may have a reference, which can be any text. Its result then has the same reference.

If an item fails, its result is an error, and the other items are processed. The status is then 400,
and the response body contains all results. partial_failure_response_code sets another status, such as
200, for the case that some items succeeded. Vault's CLI does not show the body of a response with
status 400. An item of the wrong shape makes the whole request fail: an unknown field, a missing
field, or a value that is not a string.
`

const dataKeyHelp = `
A data key is 32 random bytes for a service that encrypts data itself. Use it for large files, or if
the service must not call Vault for each operation. The service stores the ciphertext of the key beside its data.
To use the key again, it decrypts that ciphertext with decrypt/<workspace>/<context>.

    $ vault write stashbase/datakey/acme/billing type=plaintext
    $ vault write stashbase/datakey/acme/billing type=wrapped

With type=wrapped, the response contains only the encrypted key. A service can then prepare keys that
it cannot use itself. type has no default, so a policy can decide by the allowed values who sees keys.

    path "stashbase/datakey/acme/billing" {
      capabilities       = ["update"]
      allowed_parameters = { "type" = ["wrapped"], "associated_data" = [] }
    }
`
