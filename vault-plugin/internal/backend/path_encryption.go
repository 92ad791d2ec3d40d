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

// encryptionOperation is an operation on one item or on a batch of items.
type encryptionOperation struct {
	path, verb, suffix string // the first segment of the path; the parts of the OpenAPI id
	synopsis, help     string
	takes              itemFields
	returns            []string
	run                func(*encryption.Service, context.Context, encryption.Scope, []encryption.Item) ([]encryption.Result, error)
	describe           func(encryption.Result) map[string]any
}

func encryptionOperations() []encryptionOperation {
	return []encryptionOperation{
		{
			path: "encrypt", verb: "encrypt", suffix: "application-data",
			synopsis: "Encrypt a service's data under a context.", help: encryptHelp,
			takes: itemFields{fieldPlaintext, fieldAssociatedData}, returns: []string{fieldCiphertext, fieldKeyVersion},
			run: (*encryption.Service).Encrypt, describe: describeCiphertext,
		},
		{
			path: "decrypt", verb: "decrypt", suffix: "application-data",
			synopsis: "Decrypt data that was encrypted under the same context.", help: encryptHelp,
			takes: itemFields{fieldCiphertext, fieldAssociatedData}, returns: []string{fieldPlaintext},
			run: (*encryption.Service).Decrypt, describe: describePlaintext,
		},
		{
			path: "rewrap", verb: "rewrap", suffix: "application-data",
			synopsis: "Encrypt a ciphertext's data again under the latest key version, without returning the plaintext.", help: rewrapHelp,
			takes: itemFields{fieldCiphertext, fieldAssociatedData}, returns: []string{fieldCiphertext, fieldKeyVersion},
			run: (*encryption.Service).Rewrap, describe: describeCiphertext,
		},
		{
			path: "hmac", verb: "generate", suffix: "application-hmac",
			synopsis: "Compute a keyed digest of data under a context.", help: hmacHelp,
			takes: itemFields{fieldInput}, returns: []string{fieldHMAC},
			run: (*encryption.Service).HMAC, describe: describeDigest,
		},
		{
			path: "verify", verb: "verify", suffix: "application-hmac",
			synopsis: "Verify a keyed digest that was computed under the same context.", help: hmacHelp,
			takes: itemFields{fieldInput, fieldHMAC}, returns: []string{fieldValid},
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

// encryptionFields declares the fields that the operations take and return.
func encryptionFields() fields {
	sensitive := &framework.DisplayAttributes{Sensitive: true}
	return fields{
		fieldPlaintext:      {Type: framework.TypeString, Description: "Plaintext in base64. May be the empty string.", DisplayAttrs: sensitive},
		fieldCiphertext:     stringField("Ciphertext in the form that encrypt returns: stash:v<key version>:<base64url>."),
		fieldAssociatedData: stringField("Data in base64, at most 32 KiB. They are not encrypted, and decryption requires the same data. If absent, the empty string is used."),
		fieldInput:          {Type: framework.TypeString, Description: "Data in base64. May be the empty string.", DisplayAttrs: sensitive},
		fieldHMAC:           stringField("Digest in the form that hmac returns: stash-mac:v<key version>:<base64url>."),
		fieldValid:          boolField("Whether the digest matches the input."),
		fieldKeyVersion:     intField("Version of the workspace's key under which the ciphertext is encrypted."),
	}
}

func (b *Backend) encryptionPath(op encryptionOperation) *framework.Path {
	declared := encryptionFields()
	takes := fields{
		fieldBatchInput: {Type: framework.TypeSlice, Description: fmt.Sprintf("List of at most %d objects, in place of the other fields. "+
			"Each object has the fields %s. An item's reference is returned with its result.", maxBatch, op.takes.inBatch())},
		fieldPartialFailure: intField("With " + fieldBatchInput + ": HTTP status of the response if some items failed and others succeeded. Default 400. If all items failed, the status is always 400."),
	}
	for _, field := range op.takes {
		takes[field] = declared[field]
	}
	returned := fields{fieldBatchResults: {Type: framework.TypeSlice, Description: "With " + fieldBatchInput + ": one object for each item, in the same order. Each has the item's reference, and either its error or the fields of a response for one item."}}
	for _, field := range op.returns {
		returned[field] = declared[field]
	}
	responses := response("Result of the item, or of each item of a batch.", returned, slices.Collect(maps.Keys(returned))...)
	// Declared without fields: the framework would give the schemas of both responses the same name
	// and keep only one of them.
	responses[http.StatusBadRequest] = []framework.Response{{Description: "The request was rejected, or items of a batch failed. If items failed, the body has the same form as for status 200."}}
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

// contextFields declares the segments of a path that ends with a context, and the given other
// fields.
func contextFields(more fields) fields {
	all := pathFields(1, more)
	all[fieldContext] = &framework.FieldSchema{Type: framework.TypeString, Description: "Name of the context, which is the purpose of the data. It is not created first.", Required: true}
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
	return b.respond(c, op.describe)
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

// The types of a data key: whether the response contains its plaintext.
const (
	dataKeyPlaintext = "plaintext"
	dataKeyWrapped   = "wrapped"
)

func (b *Backend) dataKeyPath() *framework.Path {
	declared := encryptionFields()
	synopsis := "Generate a data key with which a service encrypts data itself."
	plaintext := *declared[fieldPlaintext]
	plaintext.Description = "The key in base64. Present only with type=plaintext."
	return &framework.Path{
		Pattern:      "datakey" + inContext,
		DisplayAttrs: display(),
		Fields: contextFields(fields{
			fieldType: {
				Type: framework.TypeString, Required: true, AllowedValues: []any{dataKeyPlaintext, dataKeyWrapped},
				Description: "`plaintext`: return the key both in plaintext and encrypted. `wrapped`: return only the encrypted key.",
			},
			fieldAssociatedData: declared[fieldAssociatedData],
		}),
		HelpSynopsis:    synopsis,
		HelpDescription: dataKeyHelp,
		Operations: operations{
			logical.UpdateOperation: operation(b.handle(generateDataKey), synopsis, "generate", "data-key", response("The new data key.", fields{
				fieldCiphertext: declared[fieldCiphertext],
				fieldKeyVersion: declared[fieldKeyVersion],
				fieldPlaintext:  &plaintext,
			}, fieldPlaintext)),
		},
	}
}

// generateDataKey requires the type, without a default. A policy that allows one value of type then
// allows nothing else.
func generateDataKey(ctx context.Context, c *call) (*logical.Response, error) {
	as := c.text(fieldType)
	if as != dataKeyPlaintext && as != dataKeyWrapped {
		return nil, fault.New(fault.Invalid, "%s: must be %s or %s; %[2]s returns the key also in plaintext", fieldType, dataKeyPlaintext, dataKeyWrapped)
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
	return respond(data)
}
