package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
)

// Request describes what is sent.
type Request struct {
	Path   string
	Model  string
	Key    string
	Header map[string]string // beside those that SDKs send
	Size   int               // of the body, in bytes, about
	Stream bool
	Turns  int  // in how many messages the prompt comes; 0 is 1
	Same   bool // the same prompt again and again; else each is new in every message…
	Tail   bool // …or only in the last
}

// nonce stands where each request has letters of its own.
const nonce = "~~~~~~~~~~~~~~~~"

// every is how far apart the nonces of a long text stand.
const every = 4096

// agent are the fields that OpenAI's SDK for Python sends, with the three that
// come before them.
const agent = "Accept: application/json\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\n" +
	"User-Agent: OpenAI/Python 2.8.0\r\nX-Stainless-Arch: x64\r\nX-Stainless-Async: false\r\nX-Stainless-Lang: python\r\n" +
	"X-Stainless-OS: Linux\r\nX-Stainless-Package-Version: 2.8.0\r\nX-Stainless-Read-Timeout: 600\r\nX-Stainless-Retry-Count: 0\r\n" +
	"X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.13.0\r\n"

// form is a request as bytes, and where its nonces stand.
type form struct {
	bytes  []byte
	nonces []int
}

func (q *Request) form(host string) *form {
	body := q.body()
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n%s", q.Path, host, agent)
	switch {
	case q.Key == "":
	case strings.HasSuffix(q.Path, "/messages"):
		fmt.Fprintf(&b, "x-api-key: %s\r\nanthropic-version: 2023-06-01\r\n", q.Key)
	default:
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", q.Key)
	}
	for _, name := range sortedKeys(q.Header) {
		fmt.Fprintf(&b, "%s: %s\r\n", name, q.Header[name])
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	f := &form{bytes: []byte(b.String())}
	if q.Same {
		f.bytes = bytes.ReplaceAll(f.bytes, []byte(nonce), []byte("the same as ever"))
	}
	for at := 0; ; {
		i := bytes.Index(f.bytes[at:], []byte(nonce))
		if i < 0 {
			break
		}
		f.nonces = append(f.nonces, at+i)
		at += i + len(nonce)
	}
	if q.Tail && len(f.nonces) > 0 {
		last := f.nonces[len(f.nonces)-1]
		for _, at := range f.nonces[:len(f.nonces)-1] {
			copy(f.bytes[at:], "what was before ")
		}
		f.nonces = []int{last}
	}
	return f
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// body writes a prompt in the dialect of the path.
func (q *Request) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"model":"%s",`, q.Model)
	switch {
	case strings.HasSuffix(q.Path, "/embeddings"):
		fmt.Fprintf(&b, `"encoding_format":"float","input":"%s"}`, text(q.Size-60))
		return b.String()
	case strings.HasSuffix(q.Path, "/responses"):
		fmt.Fprintf(&b, `"stream":%t,"input":"%s"}`, q.Stream, text(q.Size-60))
		return b.String()
	case strings.HasSuffix(q.Path, "/messages"):
		fmt.Fprintf(&b, `"stream":%t,"max_tokens":512,"messages":[`, q.Stream)
	case q.Stream:
		b.WriteString(`"stream":true,"stream_options":{"include_usage":true},"max_tokens":512,"temperature":0.7,"messages":[`)
	default:
		b.WriteString(`"max_tokens":512,"temperature":0.7,"messages":[`)
	}
	turns := max(q.Turns, 1)
	for i := range turns {
		if i > 0 {
			b.WriteByte(',')
		}
		role := "user"
		if (turns-1-i)%2 == 1 {
			role = "assistant"
		}
		fmt.Fprintf(&b, `{"role":"%s","content":"%s"}`, role, text((q.Size-160)/turns-40))
	}
	b.WriteString("]}")
	return b.String()
}

// text is size bytes of words, with a nonce at its beginning and every so often.
func text(size int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for next := 0; b.Len() < max(size, len(nonce)); {
		if b.Len() >= next {
			b.WriteString(nonce)
			next = b.Len() + every
		} else {
			b.WriteString(words[rng.IntN(len(words))])
		}
		b.WriteString([]string{" ", " ", " ", " ", " ", " ", ", ", ". ", " (", `\n`}[rng.IntN(10)])
	}
	return b.String()
}

var words = strings.Fields(`the of and to a in is it that for was on are as with they at be this have from or had by not but some what
there we can out other were all your when up use word how said an each which she do their time if will way about many then them would write like
so these her long make thing see him two has look more day could go come did my sound no most number who over know water than call first people may
down side been now find any new work part take get place made live where after back little only round man year came show every good me give our under
name very through just form much great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three
want air well also play small end put home read hand port large spell add even land here must big high such follow act why ask men change went light
kind off need house picture try us again animal point mother world near build self earth father head stand own page should country found answer school
grow study still learn plant cover food sun four thought let keep eye never last door between city tree cross since hard start might story saw far sea
draw left late run while press close night real life few stop gateway request response configuration latency throughput tokens streaming JSON schema
func() return err != nil 2026 3.14 42 1,000 0x1f café naïve über Größe`)

// serial makes nonces; they differ in all processes of a machine's life, as
// what begins them is random.
type serial struct {
	base uint64
	n    atomic.Uint64
}

// fill writes the next nonce over f's in buf, a copy of f's bytes.
func (s *serial) fill(buf []byte, f *form) {
	if len(f.nonces) == 0 {
		return
	}
	// Multiplying by an odd number keeps them apart and makes them look random.
	v := (s.base + s.n.Add(1)) * 0x9e3779b97f4a7c15
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	const letters = "abcdefghijklmnop"
	var out [16]byte
	for i, c := range raw {
		out[2*i], out[2*i+1] = letters[c>>4], letters[c&15]
	}
	for _, at := range f.nonces {
		copy(buf[at:], out[:])
	}
}
