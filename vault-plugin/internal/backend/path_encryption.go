package backend

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/encryption"
	"github.com/stashbase/vault-stashbase/vault-plugin/internal/fault"
)

const (
	fieldPlaintext      = "plaintext"
	fieldCiphertext     = "ciphertext"
	fieldAssociatedData = "associated_data"
	fieldInput          = "input"
	fieldHMAC           = "hmac"
	fieldValid          = "valid"
	fieldKeyVersion     = "key_version"
	fieldType           = "type"
	fieldBatchInput     = "batch_input"
	fieldBatchResults   = "batch_results"
	fieldReference      = "reference"
	fieldPartialFailure = "partial_failure_response_code"
)

// encryptionOperation is an operation on one item or on a batch of them.
type encryptionOperation struct {
	path, verb, suffix string // the first segment, and what the OpenAPI id is made of
	synopsis, help     string
	takes              itemFields
	answers            []string
	run                func(*encryption.Service, context.Context, encryption.Scope, []encryption.Item) ([]encryption.Result, error)
	describe           func(encryption.Result) map[string]any
}

func encryptionOperations() []encryptionOperation {
	return []encryptionOperation{
		{
			path: "encrypt", verb: "encrypt", suffix: "application-data",
			synopsis: "Encrypt data of a service under a context.", help: encryptHelp,
			takes: itemFields{fieldPlaintext, fieldAssociatedData}, answers: []string{fieldCiphertext, fieldKeyVersion},
			run: (*encryption.Service).Encrypt, describe: describeCiphertext,
		},
		{
			path: "decrypt", verb: "decrypt", suffix: "application-data",
			synopsis: "Decrypt what was encrypted under the same context.", help: encryptHelp,
			takes: itemFields{fieldCiphertext, fieldAssociatedData}, answers: []string{fieldPlaintext},
			run: (*encryption.Service).Decrypt, describe: describePlaintext,
		},
		{
			path: "rewrap", verb: "rewrap", suffix: "application-data",
			synopsis: "Move a ciphertext to the latest key version, without showing the plaintext.", help: rewrapHelp,
			takes: itemFields{fieldCiphertext, fieldAssociatedData}, answers: []string{fieldCiphertext, fieldKeyVersion},
			run: (*encryption.Service).Rewrap, describe: describeCiphertext,
		},
		{
			path: "hmac", verb: "generate", suffix: "application-hmac",
			synopsis: "Make a keyed digest of data under a context.", help: hmacHelp,
			takes: itemFields{fieldInput}, answers: []string{fieldHMAC},
			run: (*encryption.Service).HMAC, describe: describeDigest,
		},
		{
			path: "verify", verb: "verify", suffix: "application-hmac",
			synopsis: "Verify a keyed digest that was made under the same context.", help: hmacHelp,
			takes: itemFields{fieldInput, fieldHMAC}, answers: []string{fieldValid},
			run: (*encryption.Service).Verify, describe: describeVerification,
		},
	}
}

func (b *Backend) encryptionPaths() []*framework.Path {
	var all []*framework.Path
	for _, op := range encryptionOperations() {
		all = append(all, b.encryptionPath(op))
	}
	return append(all, b.dataKeyPath())
}

// encryptionFields declares what all operations may take or answer.
func encryptionFields() fields {
	sensitive := &framework.DisplayAttributes{Sensitive: true}
	return fields{
		fieldPlaintext:      {Type: framework.TypeString, Description: "The plaintext in base64. The empty string is a value.", DisplayAttrs: sensitive},
		fieldCiphertext:     stringField("The ciphertext, as encrypt answers it: stash:v<key version>:<base64url>."),
		fieldAssociatedData: stringField("Data in base64, at most 32 KiB of them, that are not encrypted but must be the same whenever the ciphertext is opened. Left out: the empty string."),
		fieldInput:          {Type: framework.TypeString, Description: "The data in base64. The empty string is a value.", DisplayAttrs: sensitive},
		fieldHMAC:           stringField("The digest, as hmac answers it: stash-mac:v<key version>:<base64url>."),
		fieldValid:          boolField("Whether the digest is that of the input."),
		fieldKeyVersion:     intField("The version of the workspace's key that the ciphertext is sealed under."),
	}
}

func (b *Backend) encryptionPath(op encryptionOperation) *framework.Path {
	declared := encryptionFields()
	takes := fields{
		fieldBatchInput: {Type: framework.TypeSlice, Description: fmt.Sprintf("In place of the other fields: a list of at most %d objects. "+
			"Each takes %s; the reference comes back with the item's result.", maxBatch, op.takes.inBatch())},
		fieldPartialFailure: intField("With " + fieldBatchInput + ": the status to answer when some items failed and others did not. Left out: 400. When all failed it is 400 in any case."),
	}
	for _, field := range op.takes {
		takes[field] = declared[field]
	}
	answers := fields{fieldBatchResults: {Type: framework.TypeSlice, Description: "With " + fieldBatchInput + ": an object for each item, in their order, that holds its reference, and either the fields of a single answer or its error."}}
	for _, field := range op.answers {
		answers[field] = declared[field]
	}
	responses := response("What became of the item or items.", answers, slices.Collect(maps.Keys(answers))...)
	// Without fields: the framework would give their schema the name of the other one's, and keep one of the two.
	responses[http.StatusBadRequest] = []framework.Response{{Description: "The request was refused, or items of a batch failed: then the body is that of status 200."}}
	return &framework.Path{
		Pattern:         op.path + inContext,
		DisplayAttrs:    display(),
		Fields:          contextFields(takes),
		HelpSynopsis:    op.synopsis,
		HelpDescription: op.help + batchHelp,
		Operations: operations{
			logical.UpdateOperation: operation(b.handle(op.handle), op.synopsis, op.verb, op.suffix, responses),
		},
	}
}

// contextFields declares the segments of a path within a context, and what else it takes.
func contextFields(more fields) fields {
	all := pathFields(1, more)
	all[fieldContext] = &framework.FieldSchema{Type: framework.TypeString, Description: "Name of the context: what the data are for. It needs no creation.", Required: true}
	return all
}

func (op encryptionOperation) handle(ctx context.Context, c *call) (*logical.Response, error) {
	b, err := readBatch(c, op.takes)
	if err != nil {
		return nil, err
	}
	defer b.wipe()
	err = b.run(func(items []encryption.Item) ([]encryption.Result, error) {
		return op.run(c.Encryption, ctx, c.encryptionScope(), items)
	})
	if err != nil {
		return nil, err
	}
	return b.answer(c, op.describe)
}

func (c *call) encryptionScope() encryption.Scope {
	return encryption.Scope{Request: c.request(), Workspace: c.path.Workspace, Context: c.context}
}

func describeCiphertext(r encryption.Result) map[string]any {
	return map[string]any{fieldCiphertext: r.Text, fieldKeyVersion: int64(r.KeyVersion)}
}

func describePlaintext(r encryption.Result) map[string]any {
	return map[string]any{fieldPlaintext: base64.StdEncoding.EncodeToString(r.Plaintext)}
}

func describeDigest(r encryption.Result) map[string]any { return map[string]any{fieldHMAC: r.Text} }

func describeVerification(r encryption.Result) map[string]any {
	return map[string]any{fieldValid: r.Valid}
}

// The types of a data key: whether its plaintext is answered.
const (
	dataKeyPlaintext = "plaintext"
	dataKeyWrapped   = "wrapped"
)

func (b *Backend) dataKeyPath() *framework.Path {
	declared := encryptionFields()
	synopsis := "Mint a data key, for a service to encrypt with by itself."
	plaintext := *declared[fieldPlaintext]
	plaintext.Description = "The key in base64; only with type=plaintext."
	return &framework.Path{
		Pattern:      "datakey" + inContext,
		DisplayAttrs: display(),
		Fields: contextFields(fields{
			fieldType: {
				Type: framework.TypeString, Required: true, AllowedValues: []any{dataKeyPlaintext, dataKeyWrapped},
				Description: "plaintext: answer the key in the clear and encrypted. wrapped: encrypted only.",
			},
			fieldAssociatedData: declared[fieldAssociatedData],
		}),
		HelpSynopsis:    synopsis,
		HelpDescription: dataKeyHelp,
		Operations: operations{
			logical.UpdateOperation: operation(b.handle(mintDataKey), synopsis, "generate", "data-key", response("The data key.", fields{
				fieldCiphertext: declared[fieldCiphertext],
				fieldKeyVersion: declared[fieldKeyVersion],
				fieldPlaintext:  &plaintext,
			}, fieldPlaintext)),
		},
	}
}

// mintDataKey takes the type as it is written, with no default, so that a policy that allows one value allows nothing else.
func mintDataKey(ctx context.Context, c *call) (*logical.Response, error) {
	as := c.text(fieldType)
	if as != dataKeyPlaintext && as != dataKeyWrapped {
		return nil, fault.New(fault.Invalid, "%s: is required; it must be %s or %s", fieldType, dataKeyPlaintext, dataKeyWrapped)
	}
	var item batchItem
	associated := item.decode(fieldAssociatedData, c.text(fieldAssociatedData))
	if item.result.Refused != nil {
		return nil, item.result.Refused
	}
	key, err := c.Encryption.DataKey(ctx, c.encryptionScope(), associated, as == dataKeyPlaintext)
	if err != nil {
		return nil, err
	}
	data := describeCiphertext(key)
	if as == dataKeyPlaintext {
		maps.Copy(data, describePlaintext(key))
		clear(key.Plaintext)
	}
	return answer(data)
}
