package backend_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// One request writes, and one request reads, the maximum number of secrets of an import.
func TestTheMaximumImportIsWrittenAndReadInOneRequest(t *testing.T) {
	const most = 5000
	m := populated(t)
	all := make(data, most)
	for i := range most {
		all[fmt.Sprintf("SECRET_%04d", i)] = fmt.Sprintf("%064d", i)
	}
	if created, _ := m.Write("import/"+dev, data{"secrets": all})["created"].([]any); len(created) != most {
		t.Errorf("%d secrets were created", len(created))
	}
	for m := range restarting(&m) {
		got := m.Read("load/" + dev)
		if len(got) != most || got["SECRET_4999"] != all["SECRET_4999"] {
			t.Errorf("load returned %d secrets, the last one with value %v", len(got), got["SECRET_4999"])
		}
	}
	all["ONE_MORE"] = ""
	if r := m.Refuse(logical.UpdateOperation, "import/"+dev, data{"secrets": all}); r.Word() != "limit" {
		t.Errorf("one more returned %v", r)
	}
	if r := m.Refuse(logical.UpdateOperation, "secrets/"+dev+"/ONE_MORE", data{"value": ""}); r.Word() != "limit" || !strings.Contains(r.Text, "max_secrets") {
		t.Errorf("one more returned %v", r)
	}
}

// Each storage call of a plugin is a call to another process. A cold environment is read with
// parallel calls, because sequential calls would take too long.
func TestColdSecretsAreReadInParallel(t *testing.T) {
	const together = 8
	m := populated(t)
	all := make(data)
	for i := range together {
		all[fmt.Sprint("S", i)] = "v"
	}
	m.Write("import/"+dev, data{"secrets": all})
	m.Settle()
	m = m.Restart()
	var waiting atomic.Int32
	var once sync.Once
	everybody, late := make(chan struct{}), time.After(10*time.Second)
	m.Storage.Hook(func(op, key string) {
		if op != "get" || !strings.HasPrefix(key, "sec/") {
			return
		}
		if waiting.Add(1) == together {
			once.Do(func() { close(everybody) })
		}
		select {
		case <-everybody:
		case <-late:
		}
	})
	if got := m.Read("load/" + dev); len(got) != together {
		t.Errorf("load returned %d secrets", len(got))
	}
	select {
	case <-everybody:
	default:
		t.Errorf("%d reads ran in parallel, want %d", waiting.Load(), together)
	}
}
