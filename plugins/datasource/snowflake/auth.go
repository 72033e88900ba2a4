package snowflake

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"dorado/app/kit/secret"
)

// Kind is how somebody signs in, as the API calls it.
type Kind string

// The kinds.
const (
	Token   Kind = "PROGRAMMATIC_ACCESS_TOKEN"
	OAuth   Kind = "OAUTH"
	KeyPair Kind = "KEYPAIR_JWT"
)

// lifetime is how long a signed text is good for. The API allows an hour.
const lifetime = 50 * time.Minute

// Credentials are what requests show.
type Credentials struct {
	Kind  Kind
	Token secret.String // of Token and OAuth

	Account string // of KeyPair: the name of the host
	User    string
	Key     *rsa.PrivateKey
}

// armour is a text of PEM. A form with one line takes the ends of lines away, so they are not asked for.
var armour = regexp.MustCompile(`^\s*-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END [A-Z ]+-----\s*$`)

// ParseKey reads a private key of RSA as PEM.
func ParseKey(text secret.String) (*rsa.PrivateKey, error) {
	parts := armour.FindStringSubmatch(text.Reveal())
	if parts == nil {
		return nil, errors.New("the private key is no PEM text")
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(parts[2]), ""))
	if err != nil {
		return nil, errors.New("the private key is no PEM text")
	}
	switch parts[1] {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(der)
		if rsaKey, ok := key.(*rsa.PrivateKey); ok && err == nil {
			return rsaKey, nil
		}
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return key, nil
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the private key is encrypted: store it without a passphrase, it is sealed here")
	}
	return nil, errors.New("the private key is no key of RSA")
}

// bearer is what stands behind "Bearer" in a request made now.
func (c Credentials) bearer(now time.Time) (string, error) {
	if c.Kind != KeyPair {
		return c.Token.Reveal(), nil
	}
	public, err := x509.MarshalPKIXPublicKey(&c.Key.PublicKey)
	if err != nil {
		return "", err
	}
	print := sha256.Sum256(public)
	subject := c.account() + "." + strings.ToUpper(c.User)
	part := func(v any) string {
		raw, _ := json.Marshal(v) //nolint:errchkjson // texts and numbers
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": subject + ".SHA256:" + base64.StdEncoding.EncodeToString(print[:]), "sub": subject, "iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	})
	sum := sha256.Sum256([]byte(text))
	sign, err := rsa.SignPKCS1v15(rand.Reader, c.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", errors.New("the private key cannot sign")
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sign), nil
}

// account is the account in the name of the host: what stands before the region, if any, in capitals.
func (c Credentials) account() string {
	name, _, _ := strings.Cut(c.Account, ".")
	return strings.ToUpper(name)
}
