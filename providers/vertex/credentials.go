package vertex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/weirproxy/weir/internal/secret"
)

// scope is the one that Vertex AI asks for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// credentials are a Google credential in JSON; none: what Google's application
// default credentials find when a token is needed, which may have to ask the
// machine's metadata server.
type credentials struct {
	json    secret.Secret
	kind    google.CredentialsType
	project string
}

// kinds are the forms of a credential that may stand in a configuration. A
// credential of another kind can name programs to run or addresses to call.
var kinds = []google.CredentialsType{
	google.ServiceAccount, google.AuthorizedUser, google.ExternalAccount,
	google.ExternalAccountAuthorizedUser, google.ImpersonatedServiceAccount,
}

// loadCredentials reads the credential that reference, a placeholder, stands
// for, or the one in the file that the usual variable names.
func loadCredentials(reference string) (*credentials, error) {
	if reference == "" {
		file := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
		if file == "" {
			return new(credentials), nil
		}
		return readCredentials("GOOGLE_APPLICATION_CREDENTIALS", file)
	}
	value, err := secret.Resolve(reference)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if text := value.Reveal(); !strings.HasPrefix(text, "{") {
		return readCredentials("credentials", text)
	}
	return parseCredentials("credentials", value)
}

func readCredentials(option, file string) (*credentials, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		// The error would have the value, which may be a secret after all.
		return nil, fmt.Errorf("%s: it is neither JSON nor the name of a file that can be read", option)
	}
	return parseCredentials(option, secret.New(string(data)))
}

// parseCredentials checks a credential as far as that is possible without a
// network. Errors never quote it.
func parseCredentials(option string, value secret.Secret) (*credentials, error) {
	var probe struct {
		Type      google.CredentialsType `json:"type"`
		ProjectID string                 `json:"project_id"`
	}
	if json.Unmarshal([]byte(value.Reveal()), &probe) != nil {
		return nil, fmt.Errorf("%s: the credential is not valid JSON", option)
	}
	for _, kind := range kinds {
		if kind != probe.Type {
			continue
		}
		c := &credentials{json: value, kind: kind, project: probe.ProjectID}
		if _, err := c.open(context.Background()); err != nil {
			return nil, fmt.Errorf("%s: the credential is not complete", option)
		}
		return c, nil
	}
	return nil, fmt.Errorf("%s: the credential has no type that is known, such as service_account", option)
}

// open makes a new source of tokens: one that was used keeps its token until
// seconds before it expires.
func (c *credentials) open(ctx context.Context) (oauth2.TokenSource, error) {
	if c.json.IsZero() {
		found, err := google.FindDefaultCredentials(ctx, scope)
		if err != nil {
			return nil, fmt.Errorf("finding application default credentials: %w", err)
		}
		return found.TokenSource, nil
	}
	made, err := google.CredentialsFromJSONWithType(ctx, []byte(c.json.Reveal()), c.kind, scope)
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	return made.TokenSource, nil
}

// fetch gets a token through client. Errors say what the token endpoint calls
// the failure and nothing of what was sent.
func (c *credentials) fetch(ctx context.Context, client *http.Client) (secret.Secret, time.Time, error) {
	source, err := c.open(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return secret.Secret{}, time.Time{}, err
	}
	token, err := source.Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil:
		return secret.Secret{}, time.Time{}, fmt.Errorf("fetching token: the endpoint answered with status %d %s", refused.Response.StatusCode, errorCode(refused))
	case err != nil:
		return secret.Secret{}, time.Time{}, fmt.Errorf("fetching token: %w", err)
	}
	return secret.New(token.AccessToken), token.Expiry, nil
}

// errorCode is RFC 6749's code of a refusal, which x/oauth2 does not read for
// every kind of credential. The description stays out: it may quote what was
// sent.
func errorCode(e *oauth2.RetrieveError) string {
	if e.ErrorCode != "" {
		return e.ErrorCode
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(e.Body, &body) != nil || strings.Trim(body.Error, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return body.Error
}
