package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/document"
)

const fieldRaw = "raw"

func (b *Backend) renderPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:      "render" + inEnvironment,
		DisplayAttrs: display(),
		Fields: pathFields(3, selectionFields(), fields{
			fieldFormat: query(&framework.FieldSchema{Type: framework.TypeString, Description: "Format of the document.", Default: "dotenv", AllowedValues: []any{"dotenv", "json", "yaml", "shell"}}),
			fieldRaw:    query(boolField("Return the document itself, not a JSON response that contains it.")),
		}),
		HelpSynopsis:    "Read the secrets of an environment as one document.",
		HelpDescription: renderHelp,
		Operations: operations{
			logical.ReadOperation: operation(b.handle(renderEnvironment), "Render an environment as a document.", "render", "environment",
				response("The document. With raw=true, the response body is the document itself.", fields{
					fieldContent:   stringField("The document."),
					"content_type": stringField("Media type of the document."),
					"sha256":       stringField("SHA-256 of the document, in hexadecimal."),
				})),
		},
	}}
}

func renderEnvironment(ctx context.Context, c *call) (*logical.Response, error) {
	delivery, err := c.Secrets.Deliver(ctx, c.request(), c.path, c.selection())
	if err != nil {
		return nil, err
	}
	pairs := make([]document.Pair, len(delivery.Secrets))
	for i, s := range delivery.Secrets {
		pairs[i] = document.Pair{Name: s.Name, Value: encode(s.Value, s.Version.Encoding)}
	}
	content, contentType, err := document.Render(c.text(fieldFormat), pairs)
	if err != nil {
		return nil, err
	}
	if c.flag(fieldRaw) {
		return &logical.Response{Data: map[string]any{
			logical.HTTPStatusCode: http.StatusOK, logical.HTTPContentType: contentType, logical.HTTPRawBody: []byte(content),
		}}, nil
	}
	sum := sha256.Sum256([]byte(content))
	return respond(map[string]any{fieldContent: content, "content_type": contentType, "sha256": hex.EncodeToString(sum[:])})
}

const renderHelp = `
Renders the secrets that load/ returns as one document, in the format dotenv, json, yaml or shell. The
format shell is a script that a POSIX shell can source. With dotenv and shell, the request fails if a
name is not a valid identifier; the error lists these names. A value that was written with
encoding=base64 is rendered in base64.

    $ vault read -field=content stashbase/render/acme/api/development
    $ vault read -field=content stashbase/render/acme/api/development format=json include=DB_*
    $ vault read -format=raw stashbase/render/acme/api/development format=shell raw=true
`
