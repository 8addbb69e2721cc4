package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/records/ledger"
	"github.com/weirproxy/weir/records/sqlite"
	"github.com/weirproxy/weir/wire"
)

const childVariable = "WEIR_JOURNAL_CHILD"

// database is the store that all of the processes deliver to.
func database(dir string) *sqlite.Store {
	return sqlite.New(filepath.Join(dir, "usage.db"), ledger.DefaultRetention)
}

// child is a process that says on standard output what it has made durable,
// until it is killed.
func child(dir string) {
	j, err := Open(Options{Dir: dir, SegmentSize: 8 << 10})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	j.SetStore(database(dir))
	for n := 0; ; n++ {
		id := fmt.Sprintf("req_%d_%d", os.Getpid(), n)
		row := func(output int64) ledger.Row {
			r := row(id, output)
			r.Key = id
			return r
		}
		_ = j.Open(row(0))
		j.Checkpoint(id, ledger.Progress{Usage: wire.Usage{Output: 10}})
		said := "open"
		if n%3 != 0 {
			_ = j.Append(row(20))
			said = "final"
		}
		if err := j.Sync(context.Background()); err != nil {
			fmt.Println("error", err)
		}
		fmt.Println(said, id)
	}
}

// TestKill kills a process with SIGKILL again and again, the same journal in
// between: what it said was durable is there, once.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	want := map[string]string{}
	for n := range kills {
		rng := rand.New(rand.NewPCG(uint64(n), 5))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 5 + rng.IntN(40); lines.Scan(); left-- {
			said, id, _ := strings.Cut(lines.Text(), " ")
			if said == "error" {
				t.Error(id)
			}
			want[id] = said
			if left == 0 {
				// Anywhere between two of its steps.
				time.AfterFunc(time.Duration(rng.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
	}
	store := database(dir)
	defer store.Close()
	j := open(t, Options{Dir: dir})
	j.SetStore(store)
	if err := j.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	if len(want) < kills*5 {
		t.Fatalf("the processes did only %d requests", len(want))
	}
	sums, err := store.Query(t.Context(), ledger.Query{By: []string{"key"}, Since: begun, Until: begun.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]ledger.Totals{}
	for _, s := range sums {
		got[s.Group[0]] = s.Totals
		if s.Requests != 1 {
			t.Errorf("%s has %d rows", s.Group[0], s.Requests)
		}
	}
	for id, said := range want {
		if n := got[id].Output; said == "final" && n != 20 || said == "open" && n != 10 {
			t.Errorf("%s was %s and has %+v", id, said, got[id])
		}
	}
	// A kill may fall after a request was durable and before it was said.
	if extra := len(got) - len(want); extra < 0 || extra > 2*kills {
		t.Errorf("%d rows, %d requests", len(got), len(want))
	}
}
