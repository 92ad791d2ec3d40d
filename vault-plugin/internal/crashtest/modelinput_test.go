package crashtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// importStep returns a random write of many secrets, as a map or as a document.
func (s *steps) importStep(id, w, p, e string) step {
	in := modelImport{values: make(map[string]string), cas: make(map[string]int), comment: s.one("", "imported"), request: id}
	for range s.IntN(6) {
		in.values[s.one("A", "B", "C", "D", "E", "F", "G", "H")] = s.value()
	}
	if s.IntN(12) == 0 {
		for i := range 8 {
			in.values[fmt.Sprintf("BIG_%d", i)] = strings.Repeat(strconv.Itoa(s.IntN(10)), 60<<10)
		}
	}
	in.replace, in.dry = s.IntN(3) == 0, s.IntN(6) == 0
	body := data{"dry_run": in.dry, "mode": map[bool]string{true: "replace", false: "merge"}[in.replace], "comment": in.comment}
	if s.IntN(4) == 0 {
		for name := range in.values {
			in.cas[name] = s.IntN(4)
		}
		body["cas"] = in.cas
	}
	if s.IntN(4) > 0 {
		in.confirmed, body["confirm"] = true, e
	}
	if s.IntN(6) == 0 {
		references := s.IntN(2) == 0
		in.references, body["references"] = &references, references
		if references && len(in.values) > 0 && s.IntN(2) == 0 {
			in.values["R"] = s.reference()
		}
	}
	if format := s.one("", "dotenv", "json", "yaml"); format == "" {
		body["secrets"] = in.values
	} else {
		in.document, body["content"], body["format"] = true, document(format, in.values), format
	}
	return step{
		request: request{Op: write, Path: "import/" + w + "/" + p + "/" + e, Data: body},
		apply:   func(m *model) want { return m.imports(w, p, e, in) },
	}
}

// document renders names and values in one of the formats that an import accepts.
func document(format string, values map[string]string) string {
	if format == "json" {
		text, _ := json.Marshal(values)
		return string(text)
	}
	var all strings.Builder
	all.WriteString("# generated\n")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, _ := json.Marshal(values[name])
		if format == "yaml" {
			fmt.Fprintf(&all, "%s: %s\n", name, text)
			continue
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(values[name])
		fmt.Fprintf(&all, "export %s=\"%s\"\n", name, quoted)
	}
	if format == "yaml" && len(values) == 0 {
		return "{}"
	}
	return all.String()
}

// modelText is text that the engine has encrypted, or digested, for a caller. The engine stores
// nothing of it.
type modelText struct {
	workspace, born  string
	context          string
	input            string // base64
	associated, text string
	version          int
	digest           bool
}

// applicationStep returns a random encryption or digest, or a use of an earlier one.
func (s *steps) applicationStep(w string) step {
	fresh := modelText{workspace: w, context: s.one("billing", "tokens"), input: base64.StdEncoding.EncodeToString([]byte(s.value())), associated: s.one("", "YQ=="), digest: s.IntN(3) == 0}
	if len(s.texts) == 0 || s.IntN(3) == 0 {
		return s.makeText(fresh)
	}
	t := s.texts[s.IntN(len(s.texts))]
	usable := true
	switch s.IntN(8) {
	case 0:
		usable = usable && t.context == fresh.context
		t.context = fresh.context
	case 1:
		usable = usable && (t.associated == fresh.associated || t.digest)
		t.associated = fresh.associated
	}
	opens := func(m *model) bool {
		ws := m.Workspaces[w]
		oldest := ws.Minimum
		if t.digest {
			oldest = ws.Oldest // a digest is valid as long as its key exists
		}
		return usable && ws.Born == t.born && t.version >= oldest && t.version <= ws.Key
	}
	path := func(verb string) string { return verb + "/" + w + "/" + t.context }
	body := data{"ciphertext": t.text, "associated_data": t.associated}
	switch {
	case t.digest:
		return step{
			request: request{Op: write, Path: path("verify"), Data: data{"input": t.input, "hmac": t.text}},
			apply:   inWorkspace(w, func(m *model) want { return want{data: data{"valid": opens(m)}} }),
		}
	case s.IntN(3) == 0:
		return step{request: request{Op: write, Path: path("rewrap"), Data: body}, apply: inWorkspace(w, func(m *model) want {
			if !opens(m) {
				return refuse(400)
			}
			return want{data: data{"key_version": m.Workspaces[w].Key}}
		})}
	default:
		return step{request: request{Op: write, Path: path("decrypt"), Data: body}, apply: inWorkspace(w, func(m *model) want {
			if !opens(m) {
				return refuse(400)
			}
			return want{data: data{"plaintext": t.input}}
		})}
	}
}

func inWorkspace(w string, then func(*model) want) func(*model) want {
	return func(m *model) want {
		if m.Workspaces[w] == nil {
			return refuse(400)
		}
		return then(m)
	}
}

func (s *steps) makeText(t modelText) step {
	verb, field, body := "encrypt", "ciphertext", data{"plaintext": t.input, "associated_data": t.associated}
	if t.digest {
		verb, field, body = "hmac", "hmac", data{"input": t.input}
	}
	made := step{request: request{Op: write, Path: verb + "/" + t.workspace + "/" + t.context, Data: body}}
	made.apply = inWorkspace(t.workspace, func(m *model) want {
		t.version, t.born = m.Workspaces[t.workspace].Key, m.Workspaces[t.workspace].Born
		if t.digest {
			return want{}
		}
		return want{data: data{"key_version": t.version}}
	})
	made.onSuccess = func(got data) {
		t.text, _ = got[field].(string)
		s.texts = append(s.texts, t)
	}
	return made
}

func (s *steps) keyStep(m *model, w string) step {
	ws := m.Workspaces[w]
	if ws != nil && ws.Key > 400 {
		return step{request: request{Op: write, Path: "keys/" + w + "/rewrap"}, apply: func(m *model) want { return m.rewrap(w) }}
	}
	switch s.IntN(8) {
	case 0, 1:
		return step{request: request{Op: write, Path: "keys/" + w + "/rotate"}, apply: func(m *model) want { return m.rotate(w) }}
	case 2, 3:
		return s.retireStep(m, w)
	case 4:
		return s.lockStep(w, true)
	case 5:
		return step{request: request{Op: write, Path: "keys/" + w + "/rewrap"}, apply: func(m *model) want { return m.rewrap(w) }}
	case 6:
		period := 0
		if s.IntN(4) > 0 { // long enough that it does not depend on the time of the next tick
			if period = day; ws != nil {
				period = max(day, m.Now-ws.Rotated+1000)
			}
		}
		return step{request: request{Op: write, Path: "keys/" + w, Data: data{"auto_rotate_period": period}}, apply: func(m *model) want { return m.autoRotate(w, period) }}
	default:
		return step{request: request{Op: write, Path: "master-key/rotate"}, always: true, apply: func(m *model) want {
			m.Master++
			return want{data: data{"latest_version": m.Master}}
		}}
	}
}

const day = 24 * 60 * 60 // seconds
