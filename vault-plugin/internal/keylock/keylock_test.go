package keylock

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

func TestALockIsHeldByOneAndLeavesNothingBehind(t *testing.T) {
	var m Map[string]
	counts := make([]int, 10) // each is guarded by the lock of its index
	var wg sync.WaitGroup
	for worker := range 200 {
		wg.Go(func() {
			n := worker % len(counts)
			defer m.Lock(fmt.Sprint(n))()
			counts[n]++
		})
	}
	wg.Wait()
	for n, count := range counts {
		if count != 20 {
			t.Errorf("%d was counted %d times", n, count)
		}
	}
	if len(m.locks) != 0 {
		t.Errorf("%d locks remain", len(m.locks))
	}
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	var m Map[int]
	unlock := m.Lock(1)
	m.Lock(2)() // would deadlock

	order := make(chan string, 2)
	go func() {
		defer m.Lock(1)()
		order <- "second"
	}()
	waits := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.locks[1].users == 2
	}
	for !waits() {
		runtime.Gosched()
	}
	order <- "first"
	unlock()
	if one, two := <-order, <-order; one != "first" || two != "second" {
		t.Errorf("%s came before %s", one, two)
	}
}
