package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxWarmLine bounds a line: it is what a gateway takes unless told otherwise.
const maxWarmLine = 32 << 20

// warmLine is one request of a file: a line of OpenAI's batch input, or the body
// alone.
type warmLine struct {
	number int
	path   string // with its query
	body   []byte
	err    error // why the line is no request
}

// readWarmLines calls use with each line that is not blank. path is where bodies go
// that stand alone. It ends when use returns false; its error is that of reading.
func readWarmLines(r io.Reader, path string, use func(*warmLine) bool) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxWarmLine)
	number := 0
	for scanner.Scan() {
		number++
		text := scanner.Bytes()
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff")) // as Windows begins files
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		line := &warmLine{number: number}
		line.err = line.parse(bytes.Clone(text), path)
		if !use(line) {
			return nil
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: more than %d bytes", number+1, maxWarmLine)
	case err != nil:
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

func (l *warmLine) parse(text []byte, path string) error {
	var batch struct {
		Method string          `json:"method"`
		URL    string          `json:"url"`
		Body   json.RawMessage `json:"body"`
	}
	if !json.Valid(text) || text[0] != '{' {
		return errors.New("it is no JSON object")
	}
	if err := json.Unmarshal(text, &batch); err != nil {
		return fmt.Errorf("reading JSON: %w", err)
	}
	l.path, l.body = batch.URL, batch.Body
	switch {
	case batch.URL == "" && batch.Body == nil:
		l.path, l.body = path, text
		if path == "" {
			return errors.New("it names no url: give --path for bodies that stand alone")
		}
	case batch.URL == "" || len(batch.Body) == 0 || batch.Body[0] != '{':
		return errors.New("a request needs a url and a body")
	case batch.Method != "" && batch.Method != http.MethodPost:
		return fmt.Errorf("method '%s' is not POST", batch.Method)
	}
	return checkPath(l.path)
}

// checkPath refuses what would lead to another host than the gateway, which is
// sent a key.
func checkPath(path string) error {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") {
		return fmt.Errorf("url '%s' is no path, such as /v1/chat/completions", path)
	}
	return nil
}
