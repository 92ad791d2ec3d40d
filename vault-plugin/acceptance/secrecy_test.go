package acceptance_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

// usedServer is a server on which secrets were written, changed, refused and deleted in every
// possible way.
type usedServer struct {
	server            *vaulttest.Server
	secrets           *search
	name, comment     string // of a secret; they are in storage in clear, as controls
	oldMaster, master []byte
	errors            string // of all refused requests
}

func TestNoSecretIsStoredOrLoggedInClear(t *testing.T) {
	l := useServer(t)
	names, comments := newSearch(textWindow), newSearch(textWindow)
	names.plant("name", l.name)
	comments.plant("comment", l.comment)
	master, old := newSearch(keyWindow), newSearch(keyWindow)
	master.plant("master key", string(l.master))
	old.plant("replaced master key", string(l.oldMaster))
	for part := range master.planted {
		delete(old.planted, part)
	}
	t.Run("error", func(t *testing.T) {
		names.present(t, "the errors", l.errors)
		l.secrets.absent(t, "an error", l.errors)
	})
	for where, log := range map[string]string{"server log": l.server.ServerLog(), "audit log": l.server.AuditLog()} {
		t.Run(where, func(t *testing.T) {
			names.present(t, where, log)
			for _, s := range []*search{l.secrets, master, old} {
				s.absent(t, where, log)
			}
		})
	}
	t.Run("files of the storage", func(t *testing.T) {
		files := contents(t, l.server.StorageDir())
		names.present(t, "the storage", files)
		for _, s := range []*search{l.secrets, comments, master, old} {
			s.absent(t, "the storage", files)
		}
	})
	t.Run("decrypted storage", func(t *testing.T) {
		entries := decrypted(t, l.server)
		master.present(t, "core/master", entries["core/master"])
		var all strings.Builder
		for key, value := range entries {
			all.WriteString(key + "\x00" + value + "\x00")
			if key != "core/master" {
				master.absent(t, key, value)
			}
		}
		comments.present(t, "an entry", all.String())
		l.secrets.absent(t, "an entry", all.String())
		old.absent(t, "an entry", all.String())
	})
}

func useServer(t *testing.T) usedServer {
	t.Helper()
	s := vaulttest.Start(t, vaulttest.Options{Storage: vaulttest.Raft})
	l := usedServer{server: s, secrets: newSearch(textWindow), name: "N" + value(), comment: value()}
	c := root(t, s)
	env := environment(t, c)
	w, _, _ := strings.Cut(env, "/")
	path := "secrets/" + env + "/" + l.name

	c.write(path, data{"value": l.secrets.value("first version"), "comment": l.comment})
	c.write(path, data{"value": l.secrets.value("second version")})
	c.write(path, data{"value": strings.Repeat(l.secrets.value("long value"), 1000)})
	c.write("secrets/"+env+"/BYTES", data{"value": plainBase64(l.secrets.value("bytes")), "encoding": "base64"})
	c.write("import/"+env, data{"secrets": data{"MAP": l.secrets.value("import of a map")}, "comment": "imported"})
	c.write("import/"+env, data{"content": "DOTENV='" + l.secrets.value("import of dotenv") + "'\n"})
	c.write("import/"+env, data{"secrets": data{"MAP": l.secrets.value("dry run")}, "dry_run": true})
	c.write("secrets/"+env+"/GONE", data{"value": l.secrets.value("deleted secret")})
	c.must("DELETE", "secrets/"+env+"/GONE", nil)
	c.must("PATCH", "secrets/"+env+"/MAP", data{"value": l.secrets.value("patch"), "tags": "x"})
	c.write("rollback/"+env+"/MAP", data{"version": 1})
	c.write("destroy/"+env+"/MAP", data{"versions": "1,2"})
	c.write("undelete/"+env+"/GONE", data{"versions": "1"})
	c.write("secrets/"+env+"/REFERENCE", data{"value": "${MAP}" + l.secrets.value("beside a reference"), "references": true})
	c.read("changes/" + env)
	l.errors = refusals(c, env, path, l.secrets) + integrated(c, w, l.name, l.secrets)

	c.write("keys/"+w+"/rotate", nil)
	rewrapped(t, s, c, w, -1)
	l.oldMaster = masterKey(t, s)
	c.write("master-key/rotate", nil)
	masterIdle(t, s, c)
	l.master = masterKey(t, s)
	s.ReloadPlugin(t)
	c.read("load/" + env)
	c.read("metadata/" + env)
	c.read(path + "?version=1")
	gone := c.environment(w, "api", "gone")
	c.write("secrets/"+gone+"/GONE", data{"value": l.secrets.value("secret of a deleted environment")})
	c.must("DELETE", "environments/"+gone+"?confirm=gone", nil)
	marked(t, s, c)
	return l
}

// refusals sends secrets in requests that fail, and returns the errors.
func refusals(c caller, env, path string, secrets *search) string {
	c.t.Helper()
	var all strings.Builder
	refuse := func(path string, body data, status int, word string) {
		all.WriteString(c.refused("POST", path, body, status, word).body)
	}
	refuse(path, data{"value": secrets.value("lost race"), "cas": 1}, http.StatusConflict, "conflict")
	refuse(path, data{"value": strings.Repeat(secrets.value("too long"), 4000)}, http.StatusBadRequest, "limit")
	refuse(path, data{"value": secrets.value("not base64") + "!", "encoding": "base64"}, http.StatusBadRequest, "invalid")
	refuse(path, data{"value": secrets.value("strange encoding"), "encoding": secrets.value("encoding")}, http.StatusBadRequest, "invalid")
	refuse(path, data{"value": "${" + secrets.value("not a reference"), "references": true}, http.StatusBadRequest, "invalid")
	refuse(path, data{"value": "${none/" + secrets.value("an invalid target") + "!}", "references": true}, http.StatusBadRequest, "invalid")
	refuse(path, data{"value": secrets.value("versions"), "versions": "1"}, http.StatusBadRequest, "invalid")
	refuse(path, data{"value": secrets.value("long comment"), "comment": strings.Repeat(secrets.value("comment"), 40)}, http.StatusBadRequest, "limit")
	refuse(path, data{"value": secrets.value("long tag"), "tags": strings.Repeat(secrets.value("tag"), 4)}, http.StatusBadRequest, "limit")
	refuse("import/"+env, data{"content": "A=1\nB='" + secrets.value("open quote") + "\n"}, http.StatusBadRequest, "invalid")
	refuse("import/"+env, data{"content": secrets.value("not an assignment")}, http.StatusBadRequest, "invalid")
	refuse("import/"+env, data{"content": "9" + secrets.value("not a name") + "=1"}, http.StatusBadRequest, "invalid")
	refuse("import/"+env, data{"content": "A=1", "format": secrets.value("format")}, http.StatusBadRequest, "invalid")
	refuse("import/"+env, data{"secrets": data{"A": secrets.value("mode")}, "mode": "none"}, http.StatusBadRequest, "invalid")
	refuse("import/"+env, data{"secrets": data{"A": []string{secrets.value("a list")}}}, http.StatusBadRequest, "invalid")
	refuse("secrets/none/"+env[strings.Index(env, "/")+1:]+"/A", data{"value": secrets.value("missing workspace")}, http.StatusBadRequest, "not_found")
	return all.String()
}

// integrated writes, replaces and verifies credentials, and sends others in requests that fail. It
// returns the errors.
func integrated(c caller, w, name string, secrets *search) string {
	c.t.Helper()
	path := "integrations/" + w + "/vault/main"
	var all strings.Builder
	refuse := func(path string, body data, word string) {
		all.WriteString(c.refused("POST", path, body, http.StatusBadRequest, word).body)
	}
	of := func(token string) data {
		return data{"address": "https://127.0.0.1:1", "token": token, "description": name, "allowed_environments": "*", "allowed_targets": "*"}
	}
	c.write(path, of(secrets.value("credential")))
	c.write(path, of(secrets.value("next generation of a credential")))
	refuse(path+"/verify", nil, "provider")
	refuse(path, data{"token": []string{secrets.value("a list as credential")}}, "invalid")
	refuse(path, data{"tokens": secrets.value("a credential in the wrong field")}, "invalid")
	refuse(path, data{"token": secrets.value("a credential beside a wrong field"), "address": secrets.value("not an address")}, "invalid")
	refuse("integrations/"+w+"/none/main", data{"token": secrets.value("missing provider")}, "not_found")
	refuse("config", data{"proxy_url": "https://me:" + secrets.value("password of a proxy") + "@proxy.example.com"}, "invalid")
	c.write(path, data{"address": "https://127.0.0.1:2"})
	refuse(path+"/verify", nil, "provider")
	c.read(path)
	c.list("integrations/" + w)
	c.write("integrations/"+w+"/vault/gone", of(secrets.value("credential of a deleted integration")))
	c.must("DELETE", "integrations/"+w+"/vault/gone", nil)
	return all.String()
}

// masterIdle waits until the older versions of the master key are destroyed.
func masterIdle(t testing.TB, s *vaulttest.Server, c caller) {
	t.Helper()
	eventually(t, s, "the old master key versions to be destroyed", func() error {
		master := c.read("master-key")
		rewrap, _ := master["rewrap"].(data)
		versions, _ := master["versions"].(data)
		if rewrap["state"] != "idle" || rewrap["done"] != rewrap["total"] || len(versions) != 1 {
			return &notYet{master}
		}
		return nil
	})
}

// masterKey returns the encoded master keys, which are in clear behind Vault's barrier.
func masterKey(t testing.TB, s *vaulttest.Server) []byte {
	t.Helper()
	var record struct {
		Ring []byte `cbor:"1,keyasint"`
	}
	if err := cbor.Unmarshal(s.RawRead(t, "core/master"), &record); err != nil || len(record.Ring) < 32 {
		t.Fatalf("core/master contains a ring of %d bytes (%v)", len(record.Ring), err)
	}
	return record.Ring
}

// decrypted returns the mount's storage as it is behind Vault's barrier.
func decrypted(t testing.TB, s *vaulttest.Server) map[string]string {
	t.Helper()
	entries := map[string]string{}
	for _, key := range s.RawList(t, "") {
		entries[key] = string(s.RawRead(t, key))
	}
	return entries
}

// contents returns the text of all files below a folder.
func contents(t testing.TB, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
