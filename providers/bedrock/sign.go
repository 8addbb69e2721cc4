package bedrock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/secret"
)

// credentials returns the source of the keys to sign with, and the region
// that the shared configuration names. AWS's chain is not run before a call:
// where it ends may be a server that is not there yet.
func (p *Provider) credentials(ctx context.Context, repl *caddy.Replacer, static bool) (aws.CredentialsProvider, string, error) {
	if static {
		var keys [3]string
		for i, o := range []struct{ name, reference string }{
			{"access_key_id", p.AccessKeyID}, {"secret_access_key", p.SecretAccessKey}, {"session_token", p.SessionToken},
		} {
			if o.reference == "" {
				continue
			}
			value, err := secret.Resolve(o.reference)
			if err != nil {
				return nil, "", fmt.Errorf("%s: %w", o.name, err)
			}
			keys[i] = value.Reveal()
		}
		return credentials.NewStaticCredentialsProvider(keys[0], keys[1], keys[2]), "", nil
	}
	var options []func(*config.LoadOptions) error
	if p.Profile != "" {
		profile, err := repl.ReplaceOrErr(p.Profile, true, true)
		if err != nil {
			return nil, "", fmt.Errorf("resolving profile: %w", err)
		}
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, "", fmt.Errorf("reading AWS's shared configuration: %w", err)
	}
	return cfg.Credentials, cfg.Region, nil
}

// signer signs requests by AWS's Signature Version 4.
type signer struct {
	source aws.CredentialsProvider
	region string
	now    func() time.Time
	signer *v4.Signer
	last   atomic.Pointer[aws.Credentials]
}

func newSigner(source aws.CredentialsProvider, region string, now func() time.Time) *signer {
	return &signer{source: source, region: region, now: now, signer: v4.NewSigner()}
}

// sign adds the signature. It covers the host, the body and what says how to
// read it, but no header that something on the way may change.
func (s *signer) sign(req *http.Request) error {
	creds, err := s.source.Retrieve(req.Context())
	if err != nil {
		return fmt.Errorf("finding AWS credentials: %w", err)
	}
	s.last.Store(&creds)
	hash, err := bodyHash(req)
	if err != nil {
		return err
	}
	signed := &http.Request{Method: req.Method, URL: req.URL, Host: req.Host, ContentLength: req.ContentLength, Header: make(http.Header, 4)}
	if contentType := req.Header.Get("Content-Type"); contentType != "" {
		signed.Header.Set("Content-Type", contentType)
	}
	if err := s.signer.SignHTTP(req.Context(), creds, signed, hash, "bedrock", s.region, s.now()); err != nil {
		return fmt.Errorf("signing request: %w", err)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if value, ok := signed.Header[name]; ok {
			req.Header[name] = value
		}
	}
	return nil
}

// bodyHash is the SHA-256 of the body in hexadecimal; the body is left as it
// was, which net/http makes possible for bodies in memory.
func bodyHash(req *http.Request) (string, error) {
	sum := sha256.New()
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return "", errors.New("signing request: the body can be read only once")
		}
		body, err := req.GetBody()
		if err != nil {
			return "", fmt.Errorf("reading body: %w", err)
		}
		_, err = io.Copy(sum, body)
		_ = body.Close()
		if err != nil {
			return "", fmt.Errorf("reading body: %w", err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// secrets are what AWS quotes when it refuses a signature.
func (s *signer) secrets() []secret.Secret {
	creds := s.last.Load()
	if creds == nil {
		return nil
	}
	return []secret.Secret{secret.New(creds.AccessKeyID), secret.New(creds.SecretAccessKey), secret.New(creds.SessionToken)}
}
