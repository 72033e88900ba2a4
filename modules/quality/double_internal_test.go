package quality

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersAreWrittenAsJavaWritesThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0.0", "3": "3.0", "-1.5": "-1.5", "12345678": "1.2345678E7", "10000000": "1.0E7", "0.0001": "1.0E-4", "0.001": "0.001", "x": "0.0", "1e999": "0.0",
		"9999999": "9999999.0",
	} {
		raw, err := json.Marshal(number(text))
		require.NoError(t, err)
		require.Equal(t, want, string(raw))
	}
}
