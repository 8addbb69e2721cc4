package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The sites that Caddy serves, by what they do with a request.
const (
	respond       = "respond"       // Caddy's static answer, nothing else
	respondLogged = "respondlogged" // with an access log and Caddy's metrics
	respondStream = "respondstream" // respond with the bytes of a stream
	cached        = "cached"
	proxied       = "proxied" // Weir without a cache
	reverse       = "reverse" // Caddy's reverse_proxy to the upstream
	loop          = "loop"    // see asLoop
)

const apiKey = "bench-a-secret-0001"

// process is one Caddy.
type process struct {
	cmd   *exec.Cmd
	sites map[string]string // addresses
	admin string
}

// rig is what is measured: Caddy with nothing but static answers, and Caddy with
// Weir and all that it does for a request.
type rig struct {
	dir       string
	processes []*process
	up        string // address
	pinned    bool
}

func newRig(dir, up string) (*rig, error) {
	r := &rig{dir: dir, up: up}
	if _, err := exec.LookPath("taskset"); err == nil && runtime.NumCPU() > 1 {
		r.pinned = true
	}
	if err := r.start("plain", []string{respond, respondStream, reverse}, plain); err != nil {
		return r, err
	}
	if err := r.start("weir", []string{respondLogged, cached, proxied}, full); err != nil {
		return r, err
	}
	addr, err := freeAddress()
	if err != nil {
		return r, err
	}
	return r, r.run(&process{sites: map[string]string{loop: addr}}, os.Environ(), loop, asLoop, addr, up)
}

var plain = `
http://{$respond} {
	header Content-Type application/json
	respond ` + quoted(wholeAnswer) + `
}
http://{$respondstream} {
	header Content-Type text/event-stream
	respond ` + quoted(streamAnswer) + `
}
http://{$reverse} {
	reverse_proxy {$BENCH_UPSTREAM} {
		flush_interval -1
	}
}
`

// quoted is a word of the Caddyfile. In braces `respond` would look for placeholders,
// which takes it a quarter of its time.
func quoted(b []byte) string {
	return "`" + strings.NewReplacer("{", "(", "}", ")").Replace(string(b)) + "`"
}

const accessLog = `
	log {
		output file {$BENCH_DIR}/access.log {
			roll_compression zstd
		}
		format ai
	}`

var full = `
http://{$respondlogged} {` + accessLog + `
	header Content-Type application/json
	respond ` + quoted(wholeAnswer) + `
}
http://{$cached} {` + accessLog + `
	ai_gateway {
		cache exact
	}
}
http://{$proxied} {` + accessLog + `
	ai_gateway
}
`

const weirOptions = `
	metrics
	ai {
		provider up openai_compatible {
			base_url http://{$BENCH_UPSTREAM}/v1
		}
		model m up/x
		key bench {env.BENCH_KEY} {
			team platform
			limit requests 1000000000 1m
			limit tokens 1000000000000 1m
		}
		limit concurrency 100000
		limit team platform requests 1000000000 1h
		usage log
	}`

// start runs a Caddy that serves sites, each at an address of its own.
func (r *rig) start(name string, sites []string, config string) error {
	p := &process{sites: make(map[string]string)}
	env := append(os.Environ(), "BENCH_UPSTREAM="+r.up, "BENCH_DIR="+r.dir, "BENCH_KEY="+apiKey, "XDG_DATA_HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir)
	for _, site := range append([]string{"admin"}, sites...) {
		addr, err := freeAddress()
		if err != nil {
			return err
		}
		env = append(env, site+"="+addr)
		if p.sites[site] = addr; site == "admin" {
			p.admin = addr
		}
	}
	options := ""
	if name == "weir" {
		options = weirOptions
	}
	file := filepath.Join(r.dir, name+".caddyfile")
	text := "{\n\tadmin {$admin}\n\tpersist_config off\n\tauto_https off\n\tlog {\n\t\toutput file {$BENCH_DIR}/" + name + ".log\n\t\tlevel INFO\n\t}" + options + "\n}\n" + config
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return r.run(p, env, sites[0], asCaddy, "run", "--config", file, "--adapter", "caddyfile")
}

// run starts this program as p, with arguments, and waits until it serves site.
func (r *rig) run(p *process, env []string, site string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{self}, args...)
	if r.pinned {
		args = append([]string{"taskset", "-c", "0"}, args...)
		env = append(env, "GOMAXPROCS=1")
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = env
	var said bytes.Buffer
	p.cmd.Stderr = &said
	if err := p.cmd.Start(); err != nil {
		return err
	}
	r.processes = append(r.processes, p)
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		if c, err := net.Dial("tcp", p.sites[site]); err == nil {
			return c.Close()
		}
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	return fmt.Errorf("%s does not start: %s", site, said.String())
}

func (r *rig) stop() {
	for _, p := range r.processes {
		_ = p.cmd.Process.Signal(os.Interrupt)
		_ = p.cmd.Wait()
	}
}

// of returns the process that serves a site.
func (r *rig) of(site string) *process {
	for _, p := range r.processes {
		if p.sites[site] != "" {
			return p
		}
	}
	panic("no site " + site)
}

// cpu is the processor time that the process has used, user and system. The kernel
// tells it in nanoseconds for each thread, and Go's seldom end.
func (p *process) cpu() time.Duration {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	var sum int64
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		ran, _, _ := strings.Cut(string(stat), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		sum += n
	}
	return time.Duration(sum)
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
