package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// mortal is a gateway in a process that tests kill, with a ledger that outlives
// it.
type mortal struct {
	addr, admin string
	start       func() *exec.Cmd
}

func newMortal(t *testing.T, up *weirtest.Upstream) *mortal {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a binary")
	}
	binary, site := buildBinary(t), newBinarySite(t, up, "price openai/* input 1 output 1")
	m := &mortal{addr: site.addr, admin: site.admin, start: func() *exec.Cmd { return site.run(t, binary) }}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return m
}

// ask asks for a model, as a stream or whole, and reports whether all of the
// answer came.
func (m *mortal) ask(model string, stream bool) bool {
	body := strings.Replace(hi, `"m"`, `"openai/`+model+`"`, 1)
	if stream {
		body = strings.Replace(body, "{", `{"stream":true,`, 1)
	}
	res, err := http.Post("http://"+m.addr+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}

// usage is what the ledger has, by model.
func (m *mortal) usage(t *testing.T) usage {
	t.Helper()
	res, err := http.Get("http://" + m.admin + "/ai/usage?by=model&since=1h")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got usage
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestKilledAtTheUpstream kills the gateway, without a warning, in the moment in
// which the upstream has the request: promise 1 holds for it.
func TestKilledAtTheUpstream(t *testing.T) {
	var running atomic.Pointer[exec.Cmd]
	up := weirtest.NewUpstream(t, func(_ http.ResponseWriter, r *weirtest.Request) {
		_ = running.Load().Process.Kill()
		<-r.Gone
	})
	m := newMortal(t, up)
	const kills = 5
	for n := range kills {
		cmd := m.start()
		running.Store(cmd)
		if m.ask(fmt.Sprintf("model-%d", n), false) {
			t.Fatal("it answered and was not killed")
		}
		_ = cmd.Wait()
	}
	running.Store(m.start())
	var got usage
	eventually(t, "a row for each", func() bool {
		got = m.usage(t)
		return len(got.Data) == kills
	})
	for _, row := range got.Data {
		if row.Requests != 1 || row.Input == 0 || row.Cost == 0 {
			t.Errorf("%s: %+v; its prompt was sent", row.Model, row)
		}
	}
}

// TestKilledAnywhere kills the gateway twenty times under the load of eight
// clients, each time after another number of calls and at another point of what
// it does with them: each call that an upstream has seen is in the ledger once,
// and so is each that a client has an answer to.
func TestKilledAnywhere(t *testing.T) {
	const seeds, clients = 20, 8
	var (
		mu       sync.Mutex
		asked    = make(map[string]bool) // of the upstream
		answered = make(map[string]bool)
		calls    atomic.Int64
		killAt   atomic.Int64
		reached  = make(chan struct{}, 1)
	)
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		var body struct{ Model string }
		_ = json.Unmarshal(r.Body, &body)
		mu.Lock()
		asked["openai/"+body.Model] = true
		mu.Unlock()
		if calls.Add(1) == killAt.Load() {
			reached <- struct{}{}
		}
		if bytes.Contains(r.Body, []byte(`"stream":true`)) {
			startStream(w)
			_, _ = io.WriteString(w, word("one")+word("two")+lastChunks)
			return
		}
		hello(w, r)
	})
	m := newMortal(t, up)
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 1))
		calls.Store(0)
		killAt.Store(1 + random.Int64N(60))
		cmd := m.start()
		var over atomic.Bool
		var all sync.WaitGroup
		for client := range clients {
			all.Go(func() {
				for n := 0; !over.Load(); n++ {
					model := fmt.Sprintf("k-%d-%d-%d", seed, client, n)
					if m.ask(model, n%2 == 1) {
						mu.Lock()
						answered["openai/"+model] = true
						mu.Unlock()
					}
				}
			})
		}
		<-reached
		// Some of the way from the upstream's answer to the record.
		for range random.IntN(20_000) {
			runtime.Gosched()
		}
		_ = cmd.Process.Kill()
		over.Store(true)
		_ = cmd.Wait()
		all.Wait()
	}
	m.start()
	rows := make(map[string]int64)
	missing := func() (list []string) {
		clear(rows)
		for _, row := range m.usage(t).Data {
			rows[row.Model] += row.Requests
		}
		for _, known := range []map[string]bool{asked, answered} {
			for model := range known {
				if rows[model] == 0 {
					list = append(list, model)
				}
			}
		}
		return list
	}
	eventually(t, "a row for each call", func() bool { return len(missing()) == 0 })
	for model, n := range rows {
		if n != 1 {
			t.Errorf("%s has %d records", model, n)
		}
	}
	t.Logf("%d calls, %d answers, %d records", len(asked), len(answered), len(rows))
}
