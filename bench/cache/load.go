package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// ask is a request to a site.
type ask struct {
	site   string
	stream bool
	fresh  bool   // each asks for something else
	cache  string // what the answer's X-AI-Cache has to be
}

var serial atomic.Int64

// bytes is the request as it is sent.
func (a ask) bytes(addr, prompt string) []byte {
	if a.fresh {
		prompt += " " + strconv.FormatInt(serial.Add(1), 10)
	}
	body := fmt.Sprintf(`{"model":"m","stream":%t,"max_tokens":500,"messages":[{"role":"user","content":"%s"}]}`, a.stream, prompt)
	return fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", addr, apiKey, len(body), body)
}

// sample is what a load has come to.
type sample struct {
	cpu      time.Duration // for each request
	p50, p99 time.Duration
}

// load sends requests for a while, over so many connections, each as soon as the
// last one is answered.
func (r *rig) load(a ask, connections int, span time.Duration) (sample, error) {
	p := r.of(a.site)
	addr := p.sites[a.site]
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		took []time.Duration
		fail error
	)
	before := p.cpu()
	start := time.Now()
	for range connections {
		wait.Go(func() {
			own, err := closedLoop(a, addr, start.Add(span))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			if err != nil {
				fail = err
			}
		})
	}
	wait.Wait()
	used := p.cpu() - before
	if fail != nil {
		return sample{}, fail
	}
	slices.Sort(took)
	n := len(took)
	return sample{cpu: used / time.Duration(n), p50: took[n/2], p99: took[n*99/100]}, nil
}

func closedLoop(a ask, addr string, until time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 16<<10)
	request := a.bytes(addr, "hello")
	for {
		if a.fresh {
			request = a.bytes(addr, "hello")
		}
		began := time.Now()
		if !began.Before(until) && took != nil {
			return took, nil
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(in, a.cache); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
}

// readAnswer reads an answer to its end.
func readAnswer(in *bufio.Reader, cache string) error {
	length, word, err := readHeader(in)
	if err != nil {
		return err
	}
	if word != cache {
		return fmt.Errorf("X-AI-Cache is %q, not %q", word, cache)
	}
	if length >= 0 {
		_, err = in.Discard(length)
		return err
	}
	for { // chunks
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := in.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
}

// What readHeader returns in place of a length.
const (
	inChunks = -1
	toTheEnd = -2
)

// readHeader returns an answer's length and its X-AI-Cache.
func readHeader(in *bufio.Reader) (length int, cache string, err error) {
	length = toTheEnd
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		line = bytes.TrimSpace(line)
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case first:
			if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
				rest, _ := io.ReadAll(io.LimitReader(in, 1000))
				return 0, "", fmt.Errorf("answered %s\n%s", line, rest)
			}
		case len(line) == 0:
			return length, cache, nil
		case string(name) == "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, "", err
			}
		case string(name) == "Transfer-Encoding":
			length = inChunks
		case string(name) == "X-Ai-Cache":
			cache = string(value)
		}
	}
}
