package httptask

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const (
	contentType = "Content-Type"
	jsonType    = "application/json"
	formType    = "application/x-www-form-urlencoded"
)

// setBody decides what is sent. A text goes as it is, whatever its type; only an object for a form is written as one.
func (s *settings) setBody(text string, members map[string]string) error {
	switch s.method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		s.header.Del(contentType) // of nothing
		return nil
	}
	if strings.TrimSpace(text) != "" {
		s.body, s.hasBody, s.ignored = text, true, len(members) > 0
	} else if len(members) > 0 {
		raw, err := encode(members)
		if err != nil {
			return err
		}
		s.body, s.hasBody = string(raw), true
	}
	if !s.hasBody {
		return nil
	}
	given := s.header.Get(contentType)
	if given == "" {
		s.header.Set(contentType, jsonType)
	}
	if kind, _, err := mime.ParseMediaType(given); err == nil && kind == formType {
		if fields, ok := formFields(s.body); ok {
			s.body = fields
		}
	}
	return nil
}

// formFields writes a JSON object as the fields of a form; ok is false where text is something else.
func formFields(text string) (fields string, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil || members == nil {
		return "", false
	}
	values := url.Values{}
	for name, raw := range members {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		values.Set(name, s)
	}
	return values.Encode(), true
}

// encode writes v as JSON in which &, < and > stay as they are: people read it.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
