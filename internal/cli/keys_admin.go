package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/weirproxy/weir/gateway/keys"
)

// adminRequest is caddycmd.AdminAPIRequest. An answer of status 400 and more
// is an error that holds its text.
type adminRequest func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error)

// adminStore manages the keys of a running Caddy.
type adminStore struct {
	address string
	request adminRequest
}

func (s *adminStore) call(method, ref, action string, body, answer any) error {
	uri := keys.AdminPath
	if ref != "" {
		uri += "/" + url.PathEscape(ref) + action
	}
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
		reader = bytes.NewReader(data)
	}
	res, err := s.request(s.address, method, uri, nil, reader)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", s.address, err)
	}
	return nil
}

func (s *adminStore) List(context.Context) ([]keys.Key, error) {
	var answer keys.Listed
	err := s.call("GET", "", "", nil, &answer)
	return answer.Data, err
}

func (s *adminStore) Get(_ context.Context, ref string) (key keys.Key, err error) {
	err = s.call("GET", ref, "", nil, &key)
	return key, err
}

func (s *adminStore) Create(_ context.Context, draft keys.Draft) (keys.Key, string, error) {
	var answer keys.Issued
	err := s.call("POST", "", "", draft, &answer)
	return answer.Key, answer.Secret, err
}

func (s *adminStore) Rotate(_ context.Context, ref string, overlap time.Duration) (keys.Key, string, error) {
	var answer keys.Issued
	err := s.call("POST", ref, "/rotate", keys.Rotation{Overlap: overlap.String()}, &answer)
	return answer.Key, answer.Secret, err
}

func (s *adminStore) Update(_ context.Context, ref string, change keys.Change) (key keys.Key, err error) {
	err = s.call("PATCH", ref, "", change, &key)
	return key, err
}

func (s *adminStore) Revoke(_ context.Context, ref string) error {
	return s.call("DELETE", ref, "", nil, nil)
}

// Interface guard.
var _ keys.Store = (*adminStore)(nil)
