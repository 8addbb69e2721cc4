package targets

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirproxy/weir/bench/proc"
)

// ask sends a request to Caddy's admin endpoint.
func (p *Process) ask(method, path string, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+p.admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	// A connection that is kept would count among the target's.
	req.Close = true
	client := http.Client{Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", p.Name, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %s", method, path, res.StatusCode, raw)
	}
	return raw, err
}

// Reload has Caddy load the configuration that it was started with, after change.
func (p *Process) Reload(change func(string) string) error {
	header := http.Header{"Content-Type": {"text/caddyfile"}, "Cache-Control": {"must-revalidate"}} // also where it is the same
	_, err := p.ask(http.MethodPost, "/load", []byte(change(string(p.conf))), header)
	return err
}

// Live collects garbage and returns how many bytes were found to be in use. The
// goal of the next collection tells it, which is twice that, with the stacks, as long
// as GOGC is as shipped: what has been allocated since does not count.
func (p *Process) Live() (heap int64, err error) {
	for range 2 { // what pools hold is garbage at the second collection
		raw, err := p.ask(http.MethodGet, "/debug/pprof/heap?gc=1&debug=1", nil, nil)
		if err != nil {
			return 0, err
		}
		if heap, err = number(raw, "\n# NextGC = "); err != nil {
			return 0, err
		}
	}
	return heap / 2, nil
}

// Held is what a Go program holds at a moment; RSS is in bytes.
type Held struct {
	Goroutines, Files, RSS int64
}

// Held looks at the target.
func (p *Process) Held() (h Held, err error) {
	raw, err := p.ask(http.MethodGet, "/debug/pprof/goroutine?debug=1", nil, nil)
	if err != nil {
		return h, err
	}
	if h.Goroutines, err = number(raw, "goroutine profile: total "); err != nil {
		return h, err
	}
	files, err := proc.Root.Files(p.pids)
	if err != nil {
		return h, err
	}
	h.Files = int64(files)
	h.RSS, err = p.RSS()
	return h, err
}

// number is the one that follows name.
func number(text []byte, name string) (int64, error) {
	_, rest, ok := strings.Cut(string(text), name)
	if !ok {
		return 0, fmt.Errorf("no '%s' in the profile", strings.TrimSpace(name))
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
}
