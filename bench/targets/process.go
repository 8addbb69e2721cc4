package targets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/weirproxy/weir/bench/proc"
)

// Process is a target that runs.
type Process struct {
	Spec
	Addr   string // where it takes requests
	Header map[string]string
	Prefix string // of its models' names

	admin string // Caddy's
	conf  []byte // what it was started with
	cmd   *exec.Cmd
	pids  []int
	done  chan struct{}
	log   *os.File
	dir   string
}

// Start starts s and returns when it listens.
func (e *Env) Start(s Spec) (*Process, error) {
	if s.Kind == "direct" {
		return &Process{Spec: s, Addr: e.Upstream}, nil
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(e.Dir, s.Name+"-")
	if err != nil {
		return nil, err
	}
	v := values{Features: s.Features, Port: ports[0], Admin: ports[1], Dir: dir, Upstream: e.Upstream}
	args, conf, err := e.command(s, v)
	if err != nil {
		return nil, err
	}
	var text []byte
	if conf != "" {
		if text, err = render(conf, v); err != nil {
			return nil, err
		}
		name := conf
		if s.Kind == "bifrost" {
			name = "config.json" // the only name that it reads
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	p := &Process{Spec: s, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(v.Port)), done: make(chan struct{}), dir: dir, conf: text}
	switch s.Kind {
	case "caddy", "respond", "weir":
		p.admin = net.JoinHostPort("127.0.0.1", strconv.Itoa(v.Admin))
	case "portkey":
		p.Header = map[string]string{"x-portkey-provider": "openai", "x-portkey-custom-host": "http://" + e.Upstream + "/v1"}
	case "bifrost":
		p.Prefix = "openai/"
	}
	return p, e.run(p, args)
}

func (e *Env) run(p *Process, args []string) (err error) {
	if p.log, err = os.Create(filepath.Join(p.dir, "output.log")); err != nil {
		return err
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Args = args
	if e.CPU >= 0 {
		p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(e.CPU)}, args...)...)
	}
	p.cmd.Dir = p.dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(),
		"BENCH_KEY="+Key, "BENCH_SPENT_KEY="+SpentKey, "BENCH_UPSTREAM_KEY="+upstreamKey, "BENCH_REDIS_URL=redis://"+e.Redis,
		"HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir,
		"NODE_ENV=production", "LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_LOG=ERROR", "OTEL_SDK_DISABLED=true")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		_ = p.log.Close()
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.await(); err != nil {
		p.Stop()
		return err
	}
	p.pids = proc.Root.Tree(p.cmd.Process.Pid)
	return nil
}

// patience is how long a target may take to listen; LiteLLM imports for long.
const patience = 90 * time.Second

func (p *Process) await() error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if c, err := net.DialTimeout("tcp", p.Addr, time.Second); err == nil {
			_ = c.Close()
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.Name, p.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not listen: %s", p.Name, p.said())
}

// said is the end of the target's output.
func (p *Process) said() string {
	raw, _ := os.ReadFile(p.log.Name())
	text := bytes.TrimSpace(raw[max(len(raw)-600, 0):])
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// Stop ends the target and everything that it has started.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	_ = p.log.Close()
	_ = os.RemoveAll(p.dir)
}

// Refresh looks for processes that the target has started since.
func (p *Process) Refresh() {
	if p.cmd != nil {
		p.pids = proc.Root.Tree(p.cmd.Process.Pid)
	}
}

// CPU is what the target has used since it was started.
func (p *Process) CPU() (proc.CPU, error) { return proc.Root.CPUOf(p.pids) }

// RSS is the target's memory in bytes.
func (p *Process) RSS() (int64, error) { return proc.Root.RSS(p.pids) }

// Heap is what a Go program has allocated since it was started.
type Heap struct {
	Objects, Bytes uint64
}

// Heap asks Caddy's admin endpoint. ok is false for targets that have none.
func (p *Process) Heap() (h Heap, ok bool) {
	if p.admin == "" {
		return h, false
	}
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + p.admin + "/debug/vars")
	if err != nil {
		return h, false
	}
	defer client.CloseIdleConnections()
	defer res.Body.Close()
	var vars struct {
		Memstats struct{ Mallocs, TotalAlloc uint64 }
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&vars); err != nil || vars.Memstats.Mallocs == 0 {
		return h, false
	}
	return Heap{Objects: vars.Memstats.Mallocs, Bytes: vars.Memstats.TotalAlloc}, true
}

// Profile asks Caddy's admin endpoint for a profile, such as `allocs` or
// `profile?seconds=3`, and writes it to path. Targets without one have none.
func (p *Process) Profile(what, path string) error {
	if p.admin == "" {
		return nil
	}
	res, err := http.Get("http://" + p.admin + "/debug/pprof/" + what)
	if err != nil {
		return fmt.Errorf("asking %s for a profile: %w", p.Name, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("reading the profile of %s: %w", p.Name, err)
	}
	return os.WriteFile(path, raw, 0o644)
}

// freePorts finds ports that nobody listens on now, below those that Linux gives
// to outgoing connections: who waits for a listener by connecting to one of
// those meets himself sooner or later.
func freePorts(n int) (ports []int, err error) {
	const first, last = 20_000, 32_000
	for range 1000 {
		port := first + rand.IntN(last-first)
		ln, listenErr := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if listenErr != nil {
			err = listenErr
			continue
		}
		defer ln.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("looking for a port: %w", err)
}

// FreePort finds a port that nobody listens on now.
func FreePort() (int, error) {
	ports, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}
