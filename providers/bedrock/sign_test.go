package bedrock

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// The example keys of AWS's documentation.
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// verifier is the other side of Signature Version 4, written from the text of
// AWS's IAM User Guide, "Create a signed AWS API request".
type verifier struct {
	secret, region, service string
}

// canonical is step 1: the canonical request. uri is the path as it was sent,
// which every service but S3 encodes once more.
func canonical(method, uri string, header http.Header, signed []string, hash string) string {
	path, query, _ := strings.Cut(uri, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' })
	sort.Strings(pairs)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n", method, strings.Join(segments, "/"), strings.Join(pairs, "&"))
	for _, name := range signed {
		fmt.Fprintf(&b, "%s:%s\n", name, strings.TrimSpace(header.Get(name)))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(signed, ";"), hash)
	return b.String()
}

// signature is steps 2 to 4.
func (v verifier) signature(date, canonical string) string {
	scope := date[:8] + "/" + v.region + "/" + v.service + "/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + v.secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// verify checks the signature of a request as a server sees it, and returns
// the names of the headers that it covers.
func (v verifier) verify(r *http.Request, body string) ([]string, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return nil, fmt.Errorf("authorization %q", r.Header.Get("Authorization"))
	}
	parts := make(map[string]string)
	for part := range strings.SplitSeq(rest, ", ") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	header := r.Header.Clone()
	header.Set("Host", r.Host)
	header.Set("Content-Length", fmt.Sprint(r.ContentLength))
	date := header.Get("X-Amz-Date")
	if want := exampleID + "/" + date[:8] + "/" + v.region + "/" + v.service + "/aws4_request"; parts["Credential"] != want {
		return nil, fmt.Errorf("credential %s, want %s", parts["Credential"], want)
	}
	signed := strings.Split(parts["SignedHeaders"], ";")
	sum := sha256.Sum256([]byte(body))
	request := canonical(r.Method, r.RequestURI, header, signed, hex.EncodeToString(sum[:]))
	if want := v.signature(date, request); parts["Signature"] != want {
		return nil, fmt.Errorf("signature %s, want %s, of\n%s", parts["Signature"], want, request)
	}
	return signed, nil
}

// TestVerifier checks the check with AWS's published test vector get-vanilla.
func TestVerifier(t *testing.T) {
	header := http.Header{"Host": {"example.amazonaws.com"}, "X-Amz-Date": {"20150830T123600Z"}}
	empty := sha256.Sum256(nil)
	request := canonical("GET", "/", header, []string{"host", "x-amz-date"}, hex.EncodeToString(empty[:]))
	v := verifier{exampleSecret, "us-east-1", "service"}
	if got := v.signature("20150830T123600Z", request); got != "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" {
		t.Errorf("signature %s of\n%s", got, request)
	}
}

var signingTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func newExample(session string) *signer {
	return newSigner(credentials.NewStaticCredentialsProvider(exampleID, exampleSecret, session), "us-east-1", func() time.Time { return signingTime })
}

// TestCanonicalForm holds the recorded form of one request: an ARN in the
// path is encoded for the URL and once more for the signature.
func TestCanonicalForm(t *testing.T) {
	const body = `{"messages":[]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": {"x"}}
	if err := newExample("session").sign(req); err != nil {
		t.Fatal(err)
	}
	if data, _ := io.ReadAll(req.Body); string(data) != body {
		t.Errorf("the body is now %q", data)
	}
	const request = `POST
/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A1%253Ainference-profile%252Fus.x-v1%253A0/converse

content-length:15
content-type:application/json
host:bedrock-runtime.us-east-1.amazonaws.com
x-amz-date:20150830T123600Z
x-amz-security-token:session

content-length;content-type;host;x-amz-date;x-amz-security-token
`
	sum := sha256.Sum256([]byte(body))
	want := verifier{exampleSecret, "us-east-1", "bedrock"}.signature("20150830T123600Z", request+hex.EncodeToString(sum[:]))
	auth := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, " +
		"SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token, Signature=" + want
	if got := req.Header.Get("Authorization"); got != auth {
		t.Errorf("%s, want\n%s", got, auth)
	}
	if req.Header.Get("X-Amz-Security-Token") != "session" || len(req.Header) != 6 {
		t.Errorf("header %v", req.Header)
	}
}

type failing struct{ err error }

func (f failing) Retrieve(_ context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, f.err
}

func TestWithoutCredentials(t *testing.T) {
	reason := errors.New("no EC2 IMDS role found")
	s := newSigner(failing{reason}, "us-east-1", time.Now)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://x.example/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.sign(req); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	if s.secrets() != nil {
		t.Error("secrets before there are any")
	}
	s = newExample("")
	req.GetBody = nil
	if err := s.sign(req); err == nil || req.Header.Get("Authorization") != "" {
		t.Errorf("a body that can be read only once was signed: %v", err)
	}
}
