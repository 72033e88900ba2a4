package transfer

import (
	"bytes"
	"path"
	"strings"

	flowtext "dorado/modules/flow/text"
	"dorado/modules/transfer/azkaban"
	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
	"dorado/modules/transfer/oozie"
)

// Read recognises a file, or the files of an archive, and reads them. It returns neutral.ErrTooLarge, ErrUnsafe,
// ErrArchive, ErrUnreadable, ErrUnknown and ErrEmpty.
func Read(name string, data []byte) (*neutral.Bundle, error) {
	name = neutral.CleanName(path.Base(strings.ReplaceAll(name, `\`, "/")), 200)
	if len(data) > neutral.MaxFile {
		return nil, neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	entries := []neutral.Entry{{Path: name, Data: data}}
	if neutral.IsZip(data) {
		var err error
		if entries, err = neutral.Unzip(data); err != nil {
			return nil, err
		}
	}
	b := &neutral.Bundle{}
	if err := readAll(b, name, entries); err != nil {
		return nil, err
	}
	readTexts(b)
	if err := b.Finish(); err != nil {
		return nil, err
	}
	return b, nil
}

// sorted are the files of an archive by what they are.
type sorted struct {
	json, sql, yaml, cron []neutral.Entry
	azkaban, oozie, rest  []neutral.Entry
}

func readAll(b *neutral.Bundle, name string, entries []neutral.Entry) error {
	var s sorted
	alone := len(entries) == 1
	for _, e := range entries {
		e.Data = bytes.TrimPrefix(e.Data, []byte("\xef\xbb\xbf"))
		s.add(e, alone)
	}
	// Files that only go with others.
	switch {
	case len(s.azkaban) > 0:
		s.azkaban = append(s.azkaban, s.rest...)
	case len(s.oozie) > 0:
		s.oozie = append(s.oozie, s.rest...)
	case alone && len(s.rest) == 1:
		return neutral.ErrUnknown.With("file", name)
	default:
		for _, e := range s.rest {
			b.Note(neutral.Note{Level: neutral.Changed, File: e.Path, Key: "transfer.note.file_ignored"})
		}
	}
	for _, e := range s.json {
		if err := dsfile.Read(b, e.Path, e.Data); err != nil {
			return err
		}
	}
	for _, e := range s.yaml {
		b.Is(neutral.YAML)
		b.Workflows = append(b.Workflows, neutral.Workflow{File: e.Path, Text: string(e.Data)})
	}
	for _, e := range s.cron {
		if err := crontab.Read(b, e.Path, e.Data, strings.Contains("/"+e.Path, "/cron.d/")); err != nil {
			return err
		}
	}
	if len(s.sql) > 0 {
		if err := dsfile.ReadSQL(b, strings.TrimSuffix(name, path.Ext(name)), s.sql); err != nil {
			return err
		}
	}
	if len(s.azkaban) > 0 {
		if err := azkaban.Read(b, s.azkaban); err != nil {
			return err
		}
	}
	if len(s.oozie) > 0 {
		return oozie.Read(b, s.oozie)
	}
	return nil
}

// add puts a file where it belongs. By its name alone where that says enough; otherwise by how it begins.
func (s *sorted) add(e neutral.Entry, alone bool) {
	start := bytes.TrimSpace(e.Data[:min(len(e.Data), 4096)])
	first := byte(0)
	if len(start) > 0 {
		first = start[0]
	}
	switch ext := e.Ext(); {
	case azkaban.Is(e):
		s.azkaban = append(s.azkaban, e)
	case ext == ".sql":
		s.sql = append(s.sql, e)
	case ext == ".xml" || first == '<' && ext != ".sh":
		if ext != ".xml" {
			e.Path += ".xml"
		}
		s.oozie = append(s.oozie, e)
	case ext == ".yaml" || ext == ".yml":
		s.yaml = append(s.yaml, e)
	case ext == ".json" || alone && (first == '{' || first == '['):
		s.json = append(s.json, e)
	case ext == ".properties":
		s.rest = append(s.rest, e)
	case crontabName(e) || alone && ext != ".sh" && crontab.Looks(e.Data):
		s.cron = append(s.cron, e)
	case alone && flowtext.NameOf(e.Data) != "":
		s.yaml = append(s.yaml, e)
	default:
		s.rest = append(s.rest, e)
	}
}

func crontabName(e neutral.Entry) bool {
	base := strings.ToLower(e.Base())
	return base == "crontab" || e.Ext() == ".cron" || e.Ext() == ".crontab" || strings.Contains("/"+e.Path, "/cron.d/")
}
