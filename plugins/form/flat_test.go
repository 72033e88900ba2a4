package form_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
)

func TestFlatSettingsReadWhatClientsWrite(t *testing.T) {
	t.Parallel()
	f, err := form.ReadFlat([]byte(`{"a":"x","b":25,"c":true,"d":null,"e":{"k":"v"},"f":["1"]}`))
	require.NoError(t, err)
	require.Equal(t, form.Flat{"a": "x", "b": "25", "c": "true", "e": `{"k":"v"}`, "f": `["1"]`}, f)
	require.JSONEq(t, `{"a":"x","b":"25","c":"true","e":"{\"k\":\"v\"}","f":"[\"1\"]"}`, string(f.JSON()))
	for _, bad := range []string{`[]`, `"x"`, `{`, `nonsense`} {
		_, err := form.ReadFlat([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestAMaskThatComesBackKeepsTheSecret(t *testing.T) {
	t.Parallel()
	s := form.Schema{{Name: "user", Type: form.Text}, {Name: "password", Type: form.Secret}, {Name: "key", Type: form.Secret}}
	open, secrets := s.Split(form.Flat{"user": "ann", "password": "hunter2", "key": "", "other": "x"})
	require.Equal(t, form.Flat{"user": "ann", "other": "x"}, open)
	require.Equal(t, form.Flat{"password": "hunter2"}, secrets)
	shown := s.Masked(open, secrets)
	require.Equal(t, form.Flat{"user": "ann", "other": "x", "password": form.Mask}, shown)
	require.Equal(t, form.Flat{"user": "ann", "other": "x", "password": "hunter2"}, s.Unmasked(shown, secrets))
	require.Equal(t, form.Flat{"password": "new"}, s.Unmasked(form.Flat{"password": "new"}, secrets))
	require.Empty(t, s.Unmasked(form.Flat{"key": form.Mask}, secrets), "a mask over nothing is nothing")
	require.Equal(t, form.Flat{"user": form.Mask}, s.Unmasked(form.Flat{"user": form.Mask}, secrets), "stars are a text elsewhere")
}
