package athena

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASignatureIsTheOneThatTheSDKOfAWSMakes(t *testing.T) {
	t.Parallel()
	body := []byte(`{"QueryExecutionId":"x"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://athena.eu-central-1.amazonaws.com/", nil)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena.GetQueryExecution")
	k := Keys{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Region: "eu-central-1"} // those of its documentation
	k.sign(r, body, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	require.Equal(t, "20260102T030405Z", r.Header.Get("X-Amz-Date"))
	require.Equal(t, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-central-1/athena/aws4_request, "+
		"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=a23f17502b2069023b2aa96d595f6a971e2b64098454980e2b3e73d5f3a032fc", r.Header.Get("Authorization"))
}
