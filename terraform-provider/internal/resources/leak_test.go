package resources_test

import (
	"archive/zip"
	"crypto/rand"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// window is the number of consecutive bytes that count as a leak. Half of a planted value would
// already be too much.
const window = 12

// Values are planted through every attribute that accepts one. Neither the files that Terraform
// writes, nor its trace log, nor its output may contain a part of them. The search also finds a
// control value that may be stored, which shows that the search works.
func TestNoValueIsInStatePlanOrLog(t *testing.T) {
	each(t, func(w *world) {
		w.tree()
		one, many, credential, wrong, control := planted(t), planted(t), planted(t), planted(t), planted(t)
		config := `
variable "one" { ephemeral = true }
variable "many" { ephemeral = true }
variable "credential" { ephemeral = true }
resource "stashbase_integration_vault" "it" {
  workspace        = "WORKSPACE"
  name             = "kv"
  address          = "https://vault.acme.example:8200"
  token_wo         = var.credential
  token_wo_version = VERSION
}
resource "stashbase_secret" "one" {
  workspace        = "WORKSPACE"
  project          = "api"
  environment      = "dev"
  name             = "ONE"
  value_wo         = var.one
  value_wo_version = VERSION
}
resource "stashbase_secrets" "many" {
  workspace         = "WORKSPACE"
  project           = "api"
  environment       = "dev"
  values_wo         = { MANY = var.many }
  values_wo_version = VERSION
}
resource "stashbase_secret" "control" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  name        = "CONTROL"
  value       = "` + control + `"
  EXTRA
}
ephemeral "stashbase_environment" "it" {
  workspace   = "WORKSPACE"
  project     = "api"
  environment = "dev"
  after       = [stashbase_secret.one.version, stashbase_secrets.many.versions["MANY"]]
}`
		configure := func(version, extra string) {
			w.configure(strings.NewReplacer("VERSION", version, "EXTRA", extra).Replace(config))
		}
		log := filepath.Join(w.Path, "trace.log")
		w.Env = append(w.Env, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "TF_VAR_one="+one, "TF_VAR_many="+many, "TF_VAR_credential="+credential)

		configure("1", "")
		printed := w.Apply()
		w.holds(w.read("load/"+w.workspace+"/api/dev"), "ONE", one)
		w.holds(w.read("load/"+w.workspace+"/api/dev"), "MANY", many)
		configure("2", "")
		printed += w.Plan().Text + w.Apply("planned")
		// A refused write: the engine makes the error, and the request contained a value.
		configure("3", `comment = "`+strings.Repeat("x", 600)+`"`)
		w.Env = append(w.Env, "TF_VAR_one="+wrong+strings.Repeat("x", 70000))
		out, err := w.Try("apply", "-auto-approve", "-no-color")
		if err == nil {
			t.Fatal("a comment and a value that are too long are accepted")
		}
		printed += out

		kept := everything(t, w.Path)
		for name, value := range map[string]string{"value_wo": one, "values_wo": many, "token_wo": credential, "refused value_wo": wrong} {
			for file, text := range kept {
				if part := occurs(text, value); part != "" {
					t.Errorf("%s: %s contains a part of the value", name, file)
				}
			}
			if occurs(printed, value) != "" {
				t.Errorf("%s: the output contains a part of the value", name)
			}
		}
		state := kept["terraform.tfstate"]
		if occurs(state, control) == "" || len(kept[filepath.Base(log)]) < 10000 {
			t.Error("the search does not find the control value, so it proves nothing")
		}
	})
}

func planted(t *testing.T) string {
	t.Helper()
	b := make([]byte, 24)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// occurs slides a window over the value and returns the first part that the text contains.
func occurs(text, value string) string {
	for i := range len(value) - window + 1 {
		if strings.Contains(text, value[i:i+window]) {
			return value[i : i+window]
		}
	}
	return ""
}

// everything returns the content of all files in a folder except the configuration. A plan is a zip
// file and is unpacked.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "main.tf" {
			return err
		}
		text, err := os.ReadFile(path)
		all[entry.Name()] = string(text)
		if err == nil && entry.Name() == "planned" {
			err = unzip(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func unzip(into map[string]string, path string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	for _, file := range archive.File {
		if file.Name == "tfconfig/m-/main.tf" { // a copy of the configuration
			continue
		}
		content, err := file.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		into["planned: "+file.Name] = string(text)
	}
	return nil
}
