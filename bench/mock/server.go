package mock

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproxy/weir/bench/mark"
)

// Server is the upstream.
type Server struct {
	ln      net.Listener
	current atomic.Pointer[scene]
	ids     atomic.Uint32

	requests, bytes, open, chunks, gone, lastGone atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
	wg    sync.WaitGroup
}

// scene is a script and the answers made for it.
type scene struct {
	Script
	whole map[string]*template
	piece map[string]*template
	fail  []byte
}

// New listens on addr and answers at once with 100 bytes.
func New(addr string) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Server{ln: ln, conns: make(map[net.Conn]struct{})}
	s.Play(Script{Pad: 100})
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Play makes the server answer as script says, beginning with the next call.
func (s *Server) Play(script Script) {
	sc := &scene{Script: script, whole: make(map[string]*template), piece: make(map[string]*template)}
	for _, d := range dialects {
		sc.whole[d.suffix] = newTemplate(d.whole, script.Pad, wholeAnswer("200 OK"))
		sc.piece[d.suffix] = newTemplate(d.piece, script.Pad, chunked)
	}
	status := script.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	sc.fail = []byte(wholeAnswer(strconv.Itoa(status) + " " + http.StatusText(status))(`{"error":{"message":"the benchmark asked for this","type":"server_error","param":null,"code":null}}`))
	s.current.Store(sc)
}

// Stats returns what the server has seen.
func (s *Server) Stats() Stats {
	return Stats{
		Requests: s.requests.Load(), Bytes: s.bytes.Load(), Open: s.open.Load(), Chunks: s.chunks.Load(),
		Gone: s.gone.Load(), LastGone: s.lastGone.Load(),
	}
}

// Serve accepts connections until the server is closed.
func (s *Server) Serve() error {
	for {
		c, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("accepting: %w", err)
		}
		s.mu.Lock()
		if s.conns == nil {
			s.mu.Unlock()
			_ = c.Close()
			continue
		}
		s.conns[c] = struct{}{}
		s.wg.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.wg.Done()
			s.converse(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

// Close ends all connections.
func (s *Server) Close() {
	_ = s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
}

// conn is one connection; its buffers serve all its requests.
type conn struct {
	net.Conn
	r   *bufio.Reader
	out []byte
}

func (s *Server) converse(nc net.Conn) {
	c := &conn{Conn: nc, r: bufio.NewReaderSize(nc, 4096)}
	for {
		path, body, err := c.request()
		if err != nil {
			return
		}
		if bytes.HasPrefix(path, []byte("/_bench/")) {
			err = s.control(c, string(path), body)
		} else {
			var n int64
			if n, err = body.discard(c.r); err != nil {
				return
			}
			s.bytes.Add(n)
			err = s.answer(c, path)
		}
		if err != nil {
			return
		}
	}
}

// answer answers one call.
func (s *Server) answer(c *conn, path []byte) error {
	sc := s.current.Load()
	n := s.requests.Add(1)
	d := match(path)
	if d == nil {
		_, err := c.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
		return err
	}
	if sc.ErrorEvery > 0 && n%int64(sc.ErrorEvery) == 0 {
		_, err := c.Write(sc.fail)
		return err
	}
	id := s.ids.Add(1)
	if sc.Stream && d.piece != "" && strings.HasSuffix(d.suffix, sc.Only) {
		return s.stream(c, sc, d, id)
	}
	if sc.TTFT > 0 {
		time.Sleep(sc.TTFT)
	}
	c.out = sc.whole[d.suffix].with(c.out[:0], mark.Mark{ID: id, At: time.Now().UnixNano()})
	_, err := c.Write(c.out)
	return err
}

func match(path []byte) *dialect {
	for _, d := range dialects {
		if bytes.HasSuffix(path, []byte(d.suffix)) {
			return d
		}
	}
	return nil
}

// control serves the runner.
func (s *Server) control(c *conn, path string, b body) error {
	raw, err := b.read(c.r)
	if err != nil {
		return err
	}
	var out []byte
	switch path {
	case "/_bench/script":
		var script Script
		if err := json.Unmarshal(raw, &script); err != nil {
			return fmt.Errorf("reading the script: %w", err)
		}
		s.Play(script)
		out = []byte("{}")
	default:
		if out, err = json.Marshal(s.Stats()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(out), out)
	return err
}

var errRequest = errors.New("malformed request")

// request reads the head of the next request. path is valid until the next read.
func (c *conn) request() (path []byte, b body, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, b, err
	}
	_, rest, ok := bytes.Cut(line, []byte(" "))
	target, _, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 {
		return nil, b, errRequest
	}
	target, _, _ = bytes.Cut(target, []byte("?"))
	path = append(c.out[:0], target...)
	c.out = path
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return nil, b, err
		}
		if len(line) <= 2 {
			return path, b, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if b.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return nil, b, errRequest
			}
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			b.chunked = true
		case len(name) == 6 && bytes.EqualFold(name, []byte("Expect")):
			if _, err := c.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return nil, b, err
			}
		}
	}
}

// body says how a request's body is framed.
type body struct {
	length  int64
	chunked bool
}

func (b body) discard(r *bufio.Reader) (n int64, err error) {
	if !b.chunked {
		discarded, err := r.Discard(int(b.length))
		return int64(discarded), err
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return n, errRequest
		}
		if _, err := r.Discard(int(size) + 2); err != nil {
			return n, err
		}
		if n += size; size == 0 {
			return n, nil
		}
	}
}

func (b body) read(r *bufio.Reader) ([]byte, error) {
	if b.chunked || b.length > 1<<20 {
		return nil, errRequest
	}
	raw := make([]byte, b.length)
	_, err := io.ReadFull(r, raw)
	return raw, err
}
