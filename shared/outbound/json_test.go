package outbound

import (
	"io"
	"net/http"
	"testing"
)

func TestJSONIsExchanged(t *testing.T) {
	f := overTLS(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"name":"a<b>"}` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("the server received %q, %v", body, r.Header)
		}
		w.Header().Set("X-Request-Id", "an-id-of-its-own")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"count": 3, "more": [1]}`+"\n")
	})
	var out struct{ Count int }
	in := struct {
		Name string `json:"name"`
	}{"a<b>"}
	r := Request{Operation: "create", Method: http.MethodPost, URL: f.server.URL, Write: true}
	response, err := f.client(t).DoJSON(t.Context(), r, in, &out)
	if err != nil || out.Count != 3 || response.Status != 201 || response.RequestID != "an-id-of-its-own" || r.Header != nil {
		t.Errorf("%+v, %+v, %v", response, out, err)
	}
}

func TestResponsesThatAreNotJSON(t *testing.T) {
	for name, body := range map[string]string{
		"HTML":           "<html>" + hostile + "</html>",
		"nothing":        "",
		"null":           "null",
		"garbage":        "\x00\xff{" + hostile,
		"another type":   `{"count":"` + hostile + `"}`,
		"another shape":  `["` + hostile + `"]`,
		"cut":            `{"count":3`,
		"more behind it": `{"count":3}{"count":4}` + hostile,
		"text behind it": `{"count":3} ` + hostile,
	} {
		f := overTLS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		var out struct{ Count int }
		client := f.client(t)
		_, err := client.DoJSON(t.Context(), f.get(), nil, &out)
		if known := failedAs(t, name, err, Provider); known.Unknown || known.Status != 200 {
			t.Errorf("%s: %+v", name, known)
		}
		leaksNothing(t, err, hostile)
		r := f.get()
		r.Method, r.Safe, r.Write = http.MethodPost, false, true
		if _, err = client.DoJSON(t.Context(), r, nil, &out); !failedAs(t, name, err, Provider).Unknown {
			t.Errorf("%s: the outcome of a write is known", name)
		}
	}
}

func TestWithoutAValueAnyResponseIsAccepted(t *testing.T) {
	f := overTLS(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if _, err := f.client(t).DoJSON(t.Context(), f.get(), nil, nil); err != nil {
		t.Error(err)
	}
	_, err := f.client(t).DoJSON(t.Context(), f.get(), func() {}, nil)
	_ = failedAs(t, "a value without a JSON form", err, Internal)
}
