package provider_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A plan without changes makes these four calls for each resource. tools/bench measures them with a
// CLI and the protocol around them.
func BenchmarkPlanOfASecret(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data": {"secrets": {"KEY": {"version": 1, "state": "live", "encoding": "text"}}}}`))
	}))
	defer server.Close()
	c := newConversation(b)
	c.none(c.configure(map[string]tftypes.Value{"address": text(server.URL), "token": text("t")}))
	const resource = "stashbase_secret"
	schema := c.schema.ResourceSchemas[resource]
	given := map[string]tftypes.Value{
		"workspace": text("acme"), "project": text("api"), "environment": text("dev"), "name": text("KEY"),
		"value_wo": text("VALUE"), "value_wo_version": tftypes.NewValue(tftypes.Number, 1),
	}
	config := c.object(schema, given)
	planned := c.plan(resource, c.null(schema), config, config)
	state := c.attributes(resource, planned.PlannedState)
	state["version"] = tftypes.NewValue(tftypes.Number, 1)
	prior := c.object(schema, state)
	var private []byte
	b.ReportAllocs()
	for b.Loop() {
		validated, err := c.server.ValidateResourceConfig(b.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: resource, Config: config, ClientCapabilities: writeOnly})
		if err != nil || len(validated.Diagnostics) > 0 {
			b.Fatal(validated, err)
		}
		read, err := c.server.ReadResource(b.Context(), &tfprotov6.ReadResourceRequest{TypeName: resource, CurrentState: prior, Private: private})
		if err != nil || len(read.Diagnostics) > 0 {
			b.Fatal(read, err)
		}
		response := c.plan(resource, read.NewState, read.NewState, config)
		if len(response.Diagnostics) > 0 {
			b.Fatal(response.Diagnostics[0])
		}
	}
}
