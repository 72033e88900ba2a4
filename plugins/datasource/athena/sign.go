package athena

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"dorado/app/kit/secret"
)

// Keys are an access key of AWS.
type Keys struct {
	ID     string
	Secret secret.String
	Region string
}

// sign adds the headers of signature version 4 to a POST to / with this body.
func (k Keys) sign(r *http.Request, body []byte, now time.Time) {
	const service, signed = "athena", "content-type;host;x-amz-date;x-amz-target"
	stamp := now.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	r.Header.Set("X-Amz-Date", stamp)
	canonical := strings.Join([]string{
		r.Method, "/", "",
		"content-type:" + r.Header.Get("Content-Type"), "host:" + r.URL.Host, "x-amz-date:" + stamp, "x-amz-target:" + r.Header.Get("X-Amz-Target"), "",
		signed, sum(body),
	}, "\n")
	scope := strings.Join([]string{day, k.Region, service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, sum([]byte(canonical))}, "\n")
	key := []byte("AWS4" + k.Secret.Reveal())
	for _, part := range []string{day, k.Region, service, "aws4_request"} {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.ID+"/"+scope+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(key, text)))
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
