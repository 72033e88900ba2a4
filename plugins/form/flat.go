package form

import (
	"encoding/json"
	"errors"
	"maps"
)

// Mask stands for a secret wherever settings are shown. Where it comes back, the secret that is kept is meant.
const Mask = "******"

// Flat are settings with one text for each field, as DolphinScheduler keeps those of alert instances and data sources.
type Flat map[string]string

// errNotFlat says that settings are not a JSON object.
var errNotFlat = errors.New("form: the settings are not a JSON object")

// ReadFlat reads a JSON object. Numbers and booleans become the text they are written as, lists and objects their JSON; null
// is left out. Empty raw counts as {}.
func ReadFlat(raw []byte) (Flat, error) {
	if len(raw) == 0 {
		return Flat{}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, errNotFlat
	}
	f := make(Flat, len(members))
	for name, member := range members {
		if string(member) == "null" {
			continue
		}
		if text, err := readText(member); err == nil {
			f[name] = text
		} else {
			f[name] = string(member)
		}
	}
	return f, nil
}

// JSON is the settings as a JSON object, names in order.
func (f Flat) JSON() json.RawMessage {
	if f == nil {
		return json.RawMessage(`{}`)
	}
	raw, err := json.Marshal(map[string]string(f))
	if err != nil { // texts always can be written
		return json.RawMessage(`{}`)
	}
	return raw
}

// Clone is a copy that may be changed; of nil it is an empty one.
func (f Flat) Clone() Flat {
	out := make(Flat, len(f))
	maps.Copy(out, f)
	return out
}

// Split parts secrets from what everybody may read who sees the settings. Empty secrets are left out.
func (s Schema) Split(all Flat) (open, secrets Flat) {
	open, secrets = all.Clone(), Flat{}
	for _, f := range s {
		if f.Type != Secret {
			continue
		}
		if text := open[f.Name]; text != "" {
			secrets[f.Name] = text
		}
		delete(open, f.Name)
	}
	return open, secrets
}

// Masked is open with the mask in place of each secret that is kept.
func (s Schema) Masked(open, secrets Flat) Flat {
	out := open.Clone()
	for name := range secrets {
		out[name] = Mask
	}
	return out
}

// Unmasked is given with the kept secrets in place of masks; a mask where nothing is kept is dropped.
func (s Schema) Unmasked(given, kept Flat) Flat {
	out := given.Clone()
	for _, f := range s {
		if f.Type != Secret || out[f.Name] != Mask {
			continue
		}
		if text, ok := kept[f.Name]; ok {
			out[f.Name] = text
		} else {
			delete(out, f.Name)
		}
	}
	return out
}
