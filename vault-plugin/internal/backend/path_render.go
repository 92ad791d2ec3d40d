package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/stashbase/vault-stashbase/vault-plugin/internal/document"
)

const (
	renderCategory = "render"
	fieldRaw       = "raw"
	fieldStrict    = "strict"
)

func (b *Backend) renderPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:      renderCategory + inEnvironment,
		DisplayAttrs: display(),
		Fields: pathFields(3, selectionFields(), fields{
			fieldFormat: query(&framework.FieldSchema{Type: framework.TypeString, Description: "Format of the document.", Default: "dotenv", AllowedValues: []any{"dotenv", "json", "yaml", "shell", "docker", "systemd"}}),
			fieldRaw:    query(boolField("Return the document itself, not a JSON response that contains it.")),
			fieldStrict: query(&framework.FieldSchema{Type: framework.TypeBool, Default: true, Description: "Only for dotenv: whether to refuse values that some readers of dotenv files change. With false, they are rendered, and a warning names them. Values that a reader could run as a command are always refused."}),
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
		return nil, c.undelivered(err)
	}
	defer delivery.Wipe()
	pairs := make([]document.Pair, len(delivery.Secrets))
	for i, s := range delivery.Secrets {
		pairs[i] = document.Pair{Name: s.Name, Value: encode(s.Value, s.Version.Encoding)}
	}
	d, err := document.Render(c.text(fieldFormat), pairs, document.Strictness(c.flag(fieldStrict)))
	if err != nil {
		return nil, err
	}
	if c.flag(fieldRaw) {
		return &logical.Response{Data: map[string]any{
			logical.HTTPStatusCode: http.StatusOK, logical.HTTPContentType: d.ContentType, logical.HTTPRawBody: []byte(d.Content),
		}}, nil
	}
	sum := sha256.Sum256([]byte(d.Content))
	resp := &logical.Response{Data: map[string]any{fieldContent: d.Content, "content_type": d.ContentType, "sha256": hex.EncodeToString(sum[:])}}
	if len(d.Changed) > 0 {
		resp.AddWarning(fmt.Sprintf("%s: some readers of dotenv files change the values of %s", fieldStrict, document.Listed(d.Changed)))
	}
	return resp, nil
}

const renderHelp = `
Renders the secrets that load/ returns as one document:

    json     one object; every value
    yaml     one mapping; every value
    shell    for a POSIX shell that sources the document: . ./secrets.sh
    systemd  for EnvironmentFile= of a systemd unit
    docker   for docker run --env-file; values without line ends
    dotenv   for readers of dotenv files, also docker compose; values that all of them read alike

    $ vault read -field=content stashbase/render/acme/api/development
    $ vault read -field=content stashbase/render/acme/api/development format=json include=DB_*
    $ vault read -format=raw stashbase/render/acme/api/development format=shell raw=true

A shell may source only the format shell. The request fails if the format cannot carry a name or a
value; the error lists the names concerned and the formats that carry them. Readers of dotenv files
disagree about a carriage return, ${, and a single quote together with a backslash, a double quote, a
dollar or a backtick. strict=false renders such values too, except those that a reader could run as a
command. A warning then lists their names, but not with raw=true.

A value that was written with encoding=base64 is rendered in base64.
`
